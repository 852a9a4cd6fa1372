"""The webhooks of Azure Container Registry."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from checks.models import Job
from integrations.models import Delivery
from tests import rows
from tests.kinds import bad_names
from tests.senders import outcome, receiver, send

pytestmark = pytest.mark.django_db

KIND = "acr"
DIGEST = f"sha256:{'d1' * 32}"


def event(action: str = "push", host: Any = "acme.azurecr.io", **target: Any) -> dict[str, Any]:
    held = {"repository": "shop/api", "tag": "1.2.0", "digest": DIGEST, **target}
    return {"id": "event-1", "action": action, "target": held, "request": {"host": host}}


def test_it_leads_to_the_service_that_runs_what_was_pushed(client: Client) -> None:
    receiver(KIND)
    service = rows.service("acme.azurecr.io/shop/api:1.2.0")
    answer = send(client, KIND, event())
    assert answer.status_code == 202, answer.content
    assert answer.json()["matchedServiceIds"] == [service.pk]
    assert outcome(answer).images == [f"acme.azurecr.io/shop/api:1.2.0@{DIGEST}"]
    assert Delivery.objects.get().sender_id == "event-1"
    assert outcome(send(client, KIND, event())).reason == "duplicate_delivery"


def test_it_believes_the_host_that_it_is_bound_to(client: Client) -> None:
    receiver(KIND, "images.example.com")
    answer = outcome(send(client, KIND, event(digest="sha256:short")))
    assert answer.images == ["images.example.com/shop/api:1.2.0"]


@pytest.mark.parametrize("body", [{"action": "ping"}, {"id": "p", "action": "ping", "target": 1}])
def test_it_answers_a_ping(client: Client, body: dict[str, Any]) -> None:
    receiver(KIND)
    answer = send(client, KIND, body)
    assert (answer.status_code, outcome(answer).reason) == (200, "ping")


@pytest.mark.parametrize("action", ["delete", "quarantine", "chart_push", "chart_delete", None, []])
def test_it_ignores(client: Client, action: Any) -> None:
    receiver(KIND)
    assert outcome(send(client, KIND, event(action)))[:2] == ("ignored", "event_not_relevant")


@pytest.mark.parametrize(
    "body",
    [
        *(event(repository=name) for name in [*bad_names.REPOSITORIES, None, "Shop/api"]),
        *(event(tag=tag) for tag in bad_names.TAGS),
        *(event(host=host) for host in [*bad_names.HOSTS, 5, "", None]),
        {"action": "push"},
        {"action": "push", "target": [], "request": "x"},
    ],
)
def test_it_records_what_names_no_image(client: Client, body: dict[str, Any]) -> None:
    receiver(KIND)
    answer = send(client, KIND, body)
    assert (answer.status_code, outcome(answer)[:2]) == (200, ("rejected", "invalid_payload"))
    assert not Job.objects.exists()
