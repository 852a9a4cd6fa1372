"""What runs on the suite's own engine, and how Dockrev looks at it and changes it."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from pytest_django import Settings

from checks.discovery.engine import look_at_engine
from checks.discovery.places import Place
from checks.discovery.projects import FoundProject
from checks.models import Host
from checks.updating import compose_cli, health
from checks.updating.compose_cli import Program
from tests.engine.updating import Shop
from tests.real.compose import Compose
from tests.real.engine import Engine
from tests.real.images import ImageMaker

Look = Callable[[], dict[str, FoundProject]]


@pytest.fixture
def engine(docker_engine: Engine, settings: Settings) -> Iterator[Engine]:
    """The engine, as Dockrev is told of it, with nothing on it before and after."""
    settings.DOCKER_HOST = docker_engine.host
    docker_engine.clear()
    yield docker_engine
    if not docker_engine.is_up():
        docker_engine.start()
    docker_engine.clear()


@pytest.fixture
def look(engine: Engine) -> Look:
    return lambda: {
        project.name: project for project in look_at_engine(Place(engine.host)).projects
    }


class Project:
    """A folder with a compose file, and Compose at hand there."""

    def __init__(self, folder: Path, compose: Compose) -> None:
        self.folder = folder
        self.compose = compose

    def write(self, *services: str, file: str = "docker-compose.yml") -> None:
        path = self.folder / file
        path.parent.mkdir(parents=True, exist_ok=True)
        lines = "\n".join(f"  {service}" for service in services)
        path.write_text(f'version: "3"\nservices:\n{lines}\n')

    def __call__(self, *arguments: str, **environment: str) -> str:
        return self.compose(*arguments, folder=self.folder, **environment)


@pytest.fixture
def project(engine: Engine, compose: Compose, tmp_path: Path) -> Project:
    folder = tmp_path / "shop"
    folder.mkdir()
    return Project(folder, compose)


@pytest.fixture
def project_2(engine: Engine, compose_2: Compose, tmp_path: Path) -> Project:
    """Where the version of Compose is not the subject."""
    folder = tmp_path / "shop"
    folder.mkdir()
    return Project(folder, compose_2)


@pytest.fixture
def local_host() -> Host:
    """A flushed database has no rows of migrations."""
    return Host.objects.get_or_create(name="local")[0]


@pytest.fixture
def short_times(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "SETTLE", 0.7)
    monkeypatch.setattr(health, "POLL", 0.1)


def _shop(
    folder: Path,
    compose: Compose,
    engine: Engine,
    make_image: ImageMaker,
    monkeypatch: pytest.MonkeyPatch,
) -> Shop:
    folder.mkdir()
    program = Program((str(compose.program),), compose.major)
    monkeypatch.setattr(compose_cli, "find", lambda: program)
    return Shop(folder, compose, engine, make_image.registry, make_image)


@pytest.fixture
def shop(
    engine: Engine,
    compose: Compose,
    make_image: ImageMaker,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    local_host: Host,
    short_times: None,
) -> Shop:
    """With each version of Compose."""
    return _shop(tmp_path / "shop", compose, engine, make_image, monkeypatch)


@pytest.fixture
def shop_2(
    engine: Engine,
    compose_2: Compose,
    make_image: ImageMaker,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    local_host: Host,
    short_times: None,
) -> Shop:
    """Where the version of Compose is not the subject."""
    return _shop(tmp_path / "shop", compose_2, engine, make_image, monkeypatch)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of one megabyte."""
    place = tmp_path / "small"
    place.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", place], check=True)
    yield place
    subprocess.run(["umount", place], check=True)
