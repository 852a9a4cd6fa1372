from __future__ import annotations

import json
from pathlib import Path

import pytest
from pytest_django import Settings

from checks.models import Registry
from checks.registry.reference import parse
from checks.remotes import remotes
from tests.servers import Reply, Starts, TokenRegistry

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def docker_config(tmp_path: Path, settings: Settings) -> Path:
    settings.DOCKER_CONFIG = str(tmp_path)
    return tmp_path / "config.json"


def logged_in(file: Path, registry: TokenRegistry, password: str) -> None:
    login = {registry.server.address: {"username": "ada", "password": password}}
    file.write_text(json.dumps({"auths": login}))


def head(address: str) -> str:
    return remotes([address])[address].head(parse(f"{address}/acme/api:1"))


def test_it_signs_in_as_the_row_says(docker_config: Path, token_registry: TokenRegistry) -> None:
    logged_in(docker_config, token_registry, "an old password")
    address = token_registry.server.address
    Registry.objects.create(host=address, username="ada", password="lovelace")
    assert head(address) == token_registry.digest


def test_it_signs_in_as_docker_login_has(
    docker_config: Path, token_registry: TokenRegistry
) -> None:
    logged_in(docker_config, token_registry, "lovelace")
    address = token_registry.server.address
    Registry.objects.create(host=address)
    assert head(address) == token_registry.digest


@pytest.mark.parametrize("by", ["row", "settings"])
def test_it_asks_with_plain_http_where_told(
    by: str, serve: Starts, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    digest = "sha256:" + "a" * 64
    server = serve(lambda asked: Reply(200, headers={"Docker-Content-Digest": digest}))
    monkeypatch.setenv("http_proxy", f"http://{server.address}")
    Registry.objects.create(host="registry.example:5000", insecure=by == "row")
    settings.INSECURE_REGISTRIES = ["Registry.example:5000"] if by == "settings" else []
    assert head("registry.example:5000") == digest


def test_it_asks_each_question_once(serve: Starts) -> None:
    server = serve(lambda asked: Reply(503))
    remote = remotes([server.address])[server.address]
    for _again in range(2):
        with pytest.raises(Exception, match="503"):
            remote.head(parse(f"{server.address}/acme/api:1"))
    assert len(server.asked) == 1
