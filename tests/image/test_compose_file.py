"""compose.yaml: what it grants is what Dockrev uses."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.image.allow_list import AllowList
from tests.image.conftest import CHECKOUT
from tests.image.container import Runner
from tests.real.compose import Compose
from tests.real.engine import Engine
from tests.real.images import ImageMaker

COMPOSE_FILE = CHECKOUT / "compose.yaml"


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/v1.41/containers/create"),
        ("POST", "/v1.41/containers/abc/exec"),
        ("POST", "/containers/abc/start"),
        ("DELETE", "/v1.41/containers/abc"),
        ("GET", "/v1.41/containers/abc/archive?path=/etc"),
        ("GET", "/v1.41/containers/abc/export"),
        ("GET", "/v1.41/containers/abc/logs?stdout=1"),
        ("GET", "/v1.41/images/abc/get"),
        ("GET", "/v1.41/secrets"),
        ("GET", "/v1.41/containers/abc/../../secrets/json"),
        ("GET", "/version/../containers/abc/logs"),
    ],
)
def test_it_grants_no_more_than_reading(method: str, path: str) -> None:
    assert not AllowList.of_compose_file(COMPOSE_FILE).lets_through(method, path)


@pytest.mark.engine
def test_it_grants_what_discovery_uses(
    run: Runner, docker_engine: Engine, make_image: ImageMaker, compose_2: Compose, tmp_path: Path
) -> None:
    make_image("acme/listed:1", "listed")
    image = f"{make_image.registry.address}/acme/listed:1"
    tmp_path.joinpath("compose.yaml").write_text(f'services:\n  a: {{image: "{image}"}}\n')
    rules = AllowList.of_compose_file(COMPOSE_FILE)
    socket = docker_engine.host.removeprefix("unix://")
    with rules.before(socket, address=run.gateway()) as docker_host:
        dockrev_ = run("server", DOCKREV_DOCKER_HOST=docker_host)
        dockrev_.wait_until_it_answers("/api/health")
        compose_2("-p", "listed", "up", "-d", folder=tmp_path)
        try:
            _code, found = dockrev_.execute("dockrev", "discover")
            health = dockrev_.get("/api/health").json()
        finally:
            compose_2("-p", "listed", "down", folder=tmp_path)
    assert "listed" in found
    assert image in found
    assert health["checks"]["engine"] == "ok"
    # Whether anything may be changed is asked by what could change nothing.
    assert [each for each in rules.refused if not each.endswith("/rename")] == []
