"""The Compose command line, old or new, on the suite's own engine."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from tests.real.engine import Engine
from tests.waiting import PATIENCE


class Compose:
    """`major` is 1 or 2. Call it with arguments, in the folder of the compose file."""

    def __init__(self, program: Path, major: int, engine: Engine) -> None:
        self.program = program
        self.major = major
        self.engine = engine
        self._config = engine.directory / f"cli-{major}"
        self._config.mkdir(exist_ok=True)

    @property
    def separator(self) -> str:
        """What stands between project, service and number in a container's name."""
        return "_" if self.major == 1 else "-"

    def __call__(self, *arguments: str, folder: Path, **environment: str) -> str:
        """Run it; return what it printed. Raises AssertionError with its words where it fails."""
        finished = subprocess.run(
            [self.program, *arguments],
            cwd=folder,
            env=self._environment(environment),
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )
        assert finished.returncode == 0, finished.stdout + finished.stderr
        return finished.stdout

    def _environment(self, more: dict[str, str]) -> dict[str, str]:
        kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
        return {
            **kept,
            "DOCKER_HOST": self.engine.host,
            "DOCKER_CONFIG": str(self._config),
            "DOCKER_BUILDKIT": "0",
            "COMPOSE_DOCKER_CLI_BUILD": "0",
            **more,
        }
