"""The bodies that GitHub sends, as they are and as its own examples have them."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from checks.models import Job, Service
from integrations.models import Delivery, HookTarget
from tests import rows
from tests.github import deliver, digest, published

pytestmark = pytest.mark.django_db

Change = Callable[[dict[str, Any]], object]


def version(package: dict[str, Any]) -> dict[str, Any]:
    held: dict[str, Any] = package["package_version"]
    return held


def like_githubs_example(package: dict[str, Any]) -> None:
    """It names itself after another thing, its own type wrongly, and no tag."""
    package |= {"name": "api-npm", "namespace": "Acme/api", "package_type": "npm"}
    package |= {"ecosystem": "docker"}
    del package["registry"]
    version(package)["package_url"] = "ghcr.io/Acme/api:"
    version(package)["container_metadata"] |= {"tag": {"name": "", "digest": ""}}


def bare(package: dict[str, Any]) -> None:
    """Nothing but the image's address."""
    metadata = {"tag": {"name": "1.2.0"}, "manifest": {"config": {}}}
    held = {"package_url": "ghcr.io/acme/api:latest", "container_metadata": metadata}
    package.clear()
    package |= {"package_type": "CONTAINER", "package_version": held}


def typed(word: str) -> Change:
    """Of a type in other letters, without what only containers have."""

    def change(package: dict[str, Any]) -> None:
        package |= {"package_type": word, "ecosystem": word, "registry": {"type": word}}
        version(package)["container_metadata"] = None

    return change


SHAPES: dict[str, Change] = {
    "as it is": lambda package: None,
    "like GitHub's example": like_githubs_example,
    "bare": bare,
    "in capitals": typed("CONTAINER"),
    "in small letters": typed("container"),
    "of type docker": typed("docker"),
    "without metadata": lambda package: version(package).pop("container_metadata"),
    "without a tag": lambda package: version(package)["container_metadata"].pop("tag"),
    "without a manifest": lambda package: version(package)["container_metadata"].pop("manifest"),
    "without an address": lambda package: version(package).pop("package_url"),
    "without a version": lambda package: package.update(package_version=None),
    "without a namespace": lambda package: package.pop("namespace"),
    "with a namespace alone": lambda package: package.pop("owner"),
}


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("event", ["package", "registry_package"])
@pytest.mark.parametrize("repository", ["acme/api", None], ids=["linked", "unlinked"])
def test_it_leads_to_the_service_that_runs_it(
    client: Client, service: Service, shape: str, event: str, repository: str | None
) -> None:
    body = published(top=event, repository=repository)
    SHAPES[shape](body[event])
    answer = deliver(client, body, event=event).json()
    assert (answer["decision"], answer["matchedServiceIds"]) == ("processed", [service.pk])
    assert Job.objects.get().kind == "check.service"


def test_it_knows_the_owner_by_the_organisation(client: Client, service: Service) -> None:
    body = published(repository=None)
    del body["package"]["owner"], body["package"]["namespace"]
    body |= {"organization": {"login": "Acme"}, "installation": {"id": 1}}
    assert deliver(client, body).json()["matchedServiceIds"] == [service.pk]


def test_it_makes_one_check_of_a_push_for_many_platforms(client: Client, service: Service) -> None:
    """The index, its children and their attestations, in any order, each with its own id."""
    manifests = [published(), *(published(tag="") for _child in range(4))]
    random.Random(7).shuffle(manifests)  # noqa: S311 - an order, not a secret
    for manifest in manifests:
        assert deliver(client, manifest).json()["matchedServiceIds"] == [service.pk]
    assert Delivery.objects.count() == 5
    assert Job.objects.count() == 1


def test_it_acts_once_where_an_organisation_has_a_hook_too(
    client: Client, service: Service
) -> None:
    ours = {"X-GitHub-Hook-Installation-Target-Type": "repository"}
    theirs = {
        "X-GitHub-Hook-ID": "8001",
        "X-GitHub-Hook-Installation-Target-Type": "organization",
    }
    first = deliver(client, published(), delivery="guid", **ours).json()
    body = published() | {"organization": {"login": "acme", "id": 4000001}}
    second = deliver(client, body, delivery="guid", **theirs).json()
    assert (second["reason"], second["attempt"]) == ("duplicate_delivery", 2)
    assert second["deliveryId"] == first["deliveryId"]
    assert (Delivery.objects.count(), Job.objects.count()) == (1, 1)


def test_it_answers_the_ping_of_an_organisation(client: Client, service: Service) -> None:
    body = {"zen": "Keep it calm.", "hook_id": 8001, "organization": {"login": "acme"}}
    answer = deliver(client, body, event="ping", **{"X-GitHub-Hook-ID": "8001"})
    assert (answer.status_code, answer.json()["reason"]) == (200, "ping")
    target = HookTarget.objects.get()
    assert (target.verified_at, target.hook_id) == (None, "")


@pytest.mark.parametrize("ending", ["", ".sig", ".att", ".sbom"])
def test_it_leaves_what_is_pushed_beside_an_image(
    client: Client, service: Service, ending: str
) -> None:
    tag = digest("acme/api:1.2.0").replace(":", "-") + ending
    answer = deliver(client, published(tag=tag))
    assert (answer.status_code, answer.json()["reason"]) == (200, "event_not_relevant")
    assert answer.json()["images"][0].startswith(f"ghcr.io/acme/api:{tag}@")
    assert not Job.objects.exists()


@pytest.mark.parametrize("tag", ["sha256-abc", "sha-0123456", "sha256-" + "0" * 64 + "-slim"])
def test_it_acts_on_a_tag_that_only_looks_so(client: Client, service: Service, tag: str) -> None:
    rows.service(f"ghcr.io/acme/api:{tag}", name="pinned")
    assert len(deliver(client, published(tag=tag)).json()["matchedServiceIds"]) == 2
