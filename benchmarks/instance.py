"""A Dockrev of its own for a benchmark: started as a user starts it, on an empty data directory."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
START_SECONDS = 60


@dataclass(frozen=True)
class Instance:
    """A running Dockrev. `environment` is what a command on its data needs."""

    url: str
    pid: int
    environment: dict[str, str]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def running(*arguments: str, prepare: str = "", **environment: str) -> Iterator[Instance]:
    """Run `dockrev run ARGUMENTS`; `prepare` is a file of Python run on its database before."""
    port = free_port()
    with data_directory(prepare, **environment) as env:
        env["DOCKREV_HTTP_ADDR"] = f"127.0.0.1:{port}"
        process = subprocess.Popen(
            [sys.executable, "manage.py", "run", *arguments],
            cwd=ROOT, env=env, stdout=subprocess.DEVNULL,
        )  # fmt: skip
        try:
            instance = Instance(f"http://127.0.0.1:{port}", process.pid, env)
            _await(instance.url)
            yield instance
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(30)


@contextmanager
def data_directory(prepare: str = "", **environment: str) -> Iterator[dict[str, str]]:
    """Make an empty one, and `prepare` it; yields what a command on it needs."""
    with tempfile.TemporaryDirectory(prefix="dockrev-bench-") as directory:
        quiet = {"DOCKREV_DATA_DIR": directory, "DOCKREV_LOG_LEVEL": "WARNING"}
        env = {**os.environ, **quiet, **environment}
        if prepare:
            manage(env, "migrate", "--verbosity", "0")
            python(env, prepare)
        yield env


def manage(env: dict[str, str], *arguments: str) -> str:
    command = [sys.executable, "manage.py", *arguments]
    return subprocess.run(
        command, cwd=ROOT, env=env, check=True, stdout=subprocess.PIPE, text=True
    ).stdout


def python(env: dict[str, str], code: str) -> str:
    """Run Python inside the instance's Django, and return what it printed."""
    return manage(env, "shell", "--no-imports", "--command", code)


def _await(url: str) -> None:
    deadline = time.monotonic() + START_SECONDS
    while True:
        try:
            with urllib.request.urlopen(f"{url}/api/version", timeout=1):  # noqa: S310 - loopback
                return
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)
