"""Artifactory's events of the domain docker."""

from __future__ import annotations

import hmac
import json
from typing import Any

import pytest
from django.test import Client

from checks.models import Job
from dockrev.fields import HIDDEN
from integrations.models import Delivery
from integrations.receivers.base import Incoming
from tests import rows
from tests.kinds import bad_names
from tests.senders import SECRET, outcome, post, receiver, send

pytestmark = pytest.mark.django_db

KIND = "jfrog"
HEADER = "x-jfrog-event-auth"


def event(event_type: str = "pushed", top: dict[str, Any] | None = None, **data: Any) -> Any:
    held = {
        "repo_key": "docker-local",
        "image_name": "acme/api",
        "tag": "1.2.0",
        "sha256": "d1" * 32,
        **data,
    }
    origin = {"jpd_origin": "https://acme.jfrog.example", **(top or {})}
    return {"domain": "docker", "event_type": event_type, "data": held, **origin}


def test_it_leads_to_the_service_that_runs_what_was_pushed(client: Client) -> None:
    receiver(KIND)
    service = rows.service("acme.jfrog.example/docker-local/acme/api:1.2.0")
    answer = send(client, KIND, event())
    assert answer.status_code == 202, answer.content
    assert answer.json()["matchedServiceIds"] == [service.pk]
    image = f"acme.jfrog.example/docker-local/acme/api:1.2.0@sha256:{'d1' * 32}"
    assert outcome(answer).images == [image]


HOSTS = {
    "bound": ("images.example.com", {}, "images.example.com/docker-local/acme/api"),
    "sub-domain": ("", {"subDomain": True}, "docker-local.acme.jfrog.example/acme/api"),
    "bound sub-domain": (
        "images.example.com",
        {"subDomain": True},
        "docker-local.images.example.com/acme/api",
    ),
}


@pytest.mark.parametrize("how", HOSTS)
def test_it_names_images_as_they_are_pulled(client: Client, how: str) -> None:
    host, options, image = HOSTS[how]
    receiver(KIND, host, **options)
    answer = outcome(send(client, KIND, event("promoted", sha256=None)))
    assert answer.images == [f"{image}:1.2.0"]


def test_it_takes_the_secret_itself_or_the_signature(client: Client) -> None:
    receiver(KIND)
    raw = json.dumps(event("deleted")).encode()
    mac = hmac.new(SECRET.encode(), raw, "sha256").hexdigest()
    for given, status in ((SECRET, 200), (mac, 200), ("", 401), (mac[1:], 401), ("Ä", 401)):
        incoming = Incoming({"content-type": "application/json", HEADER: given}, raw)
        assert post(client, KIND, incoming).status_code == status, given


def test_it_shows_its_secret_nowhere(client: Client) -> None:
    receiver(KIND)
    raw = json.dumps(event()).encode()
    post(client, KIND, Incoming({"content-type": "application/json", HEADER: SECRET}, raw))
    headers = Delivery.objects.get().headers
    assert headers[HEADER] == HIDDEN
    assert SECRET not in str(headers)


@pytest.mark.parametrize(
    "body", [event("deleted"), event(top={"domain": "artifact"}), event(top={"event_type": []}), {}]
)
def test_it_ignores(client: Client, body: dict[str, Any]) -> None:
    receiver(KIND)
    assert outcome(send(client, KIND, body))[:2] == ("ignored", "event_not_relevant")


@pytest.mark.parametrize(
    "body",
    [
        *(event(image_name=name) for name in bad_names.REPOSITORIES),
        *(event(tag=tag) for tag in bad_names.TAGS),
        *(event(top={"jpd_origin": host}) for host in [*bad_names.HOSTS, 5, "", None]),
        event(repo_key=None),
        event(repo_key="Docker"),
        event(top={"data": None}),
    ],
)
def test_it_records_what_names_no_image(client: Client, body: dict[str, Any]) -> None:
    receiver(KIND)
    answer = send(client, KIND, body)
    assert (answer.status_code, outcome(answer)[:2]) == (200, ("rejected", "invalid_payload"))
    assert not Job.objects.exists()
