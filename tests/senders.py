"""Calls of registries, proven as each of them does it."""

from __future__ import annotations

import json
from typing import Any, NamedTuple

from django.test import Client

from integrations.models import Receiver
from integrations.receivers import RECEIVERS
from integrations.receivers.base import Incoming

SECRET = "a-secret-of-forty-letters-0123456789abcd"


class Outcome(NamedTuple):
    decision: str
    reason: str | None
    images: list[str]


def receiver(kind: str, host: str = "", **options: Any) -> Receiver:
    """The receiver of a kind that is there from the first start, set up."""
    row = Receiver.objects.get(kind=kind)
    row.enabled, row.secret, row.registry_host, row.options = True, SECRET, host, options
    row.save()
    return row


def proven(
    kind: str, body: Any, headers: dict[str, str] | None = None, *, secret: str = SECRET
) -> Incoming:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    given = {"content-type": "application/json", **(headers or {})}
    return RECEIVERS[kind].prove(Incoming(given, raw), secret)


def post(client: Client, kind: str, incoming: Incoming) -> Any:
    headers = dict(incoming.headers)
    token = f"/{incoming.token}" if incoming.token else ""
    return client.post(
        f"/api/webhooks/{kind}{token}",
        incoming.body,
        content_type=headers.pop("content-type"),
        headers=headers,
        CONTENT_LENGTH=str(len(incoming.body)),
    )


def send(client: Client, kind: str, body: Any, **headers: str) -> Any:
    """Send a call as its sender would. `x_some_header` is a header of that name."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return post(client, kind, proven(kind, body, named))


def outcome(response: Any) -> Outcome:
    """What became of a proven call, however its sender is told."""
    said = response.json()
    if response.status_code == 400:
        said = {**said["error"]["details"], "images": []}
    return Outcome(said["decision"], said["reason"], said["images"])
