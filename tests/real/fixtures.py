"""Fixtures of real components. Each is started once, when a test first asks for it."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.real.compose import Compose
from tests.real.engine import Engine
from tests.real.images import ImageMaker
from tests.real.processes import free_port
from tests.real.registry import Registry
from tests.real.requirements import compose_v2, require


def short_directory() -> Path:
    """A Unix socket's path has room for about a hundred characters: pytest's own are longer."""
    return Path(tempfile.mkdtemp(prefix="dockrev-real-"))


@pytest.fixture(scope="session")
def registry() -> Iterator[Registry]:
    require("engine")
    directory = short_directory()
    real = Registry(directory, free_port())
    try:
        real.start()
        yield real
    finally:
        real.stop()
        shutil.rmtree(directory, ignore_errors=True)


@pytest.fixture(scope="session")
def docker_engine(registry: Registry) -> Iterator[Engine]:
    require("engine")
    real = Engine(short_directory(), registry.address)
    try:
        real.start()
        yield real
    finally:
        real.remove()


@pytest.fixture(scope="session")
def make_image(docker_engine: Engine, registry: Registry) -> ImageMaker:
    return ImageMaker(docker_engine, registry)


@pytest.fixture(scope="session", params=[1, 2], ids=["compose-v1", "compose-v2"])
def compose(request: pytest.FixtureRequest, docker_engine: Engine) -> Compose:
    """Both Compose versions, one after the other."""
    if request.param == 2:
        return Compose(compose_v2(), 2, docker_engine)
    return Compose(require("engine")["docker-compose"], 1, docker_engine)


@pytest.fixture(scope="session")
def compose_2(docker_engine: Engine) -> Compose:
    """Compose v2 alone, where the version is not the subject."""
    return Compose(compose_v2(), 2, docker_engine)
