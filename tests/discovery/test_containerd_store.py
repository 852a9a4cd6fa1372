"""An engine that keeps images in containerd's store, as Docker Engine does from 29 on.

It gives digests to every image that has a name, also to one that was built here:
see moby's `daemon/containerd/image_inspect.go`. No engine with that store is at hand for tests.
"""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from checks.discovery.engine import _Look
from checks.discovery.labels import Label

ID = f"sha256:{'1' * 64}"


def look(image: str, brought: dict[str, str]) -> tuple[str, tuple[str, ...]]:
    """What is found of the service `own` of the project `shop`: reference and digests."""
    labels: dict[str, str] = {
        Label.PROJECT: "shop",
        Label.SERVICE: "own",
        Label.CONFIG_HASH: "1",
    }
    container = {
        "Id": "1",
        "Image": image,
        "ImageID": ID,
        "State": "running",
        "Created": 1,
        "Labels": labels,
    }
    attributes: dict[str, Any] = {
        "RepoTags": [f"{image}:latest"],
        "RepoDigests": [f"{image}@{ID}"],
        "Config": {"Labels": brought},
    }
    api = SimpleNamespace(version=dict, containers=lambda **_how: [container])
    images = SimpleNamespace(get=lambda _id: SimpleNamespace(attrs=attributes))
    client: Any = SimpleNamespace(api=api, images=images)
    [project] = _Look(client, "", has_files=False).found().projects
    [service] = project.services
    return service.image_ref, service.running_digests


@pytest.mark.parametrize("image", ["shop-own", "shop_own"])
def test_what_compose_built_is_asked_of_no_registry(image: str) -> None:
    built = {str(Label.PROJECT): "shop", str(Label.SERVICE): "own"}
    assert look(image, built) == ("", ())


def test_an_image_of_such_a_name_is_one_where_compose_did_not_build_it() -> None:
    assert look("shop-own", {}) == ("shop-own", (ID,))
