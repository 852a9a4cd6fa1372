"""The suite's own real components: they are what the other tests stand on."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.real.compose import Compose
from tests.real.engine import Engine
from tests.real.images import ImageMaker
from tests.real.registry import DOCKER_LIST, OCI_INDEX, Registry

pytestmark = pytest.mark.engine


def test_it_runs_a_project(
    docker_engine: Engine,
    registry: Registry,
    make_image: ImageMaker,
    compose: Compose,
    tmp_path: Path,
) -> None:
    digest = make_image("acme/base:1", "one")
    image = f"{registry.address}/acme/base:1"
    tmp_path.joinpath("compose.yaml").write_text(
        f'version: "3"\nservices:\n  a: {{image: "{image}"}}\n'
    )
    compose("-f", "compose.yaml", "-p", "base", "up", "-d", folder=tmp_path)
    [container] = docker_engine.client.containers.list()
    assert container.name == f"base{compose.separator}a{compose.separator}1"
    assert container.image is not None
    assert container.image.attrs["RepoDigests"] == [f"{registry.address}/acme/base@{digest}"]
    compose("-f", "compose.yaml", "-p", "base", "down", folder=tmp_path)
    assert docker_engine.client.containers.list(all=True) == []


@pytest.mark.parametrize("media_type", [OCI_INDEX, DOCKER_LIST])
def test_it_stores_an_index(registry: Registry, media_type: str) -> None:
    contents = {"linux/amd64": "a", "linux/arm/v7": "b"}
    digest, children = registry.push_multi("acme/multi", "1", contents, media_type=media_type)
    stored = registry.manifest("acme/multi", "1")
    assert stored.headers["Docker-Content-Digest"] == digest
    assert [each["digest"] for each in stored.json()["manifests"]] == list(children.values())


def test_it_comes_back_after_a_stop(docker_engine: Engine) -> None:
    docker_engine.stop()
    assert not docker_engine.is_up()
    docker_engine.start()
    assert docker_engine.is_up()
