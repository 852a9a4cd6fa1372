"""doco-cd's OCI webhook, as its workflows send it."""

from __future__ import annotations

import hmac
import json
from typing import Any

import pytest
from django.test import Client

from checks.models import Job, Service
from integrations.models import Delivery, Receiver
from tests import rows

pytestmark = pytest.mark.django_db

SECRET = "what doco-cd calls WEBHOOK_SECRET"
PATH = "/api/webhooks/oci"
DIGEST = f"sha256:{'7d' * 32}"
OTHER = f"sha256:{'1f' * 32}"


@pytest.fixture
def service() -> Service:
    Receiver.objects.filter(kind="oci").update(enabled=True, secret=SECRET)
    return rows.service("ghcr.io/acme/api:1.2.0")


def sign(body: bytes) -> str:
    return hmac.digest(SECRET.encode(), body, "sha256").hex()


def send(client: Client, body: Any, *, signature: str | None = None, path: str = PATH) -> Any:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    given = sign(raw) if signature is None else signature
    headers = {"X-Doco-OCI-Signature-256": given} if given else {}
    length = str(len(raw))
    return client.post(
        path, raw, content_type="application/json", headers=headers, CONTENT_LENGTH=length
    )


def push(artifact: Any = "ghcr.io/acme/api:1.2.0", digest: Any = DIGEST) -> dict[str, Any]:
    return {"source": "oci", "digest": digest, "artifact": artifact}


class TestProof:
    @pytest.mark.parametrize("prefix", ["", "sha256="])
    def test_it_takes_a_signature_with_and_without_its_name(
        self, client: Client, service: Service, prefix: str
    ) -> None:
        raw = json.dumps(push()).encode()
        answer = send(client, raw, signature=prefix + sign(raw))
        assert (answer.status_code, answer.json()["matchedServiceIds"]) == (202, [service.pk])

    @pytest.mark.parametrize(
        "spoiled", ["", "sha256=", "0" * 64, "é" * 64, "again", "upper", "sha1"]
    )
    def test_it_refuses_any_other(self, client: Client, service: Service, spoiled: str) -> None:
        raw = json.dumps(push()).encode()
        right = sign(raw)
        wrong = {"again": f"sha256=sha256={right}", "upper": right.upper(), "sha1": f"sha1={right}"}
        answer = send(client, raw, signature=wrong.get(spoiled, spoiled))
        assert answer.status_code == 401
        assert not Delivery.objects.exists()

    def test_it_refuses_a_body_that_was_written_again(
        self, client: Client, service: Service
    ) -> None:
        signature = sign(json.dumps(push()).encode())
        assert (
            send(client, json.dumps(push(), indent=1).encode(), signature=signature).status_code
            == 401
        )


class TestTheImage:
    @pytest.mark.parametrize(
        ("artifact", "expected"),
        [
            ("ghcr.io/acme/api:1.2.0", f"ghcr.io/acme/api:1.2.0@{DIGEST}"),
            ("GHCR.io/acme/api:V1", f"ghcr.io/acme/api:V1@{DIGEST}"),
            (
                "registry.example.com:5000/internal/apps/api:v1",
                f"registry.example.com:5000/internal/apps/api:v1@{DIGEST}",
            ),
            (f"ghcr.io/acme/api@{OTHER}", f"ghcr.io/acme/api@{OTHER}"),
            (f"ghcr.io/acme/api:1.2.0@{OTHER}", f"ghcr.io/acme/api:1.2.0@{OTHER}"),
            ("localhost/api:1", f"localhost/api:1@{DIGEST}"),
            ("docker.io/acme/api:1", f"docker.io/acme/api:1@{DIGEST}"),
            ("busybox:1", f"docker.io/library/busybox:1@{DIGEST}"),
        ],
    )
    def test_it_reads_a_reference(
        self, client: Client, service: Service, artifact: str, expected: str
    ) -> None:
        assert send(client, push(artifact)).json()["images"] == [expected]

    @pytest.mark.parametrize("digest", ["sha256:abc", "", None, 7, f"md5:{'0' * 32}"])
    def test_it_does_without_a_digest_that_is_none(
        self, client: Client, service: Service, digest: Any
    ) -> None:
        answer = send(client, push(digest=digest)).json()
        assert answer["images"] == ["ghcr.io/acme/api:1.2.0"]
        assert answer["matchedServiceIds"] == [service.pk]

    @pytest.mark.parametrize(
        "artifact",
        ["", None, 7, ["ghcr.io/acme/api"], "ghcr.io/acme/../api:1", "ghcr.io/ac me/api:1",
         "ghcr.io/Acme/api:1", "Acme/api:1", "ghcr.io/" + "a" * 300, "https://ghcr.io/acme/api:1",
         "ada:word@ghcr.io/acme/api:1", "ghcr.io/acme/api:1@sha256:abc", "ghcr.io:99999/acme/api",
         "ghcr.io/acme/api:..", "ghcr.io/acme/api\x00:1", "ghcr.io//api:1"],
    )  # fmt: skip
    def test_it_shows_its_sender_what_it_rejects(
        self, client: Client, service: Service, artifact: Any
    ) -> None:
        answer = send(client, push(artifact))
        assert answer.status_code == 400
        assert answer.json()["error"]["details"]["reason"] == "invalid_payload"
        assert not Job.objects.exists()

    def test_it_speaks_for_the_registry_that_it_is_bound_to(
        self, client: Client, service: Service
    ) -> None:
        Receiver.objects.filter(kind="oci").update(registry_host="ghcr.io")
        answer = send(client, push("registry:5000/acme/api:1.2.0"))
        assert answer.json()["matchedServiceIds"] == [service.pk]

    @pytest.mark.parametrize("source", ["git", "", None, 7, "OCI"])
    def test_it_ignores_what_is_about_something_else(
        self, client: Client, service: Service, source: Any
    ) -> None:
        answer = send(client, push() | {"source": source})
        assert (answer.status_code, answer.json()["reason"]) == (200, "event_not_relevant")

    def test_it_ignores_signatures_of_images(self, client: Client, service: Service) -> None:
        answer = send(client, push(f"ghcr.io/acme/api:sha256-{'0' * 64}.sig"))
        assert answer.json()["reason"] == "event_not_relevant"
