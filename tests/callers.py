"""A trigger that is on, and callers of it, made as an admin makes them."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from integrations.models import Receiver
from tests.people import Program

PATH = "/api/webhooks/trigger"
CALLERS = "/api/receivers/trigger/callers"
OWN_SECRET = "a secret of the trigger"
ALL = {"action": "check", "scope": "all"}


@pytest.fixture
def trigger(db: None) -> Receiver:
    """The one that is there from the first start, set up, for checks."""
    row = Receiver.objects.get(kind="trigger")
    row.enabled, row.secret, row.name = True, OWN_SECRET, "CI"
    row.save(update_fields=["enabled", "secret", "name"])
    return row


def make(admin: Program, **given: Any) -> dict[str, Any]:
    """A caller as the API answers it, with its secret."""
    order = {"name": "deploy", "actions": ["check"], "stackIds": None, **given}
    answer = admin.post(CALLERS, order)
    assert answer.status_code == 201, answer.content
    made: dict[str, Any] = answer.json()
    return made


def call(order: Any, secret: str) -> Any:
    return Program(None).call("POST", PATH, order, **{"X-Dockrev-Webhook-Secret": secret})


def history(client: Program) -> list[dict[str, Any]]:
    """The calls so far, the last one first, as the API lists them."""
    found: list[dict[str, Any]] = client.get("/api/deliveries?receiver=trigger").json()[
        "deliveries"
    ]
    return found


def last(client: Program) -> dict[str, Any]:
    whole: dict[str, Any] = client.get(f"/api/deliveries/{history(client)[0]['id']}").json()
    return whole


def body_of(client: Client, path: str) -> str:
    response = client.get(path)
    assert response.status_code == 200
    return response.content.decode()
