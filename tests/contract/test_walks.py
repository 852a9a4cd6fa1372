"""An example that is sent, and a call that is explained: each step of the pipeline in words."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from django_q.models import OrmQ

from checks.models import Job
from integrations.models import Delivery, Receiver
from integrations.receivers import RECEIVERS
from integrations.tallies import Tallies
from tests import github
from tests.people import Program, error_of
from tests.rows import github_receiver, service, tracked

pytestmark = pytest.mark.django_db
TEST = "/api/receivers/github-packages/test"
EXPLAIN = "/api/receivers/github-packages/explain"
ALL = ["size", "proof", "enabled", "headers", "json", "ping", "duplicate", "relevance", "image"]
NOT_SELECTED = ("ignored", "repo_not_selected")
GITHUB = [*ALL, "selection", "matching", "work"]


def outcomes(answer: dict[str, Any]) -> dict[str, str]:
    return {step["step"]: step["outcome"] for step in answer["steps"]}


def detail(answer: dict[str, Any], step: str) -> str:
    [found] = [each["detail"] for each in answer["steps"] if each["step"] == step]
    text: str = found
    return text


def said(body: dict[str, Any] | bytes, **headers: str) -> dict[str, Any]:
    """What a person pastes of a delivery of GitHub's."""
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    known = {
        "X-GitHub-Event": "package",
        "X-GitHub-Delivery": "guid-1",
        "X-Hub-Signature-256": github.sign(raw),
        **{name.replace("_", "-"): value for name, value in headers.items()},
    }
    return {
        "headers": {name: value for name, value in known.items() if value},
        "body": raw.decode(),
    }


def everything() -> list[Any]:
    """All that a call could change."""
    tables: tuple[Any, ...] = (Receiver, Delivery, Job, OrmQ)
    return [list(table.objects.order_by("pk").values()) for table in tables]


class TestATest:
    def test_it_goes_all_the_way(self, operator: Program) -> None:
        github_receiver()
        tracked("acme/api")
        row = service("ghcr.io/acme/api:1.2.0")
        response = operator.post(TEST)
        assert response.status_code == 200
        answer = response.json()
        assert (answer["decision"], answer["reason"]) == ("processed", None)
        assert answer["matchedServiceIds"] == [row.pk]
        assert answer["jobIds"] == [Job.objects.get().pk]
        assert outcomes(answer) == dict.fromkeys(GITHUB, "ok")
        assert detail(answer, "matching") == "shop / api"
        assert detail(answer, "work") == "1 check is queued."
        kept = Delivery.objects.get(pk=answer["deliveryId"])
        assert kept.is_test
        assert operator.get(f"/api/deliveries/{kept.pk}").json()["test"] is True

    def test_it_looks_for_no_services_where_nothing_runs_the_example(
        self, operator: Program
    ) -> None:
        github_receiver()
        tracked("acme/api")
        answer = operator.post(TEST).json()
        assert (answer["fallbackUsed"], answer["jobIds"]) == (True, [])
        assert detail(answer, "matching") == "No service that is known here runs it."
        assert "A test does not." in detail(answer, "work")
        operator.post(f"/api/deliveries/{answer['deliveryId']}/replay")
        assert not Job.objects.exists()

    def test_it_can_be_sent_again_and_is_no_duplicate(self, operator: Program) -> None:
        github_receiver()
        first, second = (operator.post(TEST).json()["deliveryId"] for _time in range(2))
        assert first != second

    def test_it_is_no_sign_of_life(self, operator: Program, tallies: Tallies) -> None:
        github_receiver()
        operator.post(TEST)
        tallies.flush()
        health = operator.get("/api/receivers/github-packages").json()["health"]
        assert health["state"] != "heard"
        assert Receiver.objects.get(kind="github-packages").last_accepted_at is None

    @pytest.mark.parametrize(
        ("enabled", "secret", "steps"),
        [
            (False, github.SECRET, {"enabled": "failed"}),
            (True, "", {"proof": "failed"}),
            (False, "", {"proof": "failed", "enabled": "failed"}),
        ],
    )
    def test_it_says_how_to_mend_what_is_missing_and_keeps_nothing(
        self, operator: Program, enabled: bool, secret: str, steps: dict[str, str]
    ) -> None:
        github_receiver(enabled=enabled, secret=secret)
        answer = operator.post(TEST).json()
        decision = "rejected" if enabled else "ignored"
        assert (answer["decision"], answer["deliveryId"]) == (decision, None)
        assert outcomes(answer) == steps
        assert not Delivery.objects.exists()

    @pytest.mark.parametrize("kind", RECEIVERS)
    def test_it_is_there_for_every_kind(self, admin: Program, kind: str) -> None:
        row = Receiver.objects.get(kind=kind)
        Receiver.objects.filter(pk=row.pk).update(enabled=True)
        admin.patch(f"/api/receivers/{kind}", {"secret": "a-secret-for-every-kind-of-them"})
        for key in (kind, row.pk):
            answer = admin.post(f"/api/receivers/{key}/test").json()
            assert answer["deliveryId"], answer

    def test_it_asks_for_the_host_where_no_call_names_one(self, admin: Program) -> None:
        path = "/api/receivers/nexus"
        given = {"secret": "a secret of forty characters", "enabled": True}
        assert admin.patch(path, given).status_code == 200
        answer = admin.post(f"{path}/test").json()
        assert (answer["decision"], outcomes(answer)["image"]) == ("rejected", "failed")
        assert "enter the registry host" in detail(answer, "image")
        admin.patch(path, {"registryHost": "lab.example"})
        assert admin.post(f"{path}/test").json()["decision"] == "processed"

    def test_it_knows_only_receivers(self, admin: Program) -> None:
        for key in ("trigger", "carrier-pigeon", "rcv_" + "0" * 26):
            error_of(admin.post(f"/api/receivers/{key}/test"), 404, "not_found")
            error_of(admin.post(f"/api/receivers/{key}/explain", {"body": ""}), 404, "not_found")


class TestAnExplanation:
    def test_it_says_what_would_happen_and_changes_nothing(
        self, operator: Program, tallies: Tallies
    ) -> None:
        github_receiver()
        tracked("acme/api")
        row = service("ghcr.io/acme/api:1.2.0")
        before = everything()
        answer = operator.post(EXPLAIN, said(github.published())).json()
        tallies.flush()
        assert everything() == before
        assert (answer["decision"], answer["reason"]) == ("processed", None)
        assert (answer["deliveryId"], answer["jobIds"]) == (None, [])
        assert answer["images"][0].startswith("ghcr.io/acme/api:1.2.0@sha256:")
        assert answer["matchedServiceIds"] == [row.pk]
        assert outcomes(answer) == dict.fromkeys(GITHUB, "ok")
        assert detail(answer, "work") == "1 check would be queued."

    def test_it_names_the_work_that_waits_already(self, operator: Program, client: Client) -> None:
        github_receiver()
        tracked("acme/api")
        service("ghcr.io/acme/api:1.2.0")
        github.deliver(client, github.published(), delivery="another")
        answer = operator.post(EXPLAIN, said(github.published())).json()
        assert answer["reusedJobIds"] == [Job.objects.get().pk]
        assert detail(answer, "work") == "1 is waiting or running already."

    def test_it_would_look_for_new_services(self, operator: Program) -> None:
        github_receiver()
        tracked("acme/api")
        answer = operator.post(EXPLAIN, said(github.published())).json()
        assert (answer["fallbackReason"], answer["jobIds"]) == ("no_managed_service_match", [])
        assert "would look for new services" in detail(answer, "work")
        assert not Job.objects.exists()

    def test_it_takes_one_that_is_off_without_proof_and_without_headers(
        self, operator: Program, tallies: Tallies
    ) -> None:
        github_receiver(enabled=False)
        tracked("acme/api")
        service("ghcr.io/acme/api:1.2.0")
        before = everything()
        answer = operator.post(EXPLAIN, {"body": json.dumps(github.published())}).json()
        tallies.flush()
        assert everything() == before
        failed = {step for step, outcome in outcomes(answer).items() if outcome == "failed"}
        assert failed == {"proof", "enabled", "headers"}
        assert "X-Hub-Signature-256" in detail(answer, "proof")
        assert "X-GitHub-Delivery" in detail(answer, "headers")
        assert (answer["decision"], len(answer["matchedServiceIds"])) == ("processed", 1)

    def test_it_says_whether_docker_hub_is_told(self, admin: Program) -> None:
        path = "/api/receivers/docker-hub"
        assert admin.patch(path, {"options": {"callback": True}}).status_code == 200
        call = {
            "push_data": {"tag": "1.2", "pushed_at": 1700000000},
            "repository": {"repo_name": "acme/api"},
            "callback_url": "https://registry.hub.docker.com/u/acme/api/hook/0123456789abcdef/",
        }
        before = everything()
        answer = admin.post(f"{path}/explain", {"body": json.dumps(call)}).json()
        assert detail(answer, "callback") == "Its sender asks to be told, and would be."
        call["callback_url"] = "https://evil.example/u/acme/api/hook/0123456789abcdef/"
        answer = admin.post(f"{path}/explain", {"body": json.dumps(call)}).json()
        assert "nothing is sent" in detail(answer, "callback")
        assert "evil.example" not in str(answer)
        assert everything() == before

    def test_it_knows_the_secret_before_the_present_one(self, operator: Program) -> None:
        row = github_receiver(secret="another secret altogether")
        row.previous_secret = github.SECRET
        row.previous_until = timezone.now() + timedelta(hours=1)
        row.save(update_fields=["previous_secret", "previous_until"])
        answer = operator.post(EXPLAIN, said(github.published())).json()
        assert detail(answer, "proof") == "It knows the secret before the present one."
        Receiver.objects.update(previous_until=timezone.now() - timedelta(hours=1))
        answer = operator.post(EXPLAIN, said(github.published())).json()
        assert outcomes(answer)["proof"] == "failed"

    @pytest.mark.parametrize(
        ("given", "step", "outcome", "decision", "reason"),
        [
            (said(b"{"), "json", "failed", "rejected", "invalid_json"),
            (said(b"\xc3\xa4"), "json", "failed", "rejected", "invalid_json"),
            (said({}, X_GitHub_Event="ping"), "ping", "ended", "processed", "ping"),
            (
                said(github.published(action="deleted")),
                "relevance",
                "ended",
                "ignored",
                "event_not_relevant",
            ),
            (
                said(github.published(image="UPPER CASE/x", repository=None)),
                "image",
                "failed",
                "rejected",
                "invalid_payload",
            ),
            (said(github.published()), "selection", "ended", "ignored", "repo_not_selected"),
        ],
    )
    def test_it_ends_where_the_pipeline_ends(
        self,
        operator: Program,
        given: dict[str, Any],
        step: str,
        outcome: str,
        decision: str,
        reason: str,
    ) -> None:
        github_receiver()
        answer = operator.post(EXPLAIN, given).json()
        assert (answer["decision"], answer["reason"]) == (decision, reason)
        last = answer["steps"][-1]
        assert (last["step"], last["outcome"]) == (step, outcome)
        assert [each["step"] for each in answer["steps"]] == GITHUB[: GITHUB.index(step) + 1]

    def test_it_recognises_one_that_came_before(self, operator: Program, client: Client) -> None:
        github_receiver()
        first = github.deliver(client, github.published(), delivery="guid-1").json()
        answer = operator.post(EXPLAIN, said(github.published())).json()
        assert (answer["reason"], answer["deliveryId"]) == (
            "duplicate_delivery",
            first["deliveryId"],
        )
        assert Delivery.objects.get().attempts == 1

    @pytest.mark.parametrize(
        ("given", "status", "code"),
        [
            ({}, 400, "invalid_argument"),
            ({"body": 5}, 400, "invalid_argument"),
            ({"body": {"action": "published"}}, 400, "invalid_argument"),
            ({"body": "", "headers": ["X: y"]}, 400, "invalid_argument"),
            ({"body": "", "headers": {"x": 5}}, 400, "invalid_argument"),
            ({"body": "", "headers": {"x": "a\nb"}}, 400, "invalid_argument"),
            ({"body": "", "headers": {"x": "\x00"}}, 400, "invalid_argument"),
            ({"body": "", "headers": {"x": "a" * 9000}}, 400, "invalid_argument"),
            ({"body": "", "headers": {"x" * 300: ""}}, 400, "invalid_argument"),
            ({"body": "", "headers": {"\ud800": ""}}, 400, "invalid_argument"),
            ({"body": "", "headers": {str(n): "" for n in range(101)}}, 400, "invalid_argument"),
            ({"body": "a" * 1024 * 1024 + "a"}, 413, "payload_too_large"),
            ({"body": '"' * 1024 * 1024 + "a"}, 413, "payload_too_large"),
            ({"body": "a" * 3 * 1024 * 1024}, 413, "payload_too_large"),
        ],
    )
    def test_it_has_limits(
        self, operator: Program, given: dict[str, Any], status: int, code: str
    ) -> None:
        error_of(operator.post(EXPLAIN, given), status, code)

    @pytest.mark.parametrize(
        "text", ["", "\x00", "\ud800", "[]", "{" * 5000, '{"a": 1e999}', '"' * 1024 * 1024]
    )
    def test_it_reads_whatever_text_a_payload_is(self, operator: Program, text: str) -> None:
        answer = operator.post(EXPLAIN, {"body": text})
        assert answer.status_code == 200, answer.content[:300]
        assert answer.json()["decision"] in {"rejected", "ignored"}

    def test_it_shows_no_secret(self, operator: Program) -> None:
        github_receiver()
        for given in (said(github.published()), said(github.published(), X_Hub_Signature_256="x")):
            assert github.SECRET not in operator.post(EXPLAIN, given).content.decode()

    @pytest.mark.parametrize("kind", RECEIVERS)
    def test_it_reads_every_example_of_every_kind(self, operator: Program, kind: str) -> None:
        Receiver.objects.filter(kind=kind).update(registry_host="lab.example")
        for example in RECEIVERS[kind].examples("abc"):
            given = {"headers": dict(example.headers), "body": json.dumps(example.body)}
            answer = operator.post(f"/api/receivers/{kind}/explain", given).json()
            decided = (answer["decision"], answer["reason"])
            assert decided in {(example.decision, example.reason or None), NOT_SELECTED}

    def test_it_asks_the_database_as_often_for_thirty_services_as_for_three(
        self, operator: Program
    ) -> None:
        github_receiver()
        tracked("acme/api")

        def reads(number: int) -> int:
            for index in range(number):
                service("ghcr.io/acme/api:1.2.0", name=f"{number}-{index}")
            with CaptureQueriesContext(connection) as captured:
                answer = operator.post(EXPLAIN, said(github.published())).json()
            assert len(answer["matchedServiceIds"]) >= number
            return sum('FROM "checks_service"' in query["sql"] for query in captured)

        assert reads(3) == reads(30)


class TestHealth:
    def state(self, viewer: Program) -> dict[str, Any]:
        health: dict[str, Any] = viewer.get("/api/receivers/github-packages").json()["health"]
        return health

    def test_it_says_how_a_receiver_is(self, viewer: Program, client: Client) -> None:
        assert self.state(viewer)["state"] == "off"
        row = github_receiver()
        assert self.state(viewer)["state"] == "no_secret"
        same = Receiver.objects.filter(pk=row.pk)
        same.update(secret_created_at=timezone.now())
        assert self.state(viewer)["state"] == "never_heard"
        same.update(last_accepted_at=timezone.now() - timedelta(days=9))
        assert self.state(viewer)["state"] == "heard"
        found = timezone.now() - timedelta(days=1)
        same.update(silent_at=found)
        health = self.state(viewer)
        assert (health["state"], health["silentSince"] is None) == ("silent", False)
        same.update(last_accepted_at=timezone.now())
        assert self.state(viewer)["state"] == "heard"

    def test_it_counts_refused_calls_since_the_last_that_was_taken(
        self, viewer: Program, client: Client, tallies: Tallies
    ) -> None:
        row = github_receiver()
        Receiver.objects.filter(pk=row.pk).update(secret_created_at=timezone.now())
        for _call in range(2):
            github.deliver(client, b"{}", signature="sha256=0")
        tallies.flush()
        health = self.state(viewer)
        assert (health["state"], health["refusedSince"]) == ("refused", 2)
        assert "Compare the secret" in health["next"]
        github.deliver(client, b"{}", event="ping")
        tallies.flush()
        health = self.state(viewer)
        assert (health["state"], health["refusedSince"], health["next"]) == ("heard", 0, "")
        assert viewer.get("/api/receivers/github-packages").json()["rejectedCount"] == 2
