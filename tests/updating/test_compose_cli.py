"""How Compose is called: what reaches it, what of its words is kept, and when it is stopped."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from checks.run import Cancelled
from checks.updating import compose_cli
from checks.updating.compose_cli import Compose, Program
from checks.updating.docker_login import PrivateConfig
from checks.updating.failing import UpdateFailed
from checks.updating.plan import Change, Plan, Project
from tests.waiting import until

SECRET = "hunter two"

# Stands in for Compose: writes down how it was called, then does what the test wants.
PROGRAM = """
import json, os, pathlib, subprocess, sys, time
folder = pathlib.Path({folder!r})
folder.joinpath("called").write_text(json.dumps([sys.argv[1:], dict(os.environ), os.getcwd()]))
{body}
"""


class Stand:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.lines: list[str] = []

    def compose(self, body: str = "", *, major: int = 2, project: Project | None = None) -> Compose:
        program = self.folder / "compose.py"
        program.write_text(PROGRAM.format(folder=str(self.folder), body=body))
        return Compose(
            Program((sys.executable, str(program)), major),
            project or Project("shop", str(self.folder), (str(self.folder / "compose.yaml"),)),
            "unix:///somewhere.sock",
            PrivateConfig(self.folder / "config", frozenset({SECRET})),
            self.lines.extend,
        )

    @property
    def called(self) -> tuple[list[str], dict[str, str], str]:
        arguments, environment, folder = json.loads((self.folder / "called").read_text())
        return arguments, environment, folder


@pytest.fixture
def stand(tmp_path: Path) -> Stand:
    return Stand(tmp_path)


def nothing() -> None:
    """Nobody wants it to stop."""


def test_names_reach_it_as_they_are(stand: Stand) -> None:
    odd = stand.folder / "a $HOME `id` ünïcode\n; rm -rf"
    odd.mkdir()
    project = Project(
        "--help",
        str(odd),
        (str(odd / "-f"), str(odd / "two words.yaml")),
        (str(odd / ".env file"),),
        ("--profile", "$(x)"),
    )
    stand.compose(project=project).pull(["-q", "api"], nothing)
    arguments, _environment, folder = stand.called
    assert arguments == [
        "--project-name=--help",
        f"--project-directory={odd}",
        f"--file={odd / '-f'}",
        f"--file={odd / 'two words.yaml'}",
        f"--env-file={odd / '.env file'}",
        "--profile=--profile",
        "--profile=$(x)",
        "--ansi=never",
        "pull",
        "--",
        "-q",
        "api",
    ]
    assert folder == str(odd)


def change(*with_it: str) -> Change:
    given = ("svc_1", "api", "minor", "acme/api:1", "", "sha256:a", "acme/api:2", "sha256:b")
    return Change(*given, with_it=with_it, replicas=(3, 1))


def test_it_starts_only_what_it_is_told_to(stand: Stand) -> None:
    compose = stand.compose()
    compose.up(["api"], nothing, scale={"api": 3})
    assert stand.called[0][3:] == [
        *("--ansi=never", "up", "--detach", "--no-deps", "--no-build", "--pull=never"),
        *("--scale=api=3", "--", "api"),
    ]
    replace(compose, program=replace(compose.program, major=1)).up(
        ["side"], nothing, scale={"side": 1}, anew=True
    )
    assert stand.called[0][3:] == [
        *("--ansi=never", "up", "--detach", "--no-deps", "--no-build", "--force-recreate"),
        *("--scale=side=1", "--", "side"),
    ]


def test_a_plan_without_compose_at_hand_names_it_as_people_do(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def absent() -> Program:
        raise compose_cli.ComposeAbsent

    monkeypatch.setattr(compose_cli, "find", absent)
    plan = Plan("stk_1", "hst_1", Project("shop", "/a b", ("/a b/c.yaml",)), (change("side"),))
    named = "docker compose --project-name=shop '--project-directory=/a b' '--file=/a b/c.yaml'"
    up = "up --detach --no-deps --no-build --pull=never"
    assert compose_cli.shown(plan) == [
        f"{named} --ansi=never pull -- api",
        f"{named} --ansi=never {up} --scale=api=3 -- api",
        f"{named} --ansi=never {up} --force-recreate --scale=side=1 -- side",
    ]


def test_it_knows_the_engine_and_none_of_our_secrets(
    stand: Stand, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {
        "DOCKREV_SECRET_KEY": "ours",
        "DATABASE_URL": "postgres://ours",
        "COMPOSE_FILE": "another.yaml",
        "DOCKER_CONTEXT": "another",
        "DOCKER_CERT_PATH": "/certs",
        "TAG": "1.2",
    }.items():
        monkeypatch.setenv(name, value)
    stand.compose().pull(["api"], nothing)
    environment = stand.called[1]
    assert environment["DOCKER_HOST"] == "unix:///somewhere.sock"
    assert environment["DOCKER_CONFIG"] == str(stand.folder / "config")
    assert (environment["DOCKER_CERT_PATH"], environment["TAG"]) == ("/certs", "1.2")
    assert not environment.keys() & {"DOCKREV_SECRET_KEY", "DATABASE_URL", "COMPOSE_FILE"}
    assert "DOCKER_CONTEXT" not in environment


def test_its_words_are_kept_without_noise_and_secrets(stand: Stand) -> None:
    said = [
        "\033[1mapi\033[0m Pulling",
        "4f4fb700ef54 Downloading [==>   ] 1MB/9MB",
        f"login as {SECRET} refused",
        "api Pulling",
    ]
    stand.compose(f"print({chr(10).join(said)!r})").pull(["api"], nothing)
    assert stand.lines == ["api Pulling", "login as •••• refused"]


def test_why_it_failed_is_told(stand: Stand) -> None:
    with pytest.raises(UpdateFailed, match=r"pull failed \(7\): no such host"):
        stand.compose("print('no such host'); sys.exit(7)").pull(["api"], nothing)


def test_it_prints_no_end_of_lines(stand: Stand, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compose_cli, "MOST_LINES", 10)
    stand.compose("for n in range(1000): print(n, 'x' * 5000)").pull(["api"], nothing)
    assert len(stand.lines) == 10
    assert max(map(len, stand.lines)) <= compose_cli.LONGEST_LINE


WAITS = """
child = subprocess.Popen(["sleep", "60"])
folder.joinpath("pids").write_text(f"{os.getpid()} {child.pid}")
child.wait()
"""


def ended(stand: Stand) -> bool:
    """Whether it and what it started are gone, or gone but for their parent's look."""

    def is_gone(pid: str) -> bool:
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except OSError:
            return True
        return state == "Z"

    return all(map(is_gone, (stand.folder / "pids").read_text().split()))


def test_it_ends_with_what_it_started_when_somebody_cancels(stand: Stand) -> None:
    def stop_once_it_runs() -> None:
        if (stand.folder / "pids").exists():
            raise Cancelled

    with pytest.raises(Cancelled):
        stand.compose(WAITS).pull(["api"], stop_once_it_runs)
    until(lambda: ended(stand), what="all of it is gone")


def test_it_ends_when_its_time_is_over(stand: Stand, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compose_cli, "PULL_LIMIT", 1.0)
    with pytest.raises(UpdateFailed, match="took longer"):
        stand.compose(WAITS).pull(["api"], nothing)
    until(lambda: ended(stand), what="all of it is gone")


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str, str], Path]:
    """Put a program that says its version somewhere, and let nothing else be found."""
    monkeypatch.setattr(compose_cli, "PLUGIN_FOLDERS", (str(tmp_path / "plugins"),))
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path / "none"))
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    compose_cli.find.cache_clear()

    def install(place: str, says: str) -> Path:
        path = tmp_path / place
        path.parent.mkdir(exist_ok=True)
        path.write_text(f"#!/bin/sh\n{says}\n")
        path.chmod(0o755)
        return path

    return install


def test_the_plugin_goes_before_the_old_program(
    installed: Callable[[str, str], Path],
) -> None:
    old = installed("bin/docker-compose", "echo 1.29.2")
    assert compose_cli.find() == Program((str(old),), 1)
    new = installed("plugins/docker-compose", "echo v2.26.1")
    compose_cli.find.cache_clear()
    assert compose_cli.find() == Program((str(new),), 2)
    compose_cli.find.cache_clear()


def test_it_says_when_there_is_none(installed: Callable[[str, str], Path]) -> None:
    installed("bin/docker", "exit 1")
    with pytest.raises(compose_cli.ComposeAbsent, match="Install it"):
        compose_cli.find()
