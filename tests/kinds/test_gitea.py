"""The packages of Gitea and Forgejo."""

from __future__ import annotations

import hmac
import json
from typing import Any
from urllib.parse import urlencode

import pytest
from django.test import Client

from checks.models import Job
from integrations.models import Delivery
from integrations.receivers.base import Incoming
from tests import rows
from tests.kinds import bad_names
from tests.senders import SECRET, outcome, post, receiver, send

pytestmark = pytest.mark.django_db

KIND = "gitea"
FORM = "application/x-www-form-urlencoded"
DIGEST = f"sha256:{'d1' * 32}"


def package(action: str = "created", **changes: Any) -> dict[str, Any]:
    held = {
        "id": 7,
        "owner": {"login": "Acme"},
        "repository": None,
        "creator": {"login": "ada"},
        "type": "container",
        "name": "Api",
        "version": "1.2.0",
        "html_url": "https://git.example:3000/Acme/-/packages/container/api/1.2.0",
        **changes,
    }
    return {"action": action, "repository": None, "package": held, "sender": {"login": "ada"}}


def mac(body: bytes, secret: str = SECRET) -> str:
    return hmac.new(secret.encode(), body, "sha256").hexdigest()


def test_it_leads_to_the_service_that_runs_what_was_pushed(client: Client) -> None:
    receiver(KIND)
    service = rows.service("git.example:3000/acme/api:1.2.0")
    answer = send(client, KIND, package(), x_gitea_event="package", x_gitea_delivery="guid-1")
    assert answer.status_code == 202, answer.content
    assert answer.json()["matchedServiceIds"] == [service.pk]
    assert outcome(answer).images == ["git.example:3000/acme/api:1.2.0"]
    assert Delivery.objects.get().sender_id == "guid-1"


@pytest.mark.parametrize(
    ("header", "prefix"),
    [
        ("x-gitea-signature", ""),
        ("x-forgejo-signature", ""),
        ("x-hub-signature-256", "sha256="),
    ],
)
@pytest.mark.parametrize("form", [False, True], ids=["json", "form"])
def test_it_takes_each_signature_of_each_body(
    client: Client, header: str, prefix: str, form: bool
) -> None:
    """Also where a form carries the JSON: what both sign is the JSON, before they encode it."""
    receiver(KIND)
    text = json.dumps(package(note="é & +"))
    raw = urlencode({"payload": text}).encode() if form else text.encode()
    kind = FORM if form else "application/json"
    signed = {
        "content-type": kind,
        header: prefix + mac(text.encode()),
        "x-forgejo-event": "package",
    }
    answer = post(client, KIND, Incoming(signed, raw))
    assert outcome(answer).images == ["git.example:3000/acme/api:1.2.0"]


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"x-gitea-signature": ""},
        {"x-gitea-signature": "sha256=" + mac(b"{}")},
        {"x-gitea-signature": mac(b"{}").upper()},
        {"x-gitea-signature": mac(b"{}", "another")},
        {"x-gitea-signature": mac(b"{} ")},
        {"x-gitea-signature": "é" * 64},
        {"x-hub-signature-256": mac(b"{}")},
        {"x-hub-signature": "sha1=" + hmac.new(SECRET.encode(), b"{}", "sha1").hexdigest()},
        {"authorization": f"Bearer {SECRET}"},
    ],
)
def test_it_refuses_every_other(client: Client, headers: dict[str, str]) -> None:
    receiver(KIND)
    answer = post(client, KIND, Incoming({"content-type": "application/json", **headers}, b"{}"))
    assert answer.status_code == 401
    assert not Delivery.objects.exists()


@pytest.mark.parametrize("raw", [b"payload=%FF", b"nothing=1", b"&" * 20, "payload=é".encode()])
def test_it_refuses_a_form_that_carries_nothing_signed(client: Client, raw: bytes) -> None:
    receiver(KIND)
    signed = {"content-type": FORM, "x-gitea-signature": mac(raw)}
    assert post(client, KIND, Incoming(signed, raw)).status_code == 401


def test_it_decodes_no_long_form_for_a_stranger(client: Client) -> None:
    receiver(KIND)
    raw = b"payload=" + b"%41" * 30_000
    signed = {"content-type": FORM, "x-gitea-signature": mac(b"A" * 30_000)}
    assert post(client, KIND, Incoming(signed, raw)).status_code == 401


def test_it_takes_a_version_that_is_a_digest(client: Client) -> None:
    receiver(KIND, "images.example.com")
    answer = send(client, KIND, package(version=DIGEST), x_gitea_event="package")
    assert outcome(answer).images == [f"images.example.com/acme/api@{DIGEST}"]


@pytest.mark.parametrize(
    "body", [package("deleted"), package(type="npm"), package(type=None), {"action": "created"}]
)
def test_it_ignores(client: Client, body: dict[str, Any]) -> None:
    receiver(KIND)
    answer = send(client, KIND, body, x_gitea_event="package")
    assert (answer.status_code, outcome(answer)[:2]) == (200, ("ignored", "event_not_relevant"))


@pytest.mark.parametrize(("before", "reason"), [("c1", "ping"), ("c0", "event_not_relevant")])
def test_it_tells_its_test_button_from_a_push_of_sources(
    client: Client, before: str, reason: str
) -> None:
    receiver(KIND)
    body = {"ref": "refs/heads/main", "before": before, "after": "c1"}
    answer = send(client, KIND, body, x_forgejo_event="push", x_gitea_event="push")
    assert (answer.status_code, outcome(answer).reason) == (200, reason)


def test_it_knows_a_delivery_again(client: Client) -> None:
    receiver(KIND)
    first = send(client, KIND, package(), x_gitea_delivery="a").json()
    again = send(client, KIND, package(), x_gitea_delivery="a").json()
    assert (again["reason"], again["deliveryId"]) == ("duplicate_delivery", first["deliveryId"])
    assert send(client, KIND, package(), x_gitea_delivery="b").status_code == 202


@pytest.mark.parametrize(
    "body",
    [
        *(package(name=name) for name in bad_names.REPOSITORIES),
        *(package(version=tag) for tag in bad_names.TAGS),
        *(package(html_url=f"https://{host}/a") for host in bad_names.HOSTS),
        package(html_url=None),
        package(owner=None),
    ],
)
def test_it_shows_what_names_no_image(client: Client, body: dict[str, Any]) -> None:
    """Gitea does not try again, and shows what it was answered."""
    receiver(KIND)
    answer = send(client, KIND, body, x_gitea_event="package")
    assert (answer.status_code, outcome(answer).reason) == (400, "invalid_payload")
    assert not Job.objects.exists()
