"""Calls Docker Compose: argument lists, never a shell, and nothing printed that is a secret."""

from __future__ import annotations

import os
import re
import selectors
import shlex
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import IO

from django.utils.translation import gettext as _

from checks.discovery.files import environment_of_projects
from checks.registry.docker_config import config_file
from checks.updating import commands
from checks.updating.containers import plain
from checks.updating.docker_login import PrivateConfig
from checks.updating.failing import UpdateFailed
from checks.updating.plan import Plan, Project
from dockrev.fields import HIDDEN
from dockrev.parenthood import end_with_parent

PULL_LIMIT = 3600.0  # seconds
UP_LIMIT = 600.0
VERSION_LIMIT = 20.0
LOOK_EVERY = 0.5  # seconds between two looks at whether to go on
MOST_LINES = 1000  # of one command
LONGEST_LINE = 1000
LAST_SAID = 5  # lines that say why a command failed

PLUGIN_FOLDERS = (
    "/usr/local/lib/docker/cli-plugins",
    "/usr/local/libexec/docker/cli-plugins",
    "/usr/lib/docker/cli-plugins",
    "/usr/libexec/docker/cli-plugins",
)
# Lines that only say how far a layer is.
_NOISE = re.compile(
    r"\b(?:Downloading|Extracting|Waiting|Verifying Checksum|Pulling fs layer|Download complete|"
    r"Already exists|Pull complete)\b|\[=*>?\s*\]"
)
_VERSION = re.compile(r"(\d+)\.\d+")


@dataclass(frozen=True)
class Program:
    """Docker Compose: how it is called, and which of its two versions it is."""

    command: tuple[str, ...]
    major: int


class ComposeAbsent(UpdateFailed):
    """There is no Compose here."""


@cache
def find() -> Program:
    """The plugin if there is one, else `docker-compose`. Raises ComposeAbsent."""
    for command in _candidates():
        if major := _major(command):
            return Program(command, major)
    raise ComposeAbsent(
        _(
            "Docker Compose is not here. Install it where Dockrev runs: the plugin of the Docker "
            "CLI, or the program docker-compose."
        )
    )


def _candidates() -> Iterator[tuple[str, ...]]:
    """The plugin itself does all that `docker compose` does, and is one process instead of two."""
    own = str(config_file("").parent / "cli-plugins")
    for folder in (own, *PLUGIN_FOLDERS):
        if program := shutil.which("docker-compose", path=folder):
            yield (program,)
    if program := shutil.which("docker"):
        yield (program, "compose")
    if program := shutil.which("docker-compose"):
        yield (program,)


def _major(command: tuple[str, ...]) -> int:
    """0 where it is no Compose."""
    try:
        said = subprocess.run(  # noqa: S603 - no shell; found in PATH or where plugins are
            [*command, "version", "--short"],
            capture_output=True,
            stdin=subprocess.DEVNULL,
            timeout=VERSION_LIMIT,
            check=True,
            text=True,
        ).stdout
    except (OSError, subprocess.SubprocessError):
        return 0
    version = _VERSION.search(said)
    return int(version.group(1)) if version else 0


def shown(plan: Plan) -> list[str]:
    """What a plan will call, as one would type it. Where Compose is not here, by its usual name."""
    try:
        program = find()
    except ComposeAbsent:
        program = Program(("docker", "compose"), 2)
    calls = commands.of_plan(plan, program.major)
    return [shlex.join([*program.command, *each]) for each in calls]


@dataclass(frozen=True)
class Compose:
    """Compose for one project on one engine. `log` takes its lines as they come, `look` raises
    where it is to stop; both are called often. `of_engine` is what stands for all that the
    operator's environment says of how the engine is reached. Raises UpdateFailed."""

    program: Program
    project: Project
    docker_host: str
    config: PrivateConfig
    log: Callable[[list[str]], None]
    of_engine: Mapping[str, str] | None = None

    def pull(self, services: Sequence[str], look: Callable[[], None]) -> None:
        self._run(commands.pull(services), PULL_LIMIT, look)

    def up(
        self,
        services: Sequence[str],
        look: Callable[[], None],
        *,
        scale: Mapping[str, int],
        anew: bool = False,
        starts: bool = True,
    ) -> None:
        """What `commands.up` says."""
        called = commands.up(services, scale, self.program.major, anew=anew, starts=starts)
        self._run(called, UP_LIMIT, look)

    def start(self, service: str, look: Callable[[], None], *, count: int) -> None:
        """Start the containers that a service has, and nothing beside."""
        self._run(commands.start(service, count, self.program.major), UP_LIMIT, look)

    def stop(self, service: str, look: Callable[[], None]) -> None:
        self._run(["stop", "--", service], UP_LIMIT, look)

    def restart(self, service: str, look: Callable[[], None]) -> None:
        """Those that restart with it, by `depends_on`, do so by Compose itself in version 2."""
        self._run(["restart", "--", service], UP_LIMIT, look)

    def environment(self) -> dict[str, str]:
        """What files may name, as discovery reads them, without what would have Compose do
        something else than the labels say."""
        ours = {
            name: value
            for name, value in environment_of_projects().items()
            if not name.startswith(("COMPOSE_", "DOCKER_"))
            or (name in _OF_ENGINE and self.of_engine is None)
        }
        ours |= self.of_engine or {}
        return {**ours, "DOCKER_HOST": self.docker_host, "DOCKER_CONFIG": str(self.config.folder)}

    def _run(self, arguments: list[str], limit: float, look: Callable[[], None]) -> None:
        named = commands.project_named(self.project)
        command = [*self.program.command, *named, *arguments]
        if any("\0" in part for part in command):
            raise UpdateFailed(_("A name of this project holds what no command can carry."))
        said = _Said(self.log, self.config.secrets)
        code = _call(command, self.environment(), self._folder(), limit, look, said)
        said.flush()
        if code is None:
            text = _("docker compose %(what)s took longer than %(minutes)d minutes.")
            raise UpdateFailed(text % {"what": arguments[0], "minutes": limit / 60})
        if code:
            text = _("docker compose %(what)s failed (%(code)d): %(why)s")
            raise UpdateFailed(text % {"what": arguments[0], "code": code, "why": said.why})

    def _folder(self) -> Path:
        folder = Path(self.project.working_dir or "/")
        return folder if folder.is_dir() else Path("/")


# Of the operator's environment, what says how the engine is reached.
_OF_ENGINE = {"DOCKER_TLS_VERIFY", "DOCKER_CERT_PATH", "DOCKER_API_VERSION"}


class _Said:
    """What a program prints: no noise, repetition or secrets, and no more than a log bears."""

    def __init__(self, log: Callable[[list[str]], None], secrets: frozenset[str]) -> None:
        self._log = log
        self._secrets = sorted(filter(None, secrets), key=len, reverse=True)
        self._seen: set[str] = set()
        self._waiting: list[str] = []
        self._last: list[str] = []
        self._rest = b""

    @property
    def why(self) -> str:
        """The last lines that it said, in one."""
        return " ".join(self._last)[:LONGEST_LINE] or _("it said nothing")

    def add(self, data: bytes) -> None:
        *lines, self._rest = re.split(rb"[\r\n]", self._rest + data)
        self._rest = self._rest[-LONGEST_LINE * 4 :]
        for line in lines:
            self._take(line.decode(errors="replace"))

    def tell(self) -> None:
        if self._waiting:
            self._log(self._waiting)
            self._waiting = []

    def flush(self) -> None:
        self.add(b"\n")
        self.tell()

    def _take(self, line: str) -> None:
        text = plain(line)
        for secret in self._secrets:
            text = text.replace(secret, HIDDEN)
        text = text.strip()[:LONGEST_LINE]
        if not text or _NOISE.search(text) or text in self._seen:
            return
        self._last = [*self._last, text][-LAST_SAID:]
        if len(self._seen) < MOST_LINES:
            self._seen.add(text)
            self._waiting.append(text)


def _call(
    command: list[str],
    environment: dict[str, str],
    folder: Path,
    limit: float,
    look: Callable[[], None],
    said: _Said,
) -> int | None:
    """Run a program to its end and return its exit code; None where that took too long.

    What it started ends with it: it has a process group of its own, and dies with this process.
    """
    with _start(command, environment, folder) as process:
        try:
            assert process.stdout  # noqa: S101 - it is a pipe
            ends = time.monotonic() + limit
            _follow(process.stdout, ends, look, said)
            return process.wait(max(1.0, ends - time.monotonic()))
        except BaseException as error:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            if isinstance(error, TimeoutError | subprocess.TimeoutExpired):
                return None
            raise


def _start(
    command: list[str], environment: dict[str, str], folder: Path
) -> subprocess.Popen[bytes]:
    return subprocess.Popen(  # noqa: S603 - no shell
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        cwd=folder,
        env=environment,
        start_new_session=True,
        preexec_fn=partial(end_with_parent, os.getpid()),
    )


def _follow(output: IO[bytes], ends: float, look: Callable[[], None], said: _Said) -> None:
    """Take what is printed until it is over. Raises TimeoutError where that takes too long."""
    with selectors.DefaultSelector() as selector:
        selector.register(output, selectors.EVENT_READ)
        looked = 0.0
        while (now := time.monotonic()) < ends:
            if now - looked >= LOOK_EVERY:
                said.tell()
                look()
                looked = now
            if not selector.select(min(LOOK_EVERY, ends - now)):
                continue
            data = os.read(output.fileno(), 64 * 1024)
            if not data:
                return
            said.add(data)
    raise TimeoutError
