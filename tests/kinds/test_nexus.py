"""The assets of a Nexus repository."""

from __future__ import annotations

import hmac
import json
from typing import Any

import pytest
from django.test import Client

from checks.models import Job
from integrations.models import Delivery
from integrations.receivers.base import BadProof, Incoming, Setup
from integrations.receivers.nexus import Nexus
from tests import rows
from tests.kinds import bad_names
from tests.senders import SECRET, outcome, post, proven, receiver, send

pytestmark = pytest.mark.django_db

KIND = "nexus"
HOST = "images.example.com"
DIGEST = f"sha256:{'d1' * 32}"
SIGNATURE = "x-nexus-webhook-signature"


def asset(name: Any = "v2/acme/api/manifests/1.2.0", **changes: Any) -> dict[str, Any]:
    return {
        "timestamp": "2025-03-01T10:00:00.000+0000",
        "initiator": "ada/192.0.2.1",
        "repositoryName": "docker hosted",
        "action": "CREATED",
        "asset": {"id": "7", "format": "docker", "name": name},
        **changes,
    }


def mac(body: bytes, secret: str = SECRET) -> str:
    return hmac.new(secret.encode(), body, "sha1").hexdigest()


def test_it_leads_to_the_service_that_runs_what_was_pushed(client: Client) -> None:
    receiver(KIND, HOST)
    service = rows.service(f"{HOST}/acme/api:1.2.0")
    answer = send(client, KIND, asset(), x_nexus_webhook_delivery="guid-1")
    assert answer.status_code == 202, answer.content
    assert answer.json()["matchedServiceIds"] == [service.pk]
    assert outcome(answer).images == [f"{HOST}/acme/api:1.2.0"]
    assert Delivery.objects.get().sender_id == "guid-1"
    again = send(client, KIND, asset(), x_nexus_webhook_delivery="guid-1")
    assert outcome(again).reason == "duplicate_delivery"


@pytest.mark.parametrize("indent", [None, 2])
def test_it_takes_the_signature_of_the_body_and_of_the_body_without_blanks(
    client: Client, indent: int | None
) -> None:
    receiver(KIND, HOST)
    compact = json.dumps(asset(), separators=(",", ":")).encode()
    raw = json.dumps(asset(), indent=indent).encode()
    assert b"docker hosted" in compact
    for signed in (raw, compact):
        headers = {"content-type": "application/json", SIGNATURE: mac(signed)}
        assert post(client, KIND, Incoming(headers, raw)).status_code in {200, 202}


@pytest.mark.parametrize(
    "signature",
    [
        "",
        mac(b"{}").upper(),
        mac(b"{}", "another"),
        mac(b"{}", ""),
        mac(b"{ }x"),
        f"sha1={mac(b'{}')}",
        hmac.new(SECRET.encode(), b"{}", "sha256").hexdigest(),
        "é" * 40,
    ],
)
def test_it_refuses_every_other(client: Client, signature: str) -> None:
    receiver(KIND, HOST)
    headers = {"content-type": "application/json", SIGNATURE: signature}
    assert post(client, KIND, Incoming(headers, b"{}")).status_code == 401
    assert not Delivery.objects.exists()


def test_it_keeps_the_blanks_of_names(client: Client) -> None:
    """Two bodies that differ in a string never have the same signature."""
    signed = {SIGNATURE: mac(b'{"a":"b c"}')}
    with pytest.raises(BadProof):
        Nexus().verify(Incoming(signed, b'{"a":"bc"}'), (SECRET,), Setup())
    assert Nexus().verify(Incoming(signed, b'{ "a" : "b c" }'), ("", SECRET), Setup()) == 1


@pytest.mark.parametrize("body", [b'"' * 500_001, b'\\"' * 500_000, b'"' + b'\\"' * 500_000])
def test_it_reads_no_byte_of_a_strange_body_twice(body: bytes) -> None:
    """A test that would not end in an hour if it did."""
    with pytest.raises(BadProof):
        Nexus().verify(Incoming({SIGNATURE: "0" * 40}, body), (SECRET,), Setup())


def test_nobody_has_a_long_body_looked_through(client: Client) -> None:
    """All other deliveries wait while that is done, and it takes no secret to send one."""
    receiver(KIND)
    headers = {"content-type": "application/json", SIGNATURE: "0" * 40}
    assert post(client, KIND, Incoming(headers, b'""' * 40_000)).status_code == 413
    assert post(client, KIND, Incoming(headers, b'""' * 30_000)).status_code == 401


@pytest.mark.parametrize(
    "body",
    [
        asset("v2/-/blobs/" + DIGEST),
        asset(action="DELETED"),
        asset(action=["CREATED"]),
        asset(asset={"format": "npm", "name": "concrete"}),
        {"action": "CREATED", "component": {"format": "docker"}},
        {},
    ],
)
def test_it_ignores(client: Client, body: dict[str, Any]) -> None:
    receiver(KIND)
    assert outcome(send(client, KIND, body))[:2] == ("ignored", "event_not_relevant")


def test_it_takes_a_manifest_by_its_digest(client: Client) -> None:
    receiver(KIND, HOST)
    answer = send(client, KIND, asset(f"/v2/acme/api/manifests/{DIGEST}", action="UPDATED"))
    assert outcome(answer).images == [f"{HOST}/acme/api@{DIGEST}"]


def test_it_can_say_nothing_of_a_registry_whose_host_nobody_entered(client: Client) -> None:
    receiver(KIND)
    assert outcome(send(client, KIND, asset()))[:2] == ("rejected", "invalid_payload")
    reading = Nexus().read(proven(KIND, asset()), Setup())
    assert "enter the registry host" in str(reading.why)


@pytest.mark.parametrize(
    "name",
    [
        None,
        "v2/manifests/1",
        "v2//manifests/1",
        "v1/acme/api/manifests/1",
        *(f"v2/{name}/manifests/1" for name in bad_names.REPOSITORIES if isinstance(name, str)),
        *(f"v2/a/manifests/{tag}" for tag in bad_names.TAGS if isinstance(tag, str)),
        ["v2/a/manifests/1"],
    ],
)
def test_it_records_what_names_no_image(client: Client, name: object) -> None:
    receiver(KIND, HOST)
    answer = send(client, KIND, asset(name))
    assert (answer.status_code, outcome(answer)[:2]) == (200, ("rejected", "invalid_payload"))
    assert not Job.objects.exists()
