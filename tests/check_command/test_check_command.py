"""`dockrev check` as people call it: a process, compose files, a registry."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from tests.certificates import Authority
from tests.check_command.conftest import DOCKREV, PASSED_ON, Check, ComposeFile
from tests.real.processes import free_port
from tests.real.registry import Registry
from tests.servers import Asked, Reply, Server, Starts, TokenRegistry, as_json
from tests.waiting import PATIENCE

OLD = "sha256:" + "0" * 64


def has_old(asked: Asked) -> Reply:
    """A registry with one image under every tag."""
    if "/tags/" in asked.path:
        return as_json(tags=["0", "1"])
    return Reply(200, headers={"Docker-Content-Digest": OLD})


def has_nines(asked: Asked) -> Reply:
    answer = has_old(asked)
    named = {"Docker-Content-Digest": "sha256:" + "9" * 64}
    return replace(answer, headers={**answer.headers, **named})


@pytest.mark.engine
class TestPins:
    """Without an engine, what a reference is pinned to is what runs."""

    def test_it_finds_that_all_is_current(
        self, check: Check, compose_file: ComposeFile, registry: Registry
    ) -> None:
        digest = registry.push_image("cmd/current", "1", content="current")
        image = f"{registry.address}/cmd/current:1@{digest}"
        ended = check(compose_file(api=image), "--json")
        assert ended.code == 0
        assert ended.json == {
            "services": [
                {
                    "stack": "shop",
                    "service": "api",
                    "image": image,
                    "status": "up_to_date",
                    "candidate": None,
                    "candidates": [],
                    "error": None,
                }
            ],
            "summary": {"services": 1, "updates": 0, "errors": 0},
        }

    def test_it_finds_an_update(
        self, check: Check, compose_file: ComposeFile, registry: Registry
    ) -> None:
        old = registry.push_image("cmd/moved", "1", content="old")
        new = registry.push_image("cmd/moved", "1", content="new")
        ended = check(compose_file(api=f"{registry.address}/cmd/moved:1@{old}"), "--json")
        assert ended.code == 1
        assert ended.services["api"]["status"] == "update_available"
        assert ended.services["api"]["candidate"] == {
            "kind": "digest",
            "step": "rebuilt",
            "tag": "1",
            "digest": new,
            "displayTag": "1",
        }
        assert ended.json["summary"] == {"services": 1, "updates": 1, "errors": 0}

    def test_it_says_which_version_is_behind_latest(
        self, check: Check, compose_file: ComposeFile, registry: Registry
    ) -> None:
        old = registry.push_image("cmd/latest", "latest", content="old")
        labels = {"org.opencontainers.image.version": "1.27.4"}
        new = registry.push_image("cmd/latest", "latest", content="new", labels=labels)
        file = compose_file(api=f"{registry.address}/cmd/latest:latest@{old}")
        found = check(file, "--json").services["api"]["candidate"]
        assert (found["tag"], found["displayTag"]) == ("latest", "1.27.4")
        assert f"rebuilt: latest@{new} (1.27.4)" in check(file).out

    @pytest.mark.parametrize("platform", ["", "linux/arm64"])
    def test_it_sees_that_our_part_of_a_moved_index_is_the_same(
        self, check: Check, compose_file: ComposeFile, registry: Registry, platform: str
    ) -> None:
        contents = {"linux/amd64": "a", "linux/arm64/v8": f"b{platform}"}
        _digest, children = registry.push_multi("cmd/part", "1", contents)
        pin = children["linux/arm64/v8"]
        registry.push_multi("cmd/part", "1", {**contents, "linux/amd64": "new"})
        service = {"image": f"{registry.address}/cmd/part:1@{pin}", "platform": platform or None}
        ended = check(compose_file(api=service), "--json")
        assert (ended.code, ended.services["api"]["status"]) == (0, "up_to_date")

    def test_it_says_that_an_update_is_not_for_the_platform(
        self, check: Check, compose_file: ComposeFile, registry: Registry
    ) -> None:
        registry.push_multi("cmd/arch", "1", {"linux/amd64": "only"})
        service = {
            "image": f"{registry.address}/cmd/arch:1@{OLD}",
            "platform": "linux/arm/v7",
        }
        ended = check(compose_file(api=service), "--json")
        assert (ended.code, ended.services["api"]["status"]) == (1, "arch_mismatch")
        assert "not there for this platform" in check(compose_file(api=service)).out

    def test_it_calls_what_is_not_pinned_unknown(
        self, check: Check, compose_file: ComposeFile, registry: Registry
    ) -> None:
        registry.push_image("cmd/floating", "latest", content="floating")
        ended = check(compose_file(api=f"{registry.address}/cmd/floating"), "--json")
        assert (ended.code, ended.services["api"]["status"]) == (0, "unknown")
        assert ended.services["api"]["candidate"] is None

    def test_it_says_that_a_tag_is_not_there(
        self, check: Check, compose_file: ComposeFile, registry: Registry
    ) -> None:
        registry.push_image("cmd/typo", "1.2", content="typo")
        ended = check(compose_file(api=f"{registry.address}/cmd/typo:1.3"), "--json")
        assert (ended.code, ended.services["api"]["status"]) == (2, "unknown")
        assert "does not have cmd/typo:1.3" in ended.services["api"]["error"]

    def test_it_goes_on_where_one_cannot_be_checked(
        self, check: Check, compose_file: ComposeFile, registry: Registry
    ) -> None:
        registry.push_image("cmd/beside", "1", content="beside")
        file = compose_file(
            api=f"{registry.address}/cmd/beside:1@{OLD}",
            down=f"127.0.0.1:{free_port()}/acme/api:1",
            malformed="Not/An:image ref",
            built={"build": "."},
        )
        ended = check(file, "--json")
        assert ended.code == 2
        assert {name: each["status"] for name, each in ended.services.items()} == {
            "api": "update_available",
            "down": "error",
            "malformed": "error",
            "built": "unknown",
        }
        assert "refused the connection" in ended.services["down"]["error"]
        assert ended.json["summary"] == {"services": 4, "updates": 1, "errors": 2}


@pytest.mark.engine
class TestVersions:
    @pytest.fixture
    def image(self, registry: Registry) -> str:
        for tag in ("1.1.0", "1.1.1", "1.2.0", "2.0.0", "2.0.0-rc.1", "1.3.0-alpine", "latest"):
            registry.push_image("cmd/versions", tag, content=tag)
        return f"{registry.address}/cmd/versions:1.1.0"

    def test_it_finds_the_newest_of_each_step(
        self, check: Check, compose_file: ComposeFile, image: str, registry: Registry
    ) -> None:
        ended = check(compose_file(api=image), "--json")
        assert ended.code == 1
        found = ended.services["api"]["candidates"]
        assert [(each["kind"], each["step"], each["tag"]) for each in found] == [
            ("version", "major", "2.0.0"),
            ("version", "minor", "1.2.0"),
            ("version", "patch", "1.1.1"),
        ]
        assert ended.services["api"]["candidate"] == found[0]
        assert found[0]["digest"] == registry.digest("cmd/versions", "2.0.0")

    def test_it_explains_itself(self, check: Check, compose_file: ComposeFile, image: str) -> None:
        file = compose_file(api=image)
        explained = check(file, "--json", "--explain").services["api"]["explained"]
        dropped = {"prerelease": 1, "other_variant": 1, "no_version": 1}
        assert explained == {"listed": True, "dropped": dropped}
        shown = check(file, "--explain").out
        assert "major: 2.0.0@sha256:" in shown
        assert "3 other tags were left: " in shown
        assert "pre-releases (1)" in shown
        assert "were left" not in check(file).out

    def test_it_says_that_the_present_tag_is_not_listed(
        self, check: Check, compose_file: ComposeFile, image: str
    ) -> None:
        gone = image.replace("1.1.0", "1.0.9")
        ended = check(compose_file(api=gone), "--explain")
        assert ended.code == 1
        assert "does not list its present tag" in ended.out


@pytest.mark.engine
class TestLabels:
    """In a compose file they say what is wanted, as they do where it runs."""

    @pytest.fixture
    def image(self, registry: Registry) -> str:
        old = registry.push_image("cmd/labels", "build-1.1.0", content="old")
        for tag in ("build-1.1.1", "build-1.2.0-rc1", "2.0.0"):
            registry.push_multi(
                "cmd/labels", tag, {"linux/amd64": tag, "linux/arm64": f"{tag} arm"}
            )
        return f"{registry.address}/cmd/labels:build-1.1.0@{old}"

    @pytest.mark.parametrize(
        ("labels", "status", "tags"),
        [
            ({}, "update_available", ["build-1.1.1"]),
            ({"dockrev.track": "digest"}, "up_to_date", []),
            ({"dockrev.exclude": r"1\.1$$"}, "up_to_date", []),
            ({"dockrev.prereleases": True}, "update_available", ["build-1.2.0-rc1", "build-1.1.1"]),
            ({"dockrev.platform": "linux/s390x"}, "arch_mismatch", ["build-1.1.1"]),
            ({"dockrev.platform": "linux/arm64"}, "update_available", ["build-1.1.1"]),
            (
                [r"dockrev.transform=^(build-)?(\d[.\d]*)$$ => \2"],
                "update_available",
                ["2.0.0", "build-1.1.1"],
            ),
        ],
    )
    def test_it_does_what_they_say(
        self,
        check: Check,
        compose_file: ComposeFile,
        image: str,
        labels: object,
        status: str,
        tags: list[str],
    ) -> None:
        ended = check(compose_file(api={"image": image, "labels": labels}), "--json")
        found = ended.services["api"]
        assert (found["status"], [each["tag"] for each in found["candidates"]]) == (status, tags)
        assert ended.code == bool(tags)
        assert "notes" not in found

    def test_it_says_which_cannot_be_read_and_goes_on(
        self, check: Check, compose_file: ComposeFile, image: str
    ) -> None:
        labels = {"dockrev.track": "never", "dockrev.transform": "^v(.*) => 1", "other": "$"}
        file = compose_file(api={"image": image, "labels": labels})
        ended = check(file, "--json")
        assert (ended.code, ended.services["api"]["status"]) == (0, "up_to_date")
        track, transform = ended.services["api"]["notes"]
        assert "label dockrev.track cannot be read and does not count" in track
        assert "“never” is none of: auto, digest, version, nothing." in track
        assert transform.startswith("The transform does not match its tag")
        shown = check(file).out
        assert track in shown
        assert transform in shown


class TestWhatItReads:
    def test_it_reads_every_project_of_a_folder(
        self, check: Check, compose_file: ComposeFile, tmp_path: Path
    ) -> None:
        for name in ("one", "two"):
            compose_file(name, api={"build": "."})
        ended = check(tmp_path, tmp_path / "one" / "compose.yaml", "--json")
        assert [each["stack"] for each in ended.json["services"]] == ["one", "two"]

    @pytest.mark.parametrize("name", ["missing.yaml", "empty-folder", "broken.yaml"])
    def test_it_says_what_cannot_be_read(self, check: Check, tmp_path: Path, name: str) -> None:
        (tmp_path / "empty-folder").mkdir()
        (tmp_path / "broken.yaml").write_text("services: [")
        ended = check(tmp_path / name, "--json")
        assert ended.code == 2
        assert ended.json == {"services": [], "summary": {"services": 0, "updates": 0, "errors": 1}}
        assert name.partition(".")[0] in ended.err

    def test_it_asks_for_an_image_once(
        self, check: Check, compose_file: ComposeFile, serve: Starts
    ) -> None:
        server = serve(has_old)
        services = {f"s{n}": f"{server.address}/acme/api:{n % 2}@{OLD}" for n in range(30)}
        ended = check(compose_file(**services), "--json")
        assert (ended.code, ended.json["summary"]["services"]) == (0, 30)
        asked = sorted(asked.path.rpartition("/")[2] for asked in server.asked)
        assert asked == ["0", "1", "list?n=1000"]

    def test_it_signs_in_as_docker_login_has(
        self, check: Check, compose_file: ComposeFile, tmp_path: Path, token_registry: TokenRegistry
    ) -> None:
        address = token_registry.server.address
        file = compose_file(api=f"{address}/acme/api:1@{token_registry.digest}")
        assert "private, or it does not exist" in check(file).out
        login = {"auths": {address: {"username": "ada", "password": "lovelace"}}}
        (tmp_path / "config.json").write_text(json.dumps(login))
        ended = check(file, DOCKREV_DOCKER_CONFIG=str(tmp_path))
        assert ended.code == 0
        assert "lovelace" not in ended.out + ended.err

    def test_it_trusts_the_ca_that_docker_trusts(
        self, check: Check, compose_file: ComposeFile, tmp_path: Path
    ) -> None:
        authority, server = Authority(), Server(has_old)
        server.speak_tls(*authority.sign_for("127.0.0.1", tmp_path))
        certs = tmp_path / "certs.d"
        (certs / server.address).mkdir(parents=True)
        (certs / server.address / "ca.crt").write_text(authority.pem)
        file = compose_file(api=f"{server.address}/acme/api:1@{OLD}")
        with server.running():
            assert check(file).code == 2
            assert check(file, DOCKREV_DOCKER_CERTS=str(certs)).code == 0

    def test_it_asks_with_plain_http_only_where_told(
        self, check: Check, compose_file: ComposeFile, serve: Starts
    ) -> None:
        server = serve(has_old)
        # Any other name of this machine: a loopback one is asked with plain http anyway.
        host = f"ip6-localhost.example:{server.port}"
        file = compose_file(api=f"{host}/acme/api:1@{OLD}")
        proxy = {"http_proxy": f"http://{server.address}", "https_proxy": "http://127.0.0.1:1"}
        assert check(file, **proxy).code == 2
        assert check(file, "--insecure-registry", host, **proxy).code == 0
        assert check(file, DOCKREV_INSECURE_REGISTRIES=f"x,{host}", **proxy).code == 0

    def test_it_needs_no_data_directory(self, check: Check, compose_file: ComposeFile) -> None:
        ended = check(compose_file(api={"build": "."}), DOCKREV_DATA_DIR="/proc/nowhere")
        assert ended.code == 0


class TestTheTable:
    @pytest.fixture
    def images(self, serve: Starts) -> dict[str, str]:
        address = serve(has_nines).address
        return {
            "current": f"{address}/acme/api:1@sha256:" + "9" * 64,
            "floating": f"{address}/acme/a-rather-long-name-of-a-repository/with-parts:2.10-alpine",
            "down": f"127.0.0.1:{free_port()}/acme/api:1",
            "a-service-with-a-name-that-is-longer-than-most": f"{address}/acme/web:1",
        }

    def test_it_fits_a_terminal_of_80_columns(
        self, compose_file: ComposeFile, images: dict[str, str]
    ) -> None:
        shown = on_a_terminal(DOCKREV, "check", str(compose_file(**images)))
        assert max(map(len, shown.splitlines())) <= 80
        for word in ("shop/current", "up to date", "…", "2.10-alpine", "refused the connection"):
            assert word in shown

    def test_it_shortens_nothing_in_a_pipe(
        self, check: Check, compose_file: ComposeFile, images: dict[str, str]
    ) -> None:
        shown = check(compose_file(**images)).out
        assert all(image in shown for image in images.values())
        assert shown.rstrip().endswith("4 services, 0 updates, 1 not checked")

    def test_it_does_not_let_a_file_steer_the_terminal(
        self, check: Check, compose_file: ComposeFile
    ) -> None:
        ended = check(compose_file(api="acme/\u001b[31mred", **{"\u001b[2Jx": {"build": "."}}))
        assert "\u001b" not in ended.out + ended.err

    def test_it_bears_a_terminal_without_unicode(
        self, check: Check, compose_file: ComposeFile
    ) -> None:
        ended = check(compose_file(api="größe"), LC_ALL="C", PYTHONIOENCODING="ascii")
        assert "gr??e" in ended.out


def test_it_says_in_one_line_what_it_cannot_read(check: Check, compose_file: ComposeFile) -> None:
    """Not with 1, which says that there are updates."""
    ended = check(compose_file(api="a"), DOCKREV_DOCKER_CONFIG_FILE="/nowhere")
    assert (ended.code, ended.out) == (2, "")
    assert "DOCKREV_DOCKER_CONFIG_FILE" in ended.err


def test_it_is_a_management_command_too(compose_file: ComposeFile, tmp_path: Path) -> None:
    manage = Path(__file__).parents[2] / "manage.py"
    ended = subprocess.run(
        [sys.executable, manage, "check_compose", compose_file(api={"build": "."}), "--json"],
        env={**PASSED_ON, "DOCKREV_DATA_DIR": str(tmp_path / "data")},
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert (ended.returncode, json.loads(ended.stdout)["summary"]["services"]) == (0, 1)


def on_a_terminal(*command: str | Path) -> str:
    """Run a command in a terminal of 80 columns and return what it printed."""
    parent, child = pty.openpty()
    environment = {**PASSED_ON, "COLUMNS": "80", "HOME": "/nonexistent"}
    process = subprocess.Popen(command, stdout=child, stderr=child, env=environment)
    os.close(child)
    shown = bytearray()
    while part := _read(parent):
        shown += part
    os.close(parent)
    process.wait(PATIENCE)
    return shown.decode().replace("\r\n", "\n")


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 65_536)
    except OSError:  # what Linux says when the other end has closed
        return b""
