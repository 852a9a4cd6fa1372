"""What parts of the suite need beyond Python, and what happens where it is not there."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import NoReturn

import pytest

SSH_SERVER = "/usr/sbin/sshd"  # takes no other name than its whole path

PROGRAMS = {
    "engine": ("dockerd", "docker-registry", "docker-compose", "unshare", "setpriv"),
    "registry": ("docker-registry", "setpriv"),
    "browser": ("chromium",),
    "ssh": ("ssh", SSH_SERVER),
    "root": (),
    "node": ("node", "npm", "setpriv"),
    "shell": ("bash", "curl", "openssl"),
    "gettext": ("xgettext", "msgmerge", "msguniq", "msgattrib"),
}
STATIC_BUSYBOX = Path("/bin/busybox")
PLUGIN_DIRECTORIES = (
    Path.home() / ".docker/cli-plugins",
    Path("/usr/local/lib/docker/cli-plugins"),
    Path("/usr/local/libexec/docker/cli-plugins"),
    Path("/usr/lib/docker/cli-plugins"),
    Path("/usr/libexec/docker/cli-plugins"),
)


def require(name: str) -> dict[str, Path]:
    """Return the programs of a component by name, or skip the test that asks.

    Where DOCKREV_TEST_REQUIRE (a list with commas) names the component, the test fails instead.
    """
    programs = {program: _find(program) for program in PROGRAMS[name]}
    absent = [program for program, path in programs.items() if path is None]
    if absent:
        unavailable(name, f"not installed: {', '.join(absent)}")
    if name in ("engine", "root") and os.geteuid() != 0:
        unavailable(name, "only root may do that")
    if name == "engine" and not STATIC_BUSYBOX.is_file():
        unavailable(name, f"not installed: busybox-static ({STATIC_BUSYBOX})")
    return {program: path for program, path in programs.items() if path is not None}


def compose_v2() -> Path:
    """Return the plugin's path, from DOCKREV_TEST_COMPOSE_V2 or where the Docker CLI looks."""
    given = os.environ.get("DOCKREV_TEST_COMPOSE_V2", "")
    places = [Path(given)] if given else [place / "docker-compose" for place in PLUGIN_DIRECTORIES]
    found = [place for place in places if os.access(place, os.X_OK)]
    if not found:
        unavailable("engine", "Compose v2 is not installed: .ci/install-compose-v2 does it")
    return found[0]


def unavailable(name: str, reason: str) -> NoReturn:
    required = os.environ.get("DOCKREV_TEST_REQUIRE", "").split(",")
    if name in {each.strip() for each in required}:
        pytest.fail(f"{name} is required: {reason}", pytrace=False)
    pytest.skip(f"needs {name}: {reason}")


def _find(program: str) -> Path | None:
    found = shutil.which(program)
    return Path(found) if found else None
