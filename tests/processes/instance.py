"""A Dockrev of real processes, in a data directory of its own."""

from __future__ import annotations

import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import closing, suppress
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from tests.real.processes import free_port
from tests.waiting import PATIENCE, until

WHOLE = 2  # workers of `quick`
ROOT = Path(__file__).resolve().parents[2]


@cache
def _shared() -> TemporaryDirectory[str]:
    """What all instances have in common, made by the first: the pages' files, a new database."""
    return TemporaryDirectory(prefix="dockrev-instances-")


class Instance:
    def __init__(self, directory: Path) -> None:
        self.data = directory / "data"
        self.output, self.errors = directory / "output", directory / "errors"
        self.gate = directory / "gate"
        self.port = free_port()
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("DOCKREV_", "DATABASE_"))}
        self.environment = kept | {
            "DJANGO_SETTINGS_MODULE": "tests.processes.settings",
            "DOCKREV_DATA_DIR": str(self.data),
            "DOCKREV_STATIC_ROOT": f"{_shared().name}/static",
            "DOCKREV_HTTP_ADDR": f"127.0.0.1:{self.port}",
            "DOCKREV_DOCKER_HOST": f"unix://{directory}/no-engine.sock",
        }

    # --- commands ---------------------------------------------------------------------------

    def migrate(self) -> None:
        """Have what `migrate` makes, for the first one makes it and the others have a copy."""
        made = Path(_shared().name) / "data"
        if not made.exists():
            migrated = self.command("migrate", DOCKREV_DATA_DIR=str(made))
            assert migrated.returncode == 0, migrated.stderr
        shutil.copytree(made, self.data)

    def start(self, *arguments: str, **environment: str) -> subprocess.Popen[bytes]:
        """Start a command in a process group of its own."""
        command = [sys.executable, "manage.py", *arguments]
        with self.output.open("ab") as output, self.errors.open("ab") as errors:
            return subprocess.Popen(
                command,
                cwd=ROOT,
                env=self.environment | environment,
                stdout=output,
                stderr=errors,
                start_new_session=True,
            )

    def run(self, *arguments: str, **environment: str) -> subprocess.Popen[bytes]:
        """Start everything, and wait until it serves and works."""
        process = self.start("run", *arguments, **environment)
        until(lambda: self.serves() or process.poll() is not None, what="it serves")
        assert process.poll() is None, self.complained()
        until(lambda: len(self.workers()) == WHOLE, what="it has workers")
        return process

    def serve(self) -> subprocess.Popen[bytes]:
        """Start the server alone, and wait until it serves."""
        process = self.start("run", "--only", "server")
        until(lambda: self.serves() or process.poll() is not None, what="it serves")
        assert process.poll() is None, self.complained()
        return process

    def work(self) -> subprocess.Popen[bytes]:
        before = len(self.workers())
        process = self.start("work")
        until(lambda: len(self.workers()) == before + WHOLE, what="it has workers")
        return process

    def command(self, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "manage.py", *arguments],
            cwd=ROOT,
            env=self.environment | environment,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )

    def ask(self, count: int, **options: str) -> list[str]:
        given = [f"--{name}={value}" for name, value in options.items()]
        asked = self.command("ask", str(count), *given)
        assert asked.returncode == 0, asked.stderr
        return asked.stdout.split()

    def ask_held(self, count: int, **options: str) -> list[str]:
        """Queue jobs that run until the gate is made, however long it takes to look at them."""
        return self.ask(count, gate=str(self.gate), **options)

    # --- what can be seen from outside -------------------------------------------------------

    def serves(self, path: str = "/api/health") -> bool:
        with suppress(OSError), urllib.request.urlopen(self.url(path), timeout=5) as answer:  # noqa: S310 - our own server
            return bool(answer.status == 200)
        return False

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self.port}{path}"

    def said(self) -> str:
        return self.output.read_text() if self.output.exists() else ""

    def complained(self) -> str:
        return self.errors.read_text() if self.errors.exists() else ""

    def processes(self) -> dict[int, str]:
        """All that runs on this data directory, by id, with the names it shows."""
        mark = f"DOCKREV_DATA_DIR={self.data}".encode()
        return {
            pid: name
            for pid, name, environment in _running()
            if mark in environment.split(b"\0") and pid != os.getpid()
        }

    def workers(self, cluster: str = "quick") -> list[int]:
        """The processes of a cluster."""
        shown = f"dockrev {cluster}"
        return sorted(pid for pid, name in self.processes().items() if name == shown)

    def rows(self, query: str, *values: object) -> list[tuple[Any, ...]]:
        path = self.data / "dockrev.sqlite3"
        with closing(sqlite3.connect(path, timeout=20)) as database, database:
            return database.execute(query, values).fetchall()

    def jobs(self, ids: list[str]) -> list[tuple[Any, ...]]:
        """Status of each job and how often it took effect."""
        asked = set(ids)
        found = self.rows(
            "SELECT id, status, (SELECT count(*) FROM checks_joblog"
            " WHERE job_id = checks_job.id AND message = 'effect') FROM checks_job ORDER BY id"
        )
        return [(status, effects) for job, status, effects in found if job in asked]

    def did(self, ids: list[str]) -> bool:
        return self.jobs(ids) == [("success", 1)] * len(ids)

    def end(self) -> None:
        for pid in self.processes():
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


def _running() -> Iterator[tuple[int, str, bytes]]:
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            with suppress(OSError):
                if entry.joinpath("stat").read_text().rpartition(")")[2].split()[0] != "Z":
                    name = entry.joinpath("comm").read_text().strip()
                    yield int(entry.name), name, entry.joinpath("environ").read_bytes()


def parent(pid: int) -> int:
    with suppress(OSError):
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    return 0
