"""Every call of the trigger is a delivery: who asked for what, and what came of it."""

from __future__ import annotations

import json
from typing import Any

import pytest
import time_machine
from django.db import OperationalError, connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from checks import asking
from checks.kinds import KINDS, JobKind, Outcome
from checks.models import Job
from integrations.models import Delivery, Receiver
from integrations.tallies import Tallies
from tests.callers import (
    ALL,
    CALLERS,
    OWN_SECRET,
    call,
    history,
    last,
    make,
    trigger,
)
from tests.fake_engine import FakeEngine
from tests.pages.rows import candidate
from tests.people import Program, error_of
from tests.rows import service

__all__ = ["trigger"]
pytestmark = pytest.mark.usefixtures("trigger")
UPDATE = {"action": "update", "scope": "service", "serviceId": "shop/api"}


@pytest.fixture(autouse=True)
def _kind(monkeypatch: pytest.MonkeyPatch) -> None:
    """There is somebody who updates."""
    kind = JobKind("update", cluster="long", repeatable=False, run=lambda run: Outcome())
    monkeypatch.setitem(KINDS, "update", kind)


def replay(operator: Program) -> Any:
    return operator.post(f"/api/deliveries/{history(operator)[0]['id']}/replay")


class TestAccepted:
    def test_it_keeps_who_asked_for_what_and_the_job(self, admin: Program, viewer: Program) -> None:
        row = service()
        made = make(admin)
        order = {"action": "check", "scope": "service", "serviceId": "shop/api"}
        job = call(order, made["secret"]).json()["jobId"]
        kept = last(viewer)
        assert (kept["caller"], kept["callerId"]) == ("deploy", made["id"])
        assert (kept["event"], kept["action"], kept["repository"]) == (
            "check",
            "service",
            "shop/api",
        )
        assert (kept["decision"], kept["reason"], kept["refusal"]) == ("processed", None, None)
        assert (kept["jobIds"], kept["reusedJobIds"]) == ([job], [])
        assert kept["matchedServiceIds"] == [row.pk]
        assert json.loads(kept["payload"]) == order
        call(order, made["secret"])
        assert (last(viewer)["jobIds"], last(viewer)["reusedJobIds"]) == ([], [job])
        assert len(history(viewer)) == 2

    def test_it_keeps_calls_with_the_receiver_s_own_secret(self, viewer: Program) -> None:
        call(ALL, OWN_SECRET)
        kept = last(viewer)
        assert (kept["caller"], kept["callerId"]) == (None, None)
        assert (kept["event"], kept["action"], kept["repository"]) == ("check", "all", None)

    def test_it_keeps_every_job_of_an_update_of_everything(
        self, admin: Program, fake_engine: FakeEngine
    ) -> None:
        candidate(fake_engine.deploy())
        secret = make(admin, actions=["update", "dry-run"])["secret"]
        answer = call({"action": "update", "scope": "all"}, secret).json()
        assert last(admin)["jobIds"] == answer.get("jobIds", [answer["jobId"]])
        call({"action": "update", "scope": "all", "dryRun": True}, secret)
        assert (last(admin)["event"], len(last(admin)["jobIds"])) == ("dry-run", 1)

    def test_it_is_found_by_its_caller_and_what_it_named(self, admin: Program) -> None:
        service()
        secret = make(admin, name="部署 of CI")["secret"]
        call({"action": "check", "scope": "stack", "stackId": "shop"}, secret)
        call(ALL, OWN_SECRET)
        for words in ("部署", "shop"):
            found = admin.get(f"/api/deliveries?q={words}").json()["deliveries"]
            assert [each["repository"] for each in found] == ["shop"]

    def test_it_stays_when_its_caller_is_revoked(self, admin: Program) -> None:
        made = make(admin)
        call(ALL, made["secret"])
        admin.delete(f"{CALLERS}/{made['id']}")
        assert (last(admin)["caller"], last(admin)["callerId"]) == ("deploy", None)


class TestRefused:
    @pytest.mark.parametrize(
        ("order", "reason"),
        [
            (b"[", "invalid_json"),
            (b"\xff\xfe", "invalid_json"),
            ({"action": "restart", "scope": "all"}, "invalid_argument"),
            ({"action": "check", "scope": "stack"}, "invalid_argument"),
            ({"action": "check", "scope": "stack", "stackId": "no"}, "not_found"),
            ({"action": "update", "scope": "all"}, "action_not_allowed"),
        ],
    )
    def test_it_says_why(self, admin: Program, order: Any, reason: str) -> None:
        answer = call(order, make(admin)["secret"])
        kept = last(admin)
        assert (kept["decision"], kept["reason"]) == ("rejected", reason)
        assert kept["refusal"] == answer.json()["error"]["message"]
        assert (kept["caller"], kept["jobIds"]) == ("deploy", [])

    def test_it_keeps_what_a_caller_that_is_off_sent(self, admin: Program) -> None:
        made = make(admin)
        admin.patch(f"{CALLERS}/{made['id']}", {"enabled": False})
        call(ALL, made["secret"])
        assert last(admin)["reason"] == "caller_off"

    def test_it_keeps_what_the_own_secret_may_not(self, admin: Program) -> None:
        call({"action": "update", "scope": "all"}, OWN_SECRET)
        assert last(admin)["reason"] == "updates_off"

    def test_it_keeps_why_there_is_no_update(self, admin: Program, fake_engine: FakeEngine) -> None:
        fake_engine.deploy()
        call(UPDATE, make(admin, actions=["update"])["secret"])
        assert last(admin)["reason"] == "nothing_to_update"

    def test_it_keeps_what_broke_here(
        self, admin: Program, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def fail(*_given: Any, **_more: Any) -> None:
            raise ValueError("nobody foresaw this")

        monkeypatch.setattr(asking, "check_everything", fail)
        error = error_of(call(ALL, make(admin)["secret"]), 500, "internal")
        assert "nobody foresaw this" not in json.dumps([error, last(admin)])
        assert last(admin)["reason"] == "internal"

    def test_it_asks_to_try_again_while_the_database_is_busy(
        self, admin: Program, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def fail(*_given: Any, **_more: Any) -> None:
            raise OperationalError("database is locked")

        monkeypatch.setattr(asking, "check_everything", fail)
        answer = call(ALL, make(admin)["secret"])
        error_of(answer, 503, "unavailable")
        assert answer["Retry-After"]

    def test_it_only_counts_who_proves_nothing(self, admin: Program, tallies: Tallies) -> None:
        make(admin)
        for order in (ALL, b"[", b"x" * (1024 * 1024 + 1)):
            call(order, "wrong")
        assert history(admin) == []
        tallies.flush()
        assert Receiver.objects.get(kind="trigger").rejected_count == 2

    def test_it_keeps_one_a_minute_of_those_that_are_too_many(
        self, admin: Program, tallies: Tallies
    ) -> None:
        secret = make(admin, callsPerMinute=1)["secret"]
        with time_machine.travel(timezone.now(), tick=False) as clock:
            for _ in range(2):
                call(ALL, secret)
                for _ in range(5):
                    error_of(call(ALL, secret), 429, "rate_limited")
                clock.shift(61)
        tallies.flush()
        found = sorted((each["reason"] or "", each["attempts"]) for each in history(admin))
        assert found == [("", 1), ("", 1), ("rate_limited", 5), ("rate_limited", 5)]

    def test_it_asks_the_database_as_often_for_each_that_is_too_many(
        self, admin: Program, tallies: Tallies
    ) -> None:
        secret = make(admin, callsPerMinute=1)["secret"]
        for _ in range(2):
            call(ALL, secret)
        with CaptureQueriesContext(connection) as captured:
            error_of(call(ALL, secret), 429, "rate_limited")
        assert len(captured) == 5
        assert not any(query["sql"].startswith("INSERT") for query in captured)


class TestSecrets:
    @pytest.mark.parametrize("named", ["stackId", "action", "note"])
    @pytest.mark.parametrize("own", [True, False])
    def test_it_keeps_the_secret_nowhere(
        self, admin: Program, caplog: pytest.LogCaptureFixture, *, named: str, own: bool
    ) -> None:
        odd = 'a "quoted" \\ secret of mine'
        if own:
            admin.patch("/api/receivers/trigger", {"secret": odd})
        secret = odd if own else make(admin)["secret"]
        headers = {"X-Dockrev-Webhook-Secret": secret, "X-Forwarded-Uri": f"/?{secret}"}
        order = {"action": "check", "scope": "stack", "stackId": "shop", named: secret}
        Program(None).call("POST", "/api/webhooks/trigger", order, **headers)
        row = Delivery.objects.values().get()
        kept = json.dumps([last(admin), {name: str(value) for name, value in row.items()}])
        for written in (secret, json.dumps(secret)[1:-1], json.dumps(json.dumps(secret))[1:-1]):
            assert written not in kept
            assert written not in caplog.text

    def test_it_keeps_no_more_than_a_part_of_a_long_body(self, admin: Program) -> None:
        raw = json.dumps({**ALL, "note": "x" * 1_000_000}).encode()
        assert call(raw, make(admin)["secret"]).status_code == 202
        assert len(Delivery.objects.get().payload) == 256 * 1024
        assert last(admin)["payloadSize"] == 256 * 1024
        refused = error_of(replay(admin), 409, "conflict")
        assert refused["details"] == {"reason": "not_whole"}

    def test_it_keeps_bytes_and_names_of_any_kind(self, admin: Program) -> None:
        secret = make(admin)["secret"]
        for name in ("\ud800", "\x00", "名" * 500, ["a"], {"a": 1}, "a\nb"):
            order = {"action": name, "scope": name, "stackId": name}
            assert call(order, secret).status_code == 400
        assert len(history(admin)) == 6
        last(admin)


class TestReplay:
    def test_it_asks_for_a_check_again(self, admin: Program, operator: Program) -> None:
        call(ALL, make(admin)["secret"])
        Job.objects.all().delete()
        answer = replay(operator)
        job = Job.objects.get()
        assert answer.status_code == 202
        assert answer.json()["jobIds"] == [job.pk]
        assert (job.kind, job.created_by, job.reason) == ("check.all", "deploy", "webhook")
        assert (last(admin)["attempts"], last(admin)["jobIds"]) == (2, [job.pk])

    def test_it_plans_a_dry_run_again(
        self, admin: Program, operator: Program, fake_engine: FakeEngine
    ) -> None:
        candidate(fake_engine.deploy())
        call({**UPDATE, "dryRun": True}, make(admin, actions=["dry-run"])["secret"])
        assert replay(operator).status_code == 202
        assert Job.objects.filter(kind="update", status="success").count() == 2

    def test_it_repeats_no_update(
        self, admin: Program, operator: Program, fake_engine: FakeEngine
    ) -> None:
        candidate(fake_engine.deploy())
        call(UPDATE, make(admin, actions=["update"])["secret"])
        error = error_of(replay(operator), 409, "conflict")
        assert error["details"] == {"reason": "update_not_replayed"}
        assert Job.objects.count() == 1

    def test_it_goes_by_what_the_caller_may_by_now(self, admin: Program, operator: Program) -> None:
        row = service()
        made = make(admin, stackIds=[])
        path = f"{CALLERS}/{made['id']}"
        call({"action": "check", "scope": "stack", "stackId": "shop"}, made["secret"])
        answer = replay(operator)
        assert answer.status_code == 200
        assert (answer.json()["decision"], answer.json()["reason"]) == (
            "rejected",
            "stack_not_allowed",
        )
        admin.patch(path, {"stackIds": [row.stack_id]})
        assert replay(operator).json()["decision"] == "processed"
        assert (last(admin)["decision"], last(admin)["refusal"]) == ("processed", None)
        admin.patch(path, {"enabled": False})
        assert replay(operator).json()["reason"] == "caller_off"

    def test_it_does_nothing_for_a_caller_that_was_revoked(
        self, admin: Program, operator: Program
    ) -> None:
        made = make(admin)
        call(ALL, made["secret"])
        admin.delete(f"{CALLERS}/{made['id']}")
        error = error_of(replay(operator), 409, "conflict")
        assert error["details"] == {"reason": "caller_revoked"}

    def test_it_does_nothing_while_the_trigger_is_off(
        self, admin: Program, operator: Program
    ) -> None:
        call(ALL, OWN_SECRET)
        admin.patch("/api/receivers/trigger", {"enabled": False})
        error = error_of(replay(operator), 409, "conflict")
        assert error["details"] == {"reason": "disabled"}

    def test_it_is_for_operators(self, viewer: Program) -> None:
        call(ALL, OWN_SECRET)
        error_of(replay(viewer), 403, "permission_denied")
