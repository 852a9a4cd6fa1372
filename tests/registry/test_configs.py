"""What images say of themselves, and what some say to do harm."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.utils import timezone

from checks.registry.auth import Grants
from checks.registry.client import Access, BadAnswer, NotFound, RegistryClient
from checks.registry.configs import About
from tests.real.registry import Registry, digest_of
from tests.servers import Asked, Reply, Server, Starts

LABELS = {
    "org.opencontainers.image.version": "1.27.3",
    "org.opencontainers.image.source": "https://github.com/acme/api",
    "org.opencontainers.image.revision": "4f5e6d7",
}


class Shelf:
    """A registry with one image; its config is whatever the test says."""

    def __init__(self, serve: Starts, config: bytes, *, named: str = "") -> None:
        self.config = config
        digest = named or digest_of(config)
        manifest = {"schemaVersion": 2, "config": {"digest": digest}, "layers": []}
        self.manifest = json.dumps(manifest).encode()
        self.digest = digest_of(self.manifest)
        self.server = serve(self.answer)
        self.client = RegistryClient(Access(self.server.address), Grants())

    def answer(self, asked: Asked) -> Reply:
        if "/manifests/" in asked.path:
            return Reply(200, self.manifest)
        return Reply(200, self.config)

    def about(self) -> About:
        return self.client.about("acme/api", self.digest)


def said(serve: Starts, config: Any) -> About:
    return Shelf(serve, json.dumps(config).encode()).about()


@pytest.mark.engine
def test_it_reads_what_a_real_image_says(registry: Registry) -> None:
    digest = registry.push_image(
        "configs/all", "1", created="2026-01-02T03:04:05.123456789Z", labels=LABELS
    )
    about = RegistryClient(Access(registry.address)).about("configs/all", digest)
    assert about == About(
        built_at=datetime(2026, 1, 2, 3, 4, 5, 123456, tzinfo=UTC),
        version="1.27.3",
        source="https://github.com/acme/api",
        revision="4f5e6d7",
        platform="linux/amd64",
    )


def test_it_counts_one_pull_though_the_manifest_is_wanted_twice(serve: Starts) -> None:
    shelf = Shelf(serve, b"{}")
    shelf.client.manifest("acme/api", shelf.digest)
    shelf.about()
    assert [asked.path.split("/")[-2] for asked in shelf.server.asked] == ["manifests", "blobs"]
    assert shelf.client.access.traffic.pulls == 1


@pytest.mark.parametrize(
    "created",
    [
        "1970-01-01T00:00:00Z",
        "0001-01-01T00:00:00Z",
        "0001-01-01T00:00:00+23:59",
        "9999-12-31T23:59:59-23:59",
        "2026-01-01T00:00:00",
        "yesterday",
        "",
        1700000000,
        None,
        ["2026-01-01T00:00:00Z"],
    ],
)
def test_it_believes_no_time_that_cannot_be_true(serve: Starts, created: Any) -> None:
    assert said(serve, {"created": created}).built_at is None


def test_it_believes_no_time_to_come(serve: Starts) -> None:
    tomorrow, next_week = (timezone.now() + timedelta(days=days) for days in (0.9, 7))
    assert said(serve, {"created": tomorrow.isoformat()}).built_at == tomorrow
    assert said(serve, {"created": next_week.isoformat()}).built_at is None


@pytest.mark.parametrize(
    "value",
    ["v" * 129, "1.0\x00", "1.0\n2.0", "1.0\u202e", 7, ["1.0"], {"a": 1}, None, ""],
    ids=str,
)
def test_it_leaves_out_what_is_no_version(serve: Starts, value: Any) -> None:
    config = {"config": {"Labels": {"org.opencontainers.image.version": value}}}
    assert said(serve, config).version == ""


@pytest.mark.parametrize("config", [{}, {"config": None}, {"config": {"Labels": [1]}}])
def test_it_takes_an_image_that_says_nothing(serve: Starts, config: Any) -> None:
    assert said(serve, config) == About()


@pytest.mark.parametrize(
    "config", [b"", b"[]", b"null", b"{", b"[" * 100_000, b"9" * 5000, b"\xff\xfe"], ids=repr
)
def test_it_refuses_what_is_no_config(serve: Starts, config: bytes) -> None:
    with pytest.raises(BadAnswer, match="config that can be read"):
        Shelf(serve, config).about()


def test_it_refuses_another_config_than_was_named(serve: Starts) -> None:
    with pytest.raises(BadAnswer, match="not the one"):
        Shelf(serve, b"{}", named="sha256:" + "a" * 64).about()


def test_it_reads_no_more_than_a_mebibyte(serve: Starts) -> None:
    with pytest.raises(BadAnswer, match="more than 1 MiB"):
        Shelf(serve, json.dumps({"a": "b" * 1024 * 1024}).encode()).about()


@pytest.mark.parametrize("named", ["../../secret", "sha256:short", "", None])
def test_it_asks_for_no_config_whose_name_is_none(serve: Starts, named: Any) -> None:
    shelf = Shelf(serve, b"{}")
    manifest = {"schemaVersion": 2, "config": {"digest": named}, "layers": []}
    shelf.manifest = json.dumps(manifest).encode()
    shelf.digest = digest_of(shelf.manifest)
    with pytest.raises(BadAnswer, match="no image with a config"):
        shelf.about()
    assert len(shelf.server.asked) == 1


def test_it_says_that_a_config_is_missing(serve: Starts) -> None:
    shelf = Shelf(serve, b"{}")
    answer = shelf.answer
    shelf.server.answer = lambda asked: Reply(404) if "/blobs/" in asked.path else answer(asked)
    with pytest.raises(NotFound, match="config"):
        shelf.about()


def test_it_takes_no_credentials_to_where_the_config_is_kept(serve: Starts) -> None:
    """Registries keep such files elsewhere, and redirect."""
    config = b'{"created": "2026-01-02T03:04:05Z"}'
    store = serve(lambda asked: Reply(200, config))
    shelf = Shelf(serve, config)
    shelf.client = RegistryClient(_known(shelf.server), Grants())

    def answer(asked: Asked) -> Reply:
        if not asked.authorization:
            return Reply(401, headers={"WWW-Authenticate": "Basic"})
        if "/manifests/" in asked.path:
            return Reply(200, shelf.manifest)
        return Reply(307, headers={"Location": f"http://{store.other_name}/kept"})

    shelf.server.answer = answer
    assert shelf.about().built_at == datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    assert [asked.authorization for asked in store.asked] == [""]


def _known(server: Server) -> Access:
    return Access(server.address, username="ada", password="lovelace")
