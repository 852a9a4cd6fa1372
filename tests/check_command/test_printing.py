"""In which shapes `dockrev check` prints, how much of it, and what a terminal sees meanwhile."""

from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from threading import Barrier, Lock

import pytest
from django.utils import timezone

from checks.markdown import as_code
from tests.check_command.conftest import DOCKREV, PASSED_ON, Check, ComposeFile
from tests.real.processes import free_port
from tests.real.registry import Registry
from tests.servers import Asked, Reply, Starts
from tests.waiting import PATIENCE

OLD = "sha256:" + "0" * 64


def has_old(asked: Asked) -> Reply:
    return Reply(200, headers={"Docker-Content-Digest": OLD})


@pytest.fixture
def shop(registry: Registry, compose_file: ComposeFile) -> Path:
    """A project with something newer, something current, and something that does not answer."""
    for tag in ("1.1.0", "1.2.0", "2.0.0", "2.0.0-rc.1"):
        registry.push_image("print/api", tag, content=tag)
    current = registry.push_image("print/web", "latest", content="web")
    return compose_file(
        api=f"{registry.address}/print/api:1.1.0",
        web=f"{registry.address}/print/web:latest@{current}",
        down=f"127.0.0.1:{free_port()}/acme/api:1",
    )


@pytest.mark.engine
class TestFormats:
    def test_it_prints_markdown(self, check: Check, shop: Path, registry: Registry) -> None:
        ended = check(shop, "--format", "markdown", "--explain")
        assert ended.code == 2
        table, points, summary = ended.out.rstrip().split("\n\n")
        image = f"`{registry.address}/print/api:1.1.0`"
        assert table.splitlines()[:3] == [
            "| Service | Image | Status | Newer |",
            "| --- | --- | --- | --- |",
            f"| `shop/api` | {image} | update available | `2.0.0` (major), `1.2.0` (minor) |",
        ]
        assert len(table.splitlines()) == 5
        assert "- `shop/api`: 1 other tag was left: pre-releases (1)." in points
        assert "refused the connection.`" in points
        assert summary == "3 services, 1 update, 1 not checked"

    def test_it_leaves_out_what_has_no_update(self, check: Check, shop: Path) -> None:
        for format in ("table", "markdown"):
            shown = check(shop, "--format", format, "--only-updates").out
            assert "shop/api" in shown
            assert "shop/down" in shown
            assert "shop/web" not in shown
            assert "3 services, 1 update, 1 not checked" in shown
        ended = check(shop, "--format", "json", "--only-updates")
        assert set(ended.services) == {"api", "down"}
        assert ended.json["summary"] == {"services": 3, "updates": 1, "errors": 1}

    def test_it_explains_in_every_format(self, check: Check, shop: Path) -> None:
        assert "pre-releases (1)" in check(shop, "--explain").out
        explained = check(shop, "--json", "--explain").services["api"]["explained"]
        assert explained == {"listed": True, "dropped": {"prerelease": 1}}

    def test_it_says_that_the_present_tag_is_listed_no_more(
        self, check: Check, shop: Path, registry: Registry, compose_file: ComposeFile
    ) -> None:
        file = compose_file(api=f"{registry.address}/print/api:1.0.9")
        for format in ("table", "markdown"):
            assert "does not list its present tag" in check(file, "--format", format).out
        explained = check(file, "--json", "--explain").services["api"]["explained"]
        assert explained["listed"] is False

    def test_it_says_what_waits_for_its_minimum_age(
        self, check: Check, registry: Registry, compose_file: ComposeFile
    ) -> None:
        built = timezone.now() - timedelta(days=1)
        for tag, created in (
            ("1.1.0", ""),
            ("1.2.0", "2020-01-01T00:00:00Z"),
            ("1.3.0", built.isoformat()),
        ):
            registry.push_image("print/young", tag, content=tag, created=created)
        labels = {"dockrev.minimum-age": "7"}
        image = f"{registry.address}/print/young:1.1.0"
        file = compose_file(api={"image": image, "labels": labels})
        api = check(file, "--json").services["api"]
        (young,) = api["waiting"]
        assert (young["tag"], young["step"]) == ("1.3.0", "minor")
        assert datetime.fromisoformat(young["oldEnoughAt"]) - built < timedelta(days=7, seconds=1)
        assert [each["tag"] for each in api["candidates"]] == ["1.2.0"]
        for format in ("table", "markdown"):
            shown = check(file, "--format", format).out
            assert "Younger than its minimum age: 1.3.0 waits until" in shown
        del labels["dockrev.minimum-age"]
        file = compose_file(api={"image": image, "labels": labels})
        assert "waiting" not in check(file, "--json").services["api"]


class TestWhatItIsAsked:
    def test_it_prints_only_a_count_where_nothing_is_newer(
        self, check: Check, compose_file: ComposeFile
    ) -> None:
        ended = check(compose_file(api={"build": "."}), "--only-updates")
        assert (ended.code, ended.out.strip()) == (0, "1 service, 0 updates, 0 not checked")

    @pytest.mark.parametrize("given", ["0", "65", "-1", "x", "1.5", "٣", "1" * 5000])
    def test_it_refuses_to_ask_so_much_at_once(
        self, check: Check, compose_file: ComposeFile, given: str
    ) -> None:
        ended = check(compose_file(api={"build": "."}), f"--concurrency={given}")
        assert (ended.code, ended.out) == (2, "")
        assert "a number from 1 to 64 is wanted" in ended.err

    def test_it_prints_one_format(self, check: Check, compose_file: ComposeFile) -> None:
        ended = check(compose_file(api={"build": "."}), "--json", "--format", "table")
        assert ended.code == 2
        assert "not allowed with" in ended.err
        assert check(compose_file(api={"build": "."}), "--format", "xml").code == 2

    def test_it_keeps_to_the_requests_at_once(
        self, check: Check, compose_file: ComposeFile, serve: Starts
    ) -> None:
        pairs, lock, under_way = Barrier(2, timeout=PATIENCE), Lock(), [0, 0]

        def answer(asked: Asked) -> Reply:
            with lock:
                under_way[0] += 1
                under_way[1] = max(under_way)
            pairs.wait()
            with lock:
                under_way[0] -= 1
            return has_old(asked)

        servers = [serve(answer) for _number in range(3)]
        services = {
            f"s{number}-{place}": f"{server.address}/acme/api:a{place}@{OLD}"
            for number, server in enumerate(servers)
            for place in range(6)
        }
        assert check(compose_file(**services), "--concurrency", "2").code == 0
        assert under_way == [0, 2]

    def test_it_names_each_file_that_is_wrong(self, check: Check, tmp_path: Path) -> None:
        for folder in ("one", "two"):
            (tmp_path / folder).mkdir()
            (tmp_path / folder / "compose.yaml").write_text("name: same\nservices: {}\n")
        ended = check(tmp_path / "one" / "compose.yaml", tmp_path / "two", tmp_path / "none.yaml")
        assert ended.code == 2
        wrong = ended.err.splitlines()
        assert [line.partition(":")[0] for line in wrong] == [
            str(tmp_path / "none.yaml"),
            str(tmp_path / "one" / "compose.yaml"),
            str(tmp_path / "two" / "compose.yaml"),
        ]


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("1.2_3", "`1.2_3`"),
        ("a|b", r"`a\|b`"),
        ("a`b", "``a`b``"),
        ("`", "`` ` ``"),
        ("</td><img>@you", "`</td><img>@you`"),
        ("a\n| b", "`a\N{REPLACEMENT CHARACTER}\\| b`"),
        (" ", ""),
    ],
)
def test_it_lets_nobody_mark_up_the_table(text: str, written: str) -> None:
    assert as_code(text) == written


class TestOnATerminal:
    @pytest.fixture
    def file(self, compose_file: ComposeFile, serve: Starts) -> Path:
        server = serve(has_old)
        return compose_file(**{f"s{n}": f"{server.address}/acme/api:a{n}@{OLD}" for n in range(3)})

    def test_it_shows_how_far_it_is_and_wipes_it_away(self, file: Path) -> None:
        out, seen = on_a_terminal(file)
        assert "3 services" in out
        assert "3/3" in seen
        assert "#" in seen
        assert seen.endswith("\r\033[K")

    @pytest.mark.parametrize("environment", [{"CI": "true"}, {"TERM": "dumb"}])
    def test_it_shows_nothing_where_nobody_looks(
        self, file: Path, environment: dict[str, str]
    ) -> None:
        assert on_a_terminal(file, **environment)[1] == ""

    def test_it_shows_nothing_in_a_pipe(self, check: Check, file: Path) -> None:
        assert check(file, TERM="xterm").err == ""

    def test_it_keeps_to_the_colours_and_the_width(self, file: Path) -> None:
        assert "\033[36m" in on_a_terminal(file)[1]
        seen = on_a_terminal(file, NO_COLOR="1", COLUMNS="12")[1]
        assert "\033[3" not in seen
        assert max(len(each) for each in seen.split("\r\033[K")) < 12


def test_it_ends_at_once_when_it_is_interrupted(compose_file: ComposeFile, serve: Starts) -> None:
    server = serve(lambda _asked: None)
    command = [str(DOCKREV), "check", str(compose_file(api=f"{server.address}/acme/api:1@{OLD}"))]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, env=PASSED_ON, stdout=pipe, stderr=pipe, text=True) as process:
        while not server.asked and process.poll() is None:
            server.over.wait(0.01)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=9)  # less than is waited for an answer
    assert (process.returncode, out, err) == (130, "", "Stopped.\n")


def on_a_terminal(file: Path, **environment: str) -> tuple[str, str]:
    """What the command prints, and what a terminal sees of its second stream."""
    with terminal() as (seen, child):
        known = {**PASSED_ON, "TERM": "xterm", "HOME": "/nonexistent", **environment}
        ended = subprocess.run(
            [DOCKREV, "check", file, "--json"],
            env=known,
            stdout=subprocess.PIPE,
            stderr=child,
            text=True,
            timeout=PATIENCE,
            check=False,
        )
        os.close(child)
        shown = bytearray()
        while part := _read(seen):
            shown += part
    out = json.loads(ended.stdout)
    return f"{out['summary']['services']} services", shown.decode()


@contextmanager
def terminal() -> Iterator[tuple[int, int]]:
    parent, child = pty.openpty()
    try:
        yield parent, child
    finally:
        os.close(parent)


def _read(seen: int) -> bytes:
    try:
        return os.read(seen, 65_536)
    except OSError:  # what Linux says when the other end has closed
        return b""
