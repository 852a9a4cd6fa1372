"""What GitHub is answered, and what comes of it."""

from __future__ import annotations

import json
import threading
from datetime import timedelta
from typing import Any
from urllib.parse import urlencode

import pytest
import time_machine
from django.db import connections
from django.test import Client
from django.utils import timezone
from django_q.models import OrmQ

from checks import queue
from checks.kinds import Outcome
from checks.models import Job, Service
from integrations import ingest
from integrations.models import Delivery, Receiver
from integrations.tallies import Tallies
from tests import rows
from tests.github import PATH, deliver, digest, published, sign

NOTHINGS: tuple[Any, ...] = (None, [], "", 0)

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def tallies(monkeypatch: pytest.MonkeyPatch) -> Tallies:
    """Counts of this test alone."""
    monkeypatch.setattr("integrations.tallies.FLUSH_EVERY", 3600)
    fresh = Tallies()
    monkeypatch.setattr(ingest, "tallies", fresh)
    return fresh


@pytest.fixture
def service() -> Service:
    rows.github_receiver()
    rows.tracked("acme/api")
    return rows.service("ghcr.io/acme/api:1.2.0")


def finish(job_id: str) -> None:
    """What a worker does with a job that finds nothing."""
    job = queue.claim(job_id)
    assert job is not None
    assert queue.finish(job, Outcome())


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
        row = Receiver.objects.get()
        row.previous_secret = "the old one"
        row.save(update_fields=["previous_secret"])
        assert deliver(client, raw, signature=sign(raw, "the old one")).status_code == 401
        Receiver.objects.update(previous_until=timezone.now() + timedelta(hours=1))
        assert deliver(client, raw, signature=sign(raw, "the old one")).status_code == 202

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
        receiver = Receiver.objects.get()
        assert receiver.rejected_count == 101
        assert receiver.last_rejected_at is not None


class TestAcceptance:
    def test_it_queues_one_check_for_the_service_that_runs_the_image(
        self, client: Client, service: Service
    ) -> None:
        answer = deliver(client, published(), delivery="guid-1")
        assert answer.status_code == 202
        delivery, job = Delivery.objects.get(), Job.objects.get()
        assert answer.json() == {
            "ok": True,
            "deliveryId": delivery.pk,
            "decision": "processed",
            "reason": None,
            "attempt": 1,
            "images": [f"ghcr.io/acme/api:1.2.0@{digest('acme/api:1.2.0')}"],
            "matchedServiceIds": [service.pk],
            "jobIds": [job.pk],
            "reusedJobIds": [],
            "fallbackUsed": False,
            "fallbackReason": None,
        }
        assert (job.kind, job.reason, job.service_id) == ("check.service", "webhook", service.pk)
        assert (job.notify, job.status) == (True, "queued")
        assert (delivery.sender_id, delivery.hook_id) == ("guid-1", "7001")
        assert OrmQ.objects.count() == 1

    @pytest.mark.parametrize("path", [PATH, PATH + "/"])
    @pytest.mark.parametrize("event", ["package", "registry_package"])
    def test_it_takes_both_events_with_and_without_a_slash(
        self, client: Client, service: Service, event: str, path: str
    ) -> None:
        answer = deliver(client, published(top=event), event=event, path=path)
        assert answer.json()["matchedServiceIds"] == [service.pk]

    def test_it_takes_a_form(self, client: Client, service: Service) -> None:
        raw = urlencode({"payload": json.dumps(published())}).encode()
        answer = deliver(client, raw, **{"Content-Type": "application/x-www-form-urlencoded"})
        assert answer.json()["matchedServiceIds"] == [service.pk]

    def test_it_ignores_what_the_sender_accepts(self, client: Client, service: Service) -> None:
        answer = deliver(client, published(), path=PATH + "?format=xml", Accept="text/html")
        assert answer.status_code == 202

    def test_it_answers_a_ping_and_marks_the_hook_verified(
        self, client: Client, service: Service
    ) -> None:
        body = {"zen": "Keep it calm.", "hook_id": 7001, "repository": {"full_name": "Acme/API"}}
        answer = deliver(client, body, event="ping")
        assert (answer.status_code, answer.json()["reason"]) == (200, "ping")
        target = Receiver.objects.get().accounts.get().targets.get()
        assert target.verified_at is not None
        assert target.hook_id == "7001"

    def test_it_keeps_no_secret_of_a_delivery(self, client: Client, service: Service) -> None:
        deliver(client, published(), Authorization="Bearer abc", **{"X-My-Token": "abc"})
        kept = Delivery.objects.get().headers
        assert kept["x-github-event"] == "package"
        hidden = {kept[n] for n in ("authorization", "x-my-token", "x-hub-signature-256")}
        assert hidden == {"••••"}

    def test_it_matches_whatever_the_case(self, client: Client, service: Service) -> None:
        body = published("Acme/API", repository="ACME/Api")
        assert deliver(client, body).json()["matchedServiceIds"] == [service.pk]

    def test_it_finds_the_image_by_its_package_before_its_repository(
        self, client: Client, service: Service
    ) -> None:
        worker = rows.service("ghcr.io/acme/api/worker:1", name="worker")
        body = published("acme/api/worker", "1")
        assert deliver(client, body).json()["matchedServiceIds"] == [worker.pk]

    def test_it_falls_back_to_the_repository_name(self, client: Client, service: Service) -> None:
        body = published("acme/image-of-another-name")
        assert deliver(client, body).json()["matchedServiceIds"] == [service.pk]

    def test_it_knows_the_fronts_of_a_registry(self, client: Client, service: Service) -> None:
        rows.tracked("linuxserver/wireguard")
        front = rows.service("lscr.io/linuxserver/wireguard:latest", name="vpn")
        body = published("linuxserver/wireguard", "latest", repository="linuxserver/wireguard")
        assert deliver(client, body).json()["matchedServiceIds"] == [front.pk]

    def test_it_speaks_for_the_registry_that_it_is_set_to(
        self, client: Client, service: Service
    ) -> None:
        Receiver.objects.update(registry_host="containers.example.com:8443")
        inside = rows.service("containers.example.com:8443/acme/api:1.2.0", name="inside")
        assert deliver(client, published()).json()["matchedServiceIds"] == [inside.pk]

    def test_it_leaves_archived_services_alone(self, client: Client, service: Service) -> None:
        Service.objects.update(archived_at=timezone.now())
        assert deliver(client, published()).json()["matchedServiceIds"] == []


class TestWhatIsNotActedOn:
    @pytest.mark.parametrize("missing", ["X-GitHub-Delivery", "X-GitHub-Event"])
    def test_it_asks_for_githubs_headers(
        self, client: Client, service: Service, missing: str
    ) -> None:
        answer = deliver(client, published(), **{missing: ""})
        assert answer.status_code == 400
        assert answer.json()["error"]["details"]["field"] == missing

    def test_it_is_off_until_it_is_switched_on(
        self, client: Client, service: Service, tallies: Tallies
    ) -> None:
        Receiver.objects.update(enabled=False)
        answer = deliver(client, published())
        assert (answer.status_code, answer.json()["reason"]) == (200, "disabled")
        tallies.flush()
        assert Receiver.objects.get().disabled_count == 1
        assert not Delivery.objects.exists()

    @pytest.mark.parametrize(
        "raw",
        [
            b"",
            b"[]",
            b'"text"',
            b"{",
            b"\xff\xfe{}",
            b'{"a":' * 10_000 + b"1" + b"}" * 10_000,
            b"[" * 10_000 + b"]" * 10_000,
        ],
    )
    def test_it_keeps_a_body_that_is_not_json(
        self, client: Client, service: Service, raw: bytes
    ) -> None:
        answer = deliver(client, raw)
        assert answer.status_code == 400
        error = answer.json()["error"]
        assert error["code"] == "invalid_json"
        kept = Delivery.objects.get()
        assert error["details"]["deliveryId"] == kept.pk
        assert (kept.decision, kept.reason) == ("rejected", "invalid_json")
        assert bytes(kept.payload) == raw

    @pytest.mark.parametrize(
        "name", ["", "a\x00b", "../../etc", "x" * 300, "ünïcode", None, 7, ["a"], "has space"]
    )
    def test_it_rejects_a_package_without_a_usable_name(
        self, client: Client, service: Service, name: Any
    ) -> None:
        body = published(repository=None)
        body["package"]["name"] = name
        del body["package"]["package_version"]["package_url"]
        answer = deliver(client, body)
        assert answer.status_code == 400
        assert answer.json()["error"]["code"] == "invalid_argument"
        assert Delivery.objects.get().reason == "invalid_payload"
        assert not Job.objects.exists()

    @pytest.mark.parametrize(
        ("event", "body"),
        [
            ("package", published(action="deleted")),
            ("push", published()),
            ("package", {"action": "published", "package": {"package_type": "npm", "name": "x"}}),
            ("package", {"action": "published", "package": None}),
            ("package", {"action": {"deep": 1}, "package": []}),
        ],
    )
    def test_it_ignores_what_names_no_pushed_image(
        self, client: Client, service: Service, event: str, body: dict[str, Any]
    ) -> None:
        answer = deliver(client, body, event=event)
        assert (answer.status_code, answer.json()["reason"]) == (200, "event_not_relevant")

    def test_it_survives_the_loss_of_any_member(self, client: Client, service: Service) -> None:
        whole = published()
        for path in _paths(whole):
            for value in NOTHINGS:
                body = json.loads(json.dumps(whole))
                at = body
                for name in path[:-1]:
                    at = at[name]
                at[path[-1]] = value
                assert deliver(client, body).status_code in {200, 202, 400}, path

    def test_it_ignores_a_repository_that_is_not_selected(
        self, client: Client, service: Service
    ) -> None:
        rows.tracked("acme/other", selected=False)
        for repository in ("acme/other", "acme/unknown"):
            answer = deliver(client, published(repository=repository))
            assert (answer.status_code, answer.json()["reason"]) == (200, "repo_not_selected")
            assert len(answer.json()["images"]) == 1
        unlinked = published("globex/app", repository=None)
        assert deliver(client, unlinked).json()["reason"] == "repo_not_selected"
        assert not Job.objects.exists()

    def test_it_answers_404_for_an_unknown_kind(self, client: Client, service: Service) -> None:
        answer = deliver(client, published(), path="/api/webhooks/nobody")
        assert answer.status_code == 404
        assert answer.json()["error"]["code"] == "not_found"

    def test_it_answers_405_to_other_methods(self, client: Client, service: Service) -> None:
        answer = client.get(PATH)
        assert answer.status_code == 405
        assert answer.json()["error"]["code"] == "method_not_allowed"

    def test_it_refuses_a_body_over_the_limit_without_reading_it(
        self, client: Client, service: Service
    ) -> None:
        answer = client.post(
            PATH, b"{}", content_type="application/json", CONTENT_LENGTH=str(25 * 1024 * 1024 + 1)
        )
        assert answer.status_code == 413
        assert answer.json()["error"]["code"] == "payload_too_large"


class TestRepeats:
    def test_it_knows_a_delivery_again(self, client: Client, service: Service) -> None:
        first = deliver(client, published(), delivery="same").json()
        again = deliver(client, published(), delivery="same")
        assert again.status_code == 200
        body = again.json()
        assert (body["reason"], body["attempt"]) == ("duplicate_delivery", 2)
        assert body["deliveryId"] == first["deliveryId"]
        assert Job.objects.count() == 1

    def test_it_acts_on_a_second_try_where_the_first_stored_nothing(
        self, client: Client, service: Service
    ) -> None:
        assert deliver(client, published(), delivery="g", signature="sha256=0").status_code == 401
        assert deliver(client, published(), delivery="g").status_code == 202

    def test_it_reuses_a_queued_check(self, client: Client, service: Service) -> None:
        first = deliver(client, published()).json()
        second = deliver(client, published("acme/api", "latest")).json()
        assert second["reusedJobIds"] == first["jobIds"]
        assert second["jobIds"] == []

    def test_it_runs_a_running_check_once_more(self, client: Client, service: Service) -> None:
        job_id = deliver(client, published()).json()["jobIds"][0]
        job = queue.claim(job_id)
        assert job is not None
        assert deliver(client, published()).json()["reusedJobIds"] == [job_id]
        queue.finish(job, Outcome())
        job.refresh_from_db()
        assert job.status == "queued"
        assert job.not_before is not None
        assert job.not_before > timezone.now() + timedelta(seconds=4)

    def test_it_checks_at_most_twice_for_one_push_of_many_manifests(
        self, client: Client, service: Service
    ) -> None:
        start = timezone.now()
        with time_machine.travel(start, tick=False) as clock:
            child = deliver(client, published(tag="")).json()["jobIds"][0]
            assert queue.claim(child) is None  # a child manifest waits for its index
            index = deliver(client, published()).json()
            assert index["reusedJobIds"] == [child]
            finish(child)
            clock.shift(1)
            later = deliver(client, published(tag="")).json()["jobIds"]
            assert deliver(client, published()).json()["reusedJobIds"] == later
            assert queue.claim(later[0]) is None
            clock.shift(4)
            finish(later[0])
        assert Job.objects.count() == 2

    def test_it_is_not_delayed_by_a_check_that_a_person_asked_for(
        self, client: Client, service: Service
    ) -> None:
        asked = queue.enqueue(
            queue.Request(kind="check.service", reason="ui", scope="service", service_id=service.pk)
        )
        finish(asked.job_id)
        finish(deliver(client, published()).json()["jobIds"][0])

    def test_it_answers_without_queries_per_service(
        self, client: Client, service: Service, django_assert_num_queries: Any
    ) -> None:
        deliver(client, published())
        with django_assert_num_queries(10):
            deliver(client, published())


class TestFallback:
    def test_it_looks_again_once_and_then_checks_what_it_found(
        self, client: Client, service: Service
    ) -> None:
        rows.tracked("acme/new")
        body = published("acme/new", repository="acme/new")
        first, second = deliver(client, body).json(), deliver(client, body).json()
        assert first["fallbackReason"] == "no_managed_service_match"
        assert second["reusedJobIds"] == first["jobIds"]
        new = rows.service("ghcr.io/acme/new:1", name="new")
        finish(first["jobIds"][0])
        check = Job.objects.get(kind="check.service")
        assert (check.service_id, check.reason) == (new.pk, "webhook")
        delivery = Delivery.objects.get(pk=first["deliveryId"])
        assert delivery.matched_service_ids == [new.pk]
        assert delivery.waiting_for_job == ""

    def test_it_names_the_reason_for_an_owner_only_payload(
        self, client: Client, service: Service
    ) -> None:
        answer = deliver(client, published("acme/unlinked", repository=None)).json()
        assert (answer["fallbackUsed"], answer["fallbackReason"]) == (True, "owner_only_payload")
        assert Job.objects.get().kind == "discovery"

    def test_it_checks_an_owner_only_payload_whose_image_runs_here(
        self, client: Client, service: Service
    ) -> None:
        answer = deliver(client, published(repository=None)).json()
        assert answer["matchedServiceIds"] == [service.pk]
        assert answer["fallbackUsed"] is False

    def test_it_delays_a_second_look_by_a_minute(self, client: Client, service: Service) -> None:
        body = published("acme/unlinked", repository=None)
        finish(deliver(client, body).json()["jobIds"][0])
        second = Job.objects.get(pk=deliver(client, body).json()["jobIds"][0])
        assert second.not_before is not None
        assert second.not_before > timezone.now() + timedelta(seconds=55)


@pytest.mark.django_db(transaction=True)
class TestAtOnce:
    def test_it_makes_one_job_of_fifty_equal_deliveries_at_once(self, service: Service) -> None:
        barrier = threading.Barrier(50)
        answers: list[int] = []

        def send() -> None:
            barrier.wait()
            try:
                answers.append(deliver(Client(), published(), delivery="same").status_code)
            finally:
                connections.close_all()

        threads = [threading.Thread(target=send) for _ in range(50)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(answers) == [200] * 49 + [202]
        assert Delivery.objects.get().attempts == 50
        assert Job.objects.count() == OrmQ.objects.count() == 1


def _paths(node: Any, before: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    if not isinstance(node, dict):
        return []
    return [
        path
        for name, value in node.items()
        for path in [(*before, name), *_paths(value, (*before, name))]
    ]
