"""The image under test, built once."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.image.base import base_tarball
from tests.image.container import Runner
from tests.real.engine import Engine
from tests.real.requirements import unavailable

CHECKOUT = Path(__file__).resolve().parent.parent.parent
BASE = "python:3.13-slim-trixie"
IMAGE = "dockrev:under-test"
COMMIT = "0123456789abcdef0123456789abcdef01234567"


@pytest.fixture(scope="session")
def image(docker_engine: Engine) -> Iterator[str]:
    for program in ("docker", "debootstrap"):
        if shutil.which(program) is None:
            unavailable("engine", f"not installed: {program}")
    _docker(docker_engine, "import", base_tarball(), BASE)
    build = ("build", "--network", "host", "--build-arg", f"DOCKREV_COMMIT={COMMIT}")
    proxies = [name for name in os.environ if name.lower() in {"http_proxy", "https_proxy"}]
    passed = [word for name in proxies for word in ("--build-arg", name)]
    _docker(docker_engine, *build, *passed, "--tag", IMAGE, CHECKOUT)
    yield IMAGE
    docker_engine.client.images.remove(IMAGE)


@pytest.fixture
def run(docker_engine: Engine, image: str) -> Iterator[Runner]:
    runner = Runner(docker_engine.client, image)
    try:
        yield runner
    finally:
        runner.clean()


def _docker(engine: Engine, *arguments: str | Path) -> None:
    # The builder that needs no plugin.
    environment = {**os.environ, "DOCKER_HOST": engine.host, "DOCKER_BUILDKIT": "0"}
    finished = subprocess.run(
        ["docker", *arguments], env=environment, capture_output=True, text=True, check=False
    )
    assert finished.returncode == 0, finished.stdout[-3000:] + finished.stderr[-3000:]
