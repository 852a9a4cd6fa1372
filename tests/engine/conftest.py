"""Discovery against the suite's own engine."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from pytest_django import Settings

from checks.discovery.engine import look_at_engine
from checks.discovery.projects import FoundProject
from tests.real.compose import Compose
from tests.real.engine import Engine

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
    return lambda: {project.name: project for project in look_at_engine(engine.host).projects}


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
