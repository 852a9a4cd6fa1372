"""`dockrev check` in a folder of its own, and compose files for it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.waiting import PATIENCE

DOCKREV = Path(sys.executable).with_name("dockrev")
PASSED_ON = {
    name: value
    for name, value in os.environ.items()
    if name == "PATH" or name.startswith("COVERAGE_")
}


class Ended(NamedTuple):
    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)

    @property
    def services(self) -> dict[str, dict[str, Any]]:
        return {each["service"]: each for each in self.json["services"]}


Check = Callable[..., Ended]
ComposeFile = Callable[..., Path]


@pytest.fixture
def check(tmp_path: Path) -> Check:
    """Run the command in an empty folder, with nothing of this suite's in its environment."""
    folder = tmp_path / "here"
    folder.mkdir()

    def run(*arguments: str | Path, **environment: str) -> Ended:
        ended = subprocess.run(
            [DOCKREV, "check", *arguments],
            cwd=folder,
            env={**PASSED_ON, "HOME": str(tmp_path), **environment},
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )
        assert "Traceback" not in ended.stderr
        assert list(folder.iterdir()) == []
        return Ended(ended.returncode, ended.stdout, ended.stderr)

    return run


@pytest.fixture
def compose_file(tmp_path: Path) -> ComposeFile:
    """Write a project of services by name: an image, or whatever the service should be."""

    def write(folder: str = "shop", **services: object) -> Path:
        file = tmp_path / folder / "compose.yaml"
        file.parent.mkdir(exist_ok=True)
        described = {
            name: {"image": value} if isinstance(value, str) else value
            for name, value in services.items()
        }
        file.write_text(json.dumps({"services": described}))
        return file

    return write
