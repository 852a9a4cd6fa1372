"""Who is let in, and how refusals are counted."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
import time_machine
from django.test import Client
from django.utils import timezone

from checks.models import Job, Service
from integrations.models import Delivery, Receiver
from integrations.tallies import Tallies
from tests import rows
from tests.github import deliver, published, sign
from tests.people import Program, person

pytestmark = pytest.mark.django_db


class TestProof:
    @pytest.mark.parametrize(
        "signature",
        [
            "",
            "sha256=",
            "sha256=" + "0" * 64,
            "sha256=" + "é" * 64,
            "nonsense",
            sign(b"{}", "another secret"),
        ],
    )
    def test_it_refuses_a_wrong_signature(
        self, client: Client, service: Service, signature: str
    ) -> None:
        answer = deliver(client, published(), signature=signature or " ")
        assert answer.status_code == 401
        assert answer.json()["error"]["code"] == "invalid_signature"
        assert not Delivery.objects.exists()
        assert not Job.objects.exists()

    def test_it_refuses_other_algorithms_and_spellings(
        self, client: Client, service: Service
    ) -> None:
        raw = json.dumps(published()).encode()
        right = sign(raw)
        for wrong in (right.upper(), right.removeprefix("sha256="), right + "0", "sha1" + right):
            assert deliver(client, raw, signature=wrong).status_code == 401

    def test_it_refuses_a_body_that_was_written_again(
        self, client: Client, service: Service
    ) -> None:
        body = published()
        signature = sign(json.dumps(body, indent=1).encode())
        assert deliver(client, body, signature=signature).status_code == 401

    def test_it_gives_the_same_refusal_whatever_else_is_wrong(
        self, client: Client, service: Service
    ) -> None:
        answers = [
            deliver(client, published(), signature="sha256=0"),
            deliver(client, b"[", signature="sha256=0"),
            deliver(client, published(), signature="sha256=0", event="ping"),
            deliver(client, published(), signature="sha256=0", event="", delivery=""),
        ]
        Receiver.objects.update(enabled=False)
        answers.append(deliver(client, published(), signature="sha256=0"))
        assert {(a.status_code, a.content) for a in answers} == {(401, answers[0].content)}

    def test_it_lets_nobody_in_without_a_secret(self, client: Client) -> None:
        rows.github_receiver(secret="")
        raw = b"{}"
        assert deliver(client, raw, signature=sign(raw, "")).status_code == 401

    def test_it_takes_the_old_secret_for_a_while_after_a_rotation(
        self, client: Client, service: Service
    ) -> None:
        raw = json.dumps(published()).encode()
        Receiver.objects.update(secret="a new one of enough length", previous_until=timezone.now())
        row = Receiver.objects.get(kind="github-packages")
        row.previous_secret = "the old one"
        row.save(update_fields=["previous_secret"])
        assert deliver(client, raw, signature=sign(raw, "the old one")).status_code == 401
        Receiver.objects.update(previous_until=timezone.now() + timedelta(hours=1))
        assert deliver(client, raw, signature=sign(raw, "the old one")).status_code == 202
        assert Delivery.objects.get().by_previous_secret
        right = sign(raw, "a new one of enough length")
        assert deliver(client, raw, signature=right, delivery="second").status_code == 202
        assert not Delivery.objects.get(sender_id="second").by_previous_secret

    def test_it_lets_nobody_in_with_an_empty_old_secret(
        self, client: Client, service: Service
    ) -> None:
        Receiver.objects.update(previous_until=timezone.now() + timedelta(hours=1))
        assert deliver(client, b"{}", signature=sign(b"{}", "")).status_code == 401

    def test_it_knows_since_when_it_is_on(self) -> None:
        rows.github_receiver(enabled=False)
        path, admin = "/api/receivers/github-packages", Program(person("admin"))
        with time_machine.travel(timezone.now(), tick=False) as clock:
            admin.patch(path, {"registryHost": "ghcr.io"})
            assert Receiver.objects.get(kind="github-packages").enabled_at is None
            on_since = timezone.now()
            admin.patch(path, {"enabled": True})
            clock.shift(60)
            admin.patch(path, {"enabled": True, "name": "Ours"})
            assert Receiver.objects.get(kind="github-packages").enabled_at == on_since
            admin.patch(path, {"enabled": False})
            admin.patch(path, {"enabled": True})
            assert Receiver.objects.get(kind="github-packages").enabled_at == timezone.now()

    def test_it_counts_refusals_and_limits_only_those(
        self, client: Client, service: Service, tallies: Tallies
    ) -> None:
        for _ in range(100):
            assert deliver(client, published(), signature="sha256=0").status_code == 401
        limited = deliver(client, published(), signature="sha256=0")
        assert limited.status_code == 429
        assert limited["Retry-After"] == "60"
        assert deliver(client, published()).status_code == 202
        tallies.flush()
        receiver = Receiver.objects.get(kind="github-packages")
        assert receiver.rejected_count == 101
        assert receiver.last_rejected_at is not None
