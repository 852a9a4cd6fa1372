"""Callers of a trigger: what an admin makes of them, and how far each comes with its secret."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from checks.kinds import KINDS, JobKind, Outcome
from checks.models import Host, Job, Stack
from integrations import callers as limits
from integrations.models import Receiver, TriggerCaller
from integrations.tallies import Tallies
from tests.callers import ALL, CALLERS, OWN_SECRET, call, history, make, trigger
from tests.fake_engine import FakeEngine
from tests.pages.rows import candidate
from tests.people import Program, error_of
from tests.rows import service

__all__ = ["trigger"]
pytestmark = pytest.mark.usefixtures("trigger")
STACK = {"action": "check", "scope": "stack"}
SERVICE = {"action": "check", "scope": "service"}


@pytest.fixture(autouse=True)
def _kind(monkeypatch: pytest.MonkeyPatch) -> None:
    """There is somebody who updates."""
    kind = JobKind("update", cluster="long", repeatable=False, run=lambda run: Outcome())
    monkeypatch.setitem(KINDS, "update", kind)


class TestMaking:
    def test_it_shows_the_secret_once(self, admin: Program) -> None:
        made = make(admin, name="deploy", actions=["update", "check"], callsPerMinute=5)
        secret = made.pop("secret")
        assert len(secret) >= 43
        assert (made["name"], made["enabled"], made["callsPerMinute"]) == ("deploy", True, 5)
        assert (made["actions"], made["stackIds"]) == (["check", "update"], None)
        assert (made["lastUsedAt"], made["previousValidUntil"]) == (None, None)
        assert admin.get(f"{CALLERS}/{made['id']}").json() == made
        assert admin.get(CALLERS).json()["callers"] == [made]

    def test_it_keeps_nothing_that_the_secret_can_be_read_from(self, admin: Program) -> None:
        secret = make(admin)["secret"]
        row = TriggerCaller.objects.values().get()
        assert not any(secret in str(value) for value in row.values())

    @pytest.mark.parametrize(
        ("change", "field"),
        [
            ({"name": ""}, "name"),
            ({"name": "a" * 61}, "name"),
            ({"name": "two\nlines"}, "name"),
            ({"name": "\u202eevil"}, "name"),
            ({"name": "\x00"}, "name"),
            ({"name": 5}, "name"),
            ({"actions": ["restart"]}, "actions.0"),
            ({"actions": "check"}, "actions"),
            ({"actions": ["check"] * 4}, "actions"),
            ({"stackIds": "shop"}, "stackIds"),
            ({"stackIds": ["stk_" + "0" * 26]}, "stackIds"),
            ({"stackIds": ["stk_" + "0" * 26] * 201}, "stackIds"),
            ({"callsPerMinute": 0}, "callsPerMinute"),
            ({"callsPerMinute": 1001}, "callsPerMinute"),
            ({"enabled": "yes"}, "enabled"),
        ],
    )
    def test_it_names_the_field_that_is_wrong(
        self, admin: Program, change: dict[str, Any], field: str
    ) -> None:
        order = {"name": "deploy", "actions": ["check"], "stackIds": None, **change}
        error = error_of(admin.post(CALLERS, order), 400, "invalid_argument")
        assert error["details"]["field"] == field
        made = make(admin, name="other")
        refused = admin.patch(f"{CALLERS}/{made['id']}", change)
        assert error_of(refused, 400, "invalid_argument")["details"]["field"] == field

    @pytest.mark.parametrize("left_out", ["name", "actions", "stackIds"])
    def test_it_assumes_no_limit_that_nobody_said(self, admin: Program, left_out: str) -> None:
        order = {"name": "deploy", "actions": ["check"], "stackIds": None}
        del order[left_out]
        error = error_of(admin.post(CALLERS, order), 400, "invalid_argument")
        assert error["details"]["field"] == left_out

    @pytest.mark.parametrize(
        "same", ["Straße", "STRASSE", "STRA\N{FULLWIDTH LATIN SMALL LETTER S}SE", " straße "]
    )
    def test_it_takes_a_name_once_however_it_is_written(self, admin: Program, same: str) -> None:
        make(admin, name="Straße")
        order = {"name": same, "actions": ["check"], "stackIds": None}
        error = error_of(admin.post(CALLERS, order), 400, "invalid_argument")
        assert error["details"]["field"] == "name"

    def test_it_takes_names_of_any_language(self, admin: Program) -> None:
        for name in ("部署", "déploiement", "\ufdfa" * 60, "CI 🚀"):
            secret = make(admin, name=name)["secret"]
            assert call(ALL, secret).status_code == 202
            assert history(admin)[0]["caller"] == name
        assert set(Job.objects.values_list("created_by", flat=True)) == {"部署"}

    def test_it_makes_no_more_than_a_hundred(self, admin: Program) -> None:
        for number in range(limits.MAX_CALLERS):
            make(admin, name=f"caller {number}")
        order = {"name": "one more", "actions": ["check"], "stackIds": None}
        error = error_of(admin.post(CALLERS, order), 409, "conflict")
        assert error["details"]["reason"] == "too_many"

    def test_it_lists_many_with_as_many_queries_as_few(self, admin: Program) -> None:
        ids = [service(name="api", stack=f"stack-{number}").stack_id for number in range(5)]

        def queries(number: int) -> int:
            for index in range(number):
                make(admin, name=f"{number} {index}", stackIds=ids)
            with CaptureQueriesContext(connection) as captured:
                admin.get(CALLERS)
            return len(captured)

        assert queries(2) == queries(20)

    def test_it_belongs_to_a_trigger(self, admin: Program) -> None:
        made = make(admin)
        other = admin.post("/api/receivers", {"kind": "trigger", "name": "Other"}).json()["id"]
        for receiver in (other, "github-packages", "nothing"):
            path = f"/api/receivers/{receiver}/callers/{made['id']}"
            error_of(admin.get(path), 404, "not_found")
            error_of(admin.delete(path), 404, "not_found")
        error_of(admin.get("/api/receivers/github-packages/callers"), 404, "not_found")


class TestActions:
    @pytest.mark.parametrize("allowed", ["check", "dry-run", "update"])
    def test_it_does_what_it_may_and_nothing_else(
        self, admin: Program, fake_engine: FakeEngine, allowed: str
    ) -> None:
        candidate(fake_engine.deploy())
        secret = make(admin, actions=[allowed])["secret"]
        orders: dict[str, dict[str, Any]] = {
            "check": {"action": "check"},
            "dry-run": {"action": "update", "dryRun": True},
            "update": {"action": "update"},
        }
        for action, order in orders.items():
            answer = call({**order, "scope": "all"}, secret)
            if action == allowed:
                assert answer.status_code == 202, answer.content
                continue
            error = error_of(answer, 403, "permission_denied")
            assert error["details"] == {"reason": "action_not_allowed", "allowed": [allowed]}
        assert Job.objects.count() == 1

    def test_it_needs_no_switch_of_the_trigger_for_updates(
        self, admin: Program, fake_engine: FakeEngine
    ) -> None:
        candidate(fake_engine.deploy())
        secret = make(admin, actions=["update"])["secret"]
        order = {"action": "update", "scope": "all"}
        assert call(order, secret).status_code == 202
        error = error_of(call(order, OWN_SECRET), 409, "conflict")
        assert error["details"] == {"reason": "updates_off"}

    def test_it_updates_targets_of_its_stack_only(
        self, admin: Program, fake_engine: FakeEngine
    ) -> None:
        row = fake_engine.deploy()
        found = candidate(row)
        elsewhere = service(name="api", stack="other")
        secret = make(admin, actions=["update"], stackIds=[row.stack_id])["secret"]
        order = {"action": "update", "scope": "stack", "stackId": "shop"}
        target = {"serviceId": elsewhere.pk, "targetTag": "1.3.0"}
        error = error_of(call({**order, "targets": [target]}, secret), 400, "invalid_argument")
        assert error["details"] == {"field": "targets"}
        target = {"serviceId": row.pk, "targetTag": "0.0.1"}
        error = error_of(call({**order, "targets": [target]}, secret), 409, "conflict")
        assert error["details"]["reason"] == "target_moved"
        target = {"serviceId": row.pk, "targetTag": found.tag, "targetDigest": found.digest}
        answer = call({**order, "targets": [target]}, secret)
        assert answer.status_code == 202, answer.content
        assert Job.objects.get().created_by == "deploy"

    def test_it_takes_another_architecture_only_where_that_is_said(
        self, admin: Program, fake_engine: FakeEngine
    ) -> None:
        row = fake_engine.deploy()
        found = candidate(row)
        found.arch = "mismatch"
        found.save(update_fields=["arch"])
        secret = make(admin, actions=["update"])["secret"]
        order = {"action": "update", "scope": "service", "serviceId": "shop/api"}
        error = error_of(call(order, secret), 409, "conflict")
        assert error["details"]["reason"] == "arch_mismatch"
        assert call({**order, "allowArchMismatch": True}, secret).status_code == 202

    def test_it_says_whether_data_is_backed_up(
        self, admin: Program, fake_engine: FakeEngine
    ) -> None:
        candidate(fake_engine.deploy())
        volume = {"Type": "volume", "Name": "data", "Destination": "/data", "RW": True}
        fake_engine.containers[-1]["Mounts"] = [volume]
        secret = make(admin, actions=["update"])["secret"]
        order = {"action": "update", "scope": "service", "serviceId": "shop/api"}
        error = error_of(call({**order, "backupMode": "no"}, secret), 400, "invalid_argument")
        assert error["details"] == {"field": "backupMode"}
        saved = {}
        for mode in ("inherit", "skip", "force"):
            Job.objects.all().delete()
            assert call({**order, "backupMode": mode}, secret).status_code == 202
            [change] = Job.objects.get().params["plan"]["changes"]
            saved[mode] = [each["how"] for each in change["data"]]
        assert saved == {"inherit": ["skip"], "skip": ["skip"], "force": ["live"]}


class TestStacks:
    def test_it_asks_for_its_stacks_by_id_and_by_name(self, admin: Program) -> None:
        shop, blog = service(), service(stack="blog")
        secret = make(admin, stackIds=[shop.stack_id, blog.stack_id])["secret"]
        for row in (shop, blog):
            for called in (row.stack_id, row.stack.name):
                assert call({**STACK, "stackId": called}, secret).status_code == 202
            for called in (row.pk, f"{row.stack.name}/api"):
                assert call({**SERVICE, "serviceId": called}, secret).status_code == 202
        assert Job.objects.count() == 4

    def test_it_may_not_ask_for_all(self, admin: Program) -> None:
        secret = make(admin, actions=["check", "update"], stackIds=[service().stack_id])["secret"]
        for action in ("check", "update"):
            error = error_of(
                call({"action": action, "scope": "all"}, secret), 403, "permission_denied"
            )
            assert error["details"] == {"reason": "scope_not_allowed"}
        assert not Job.objects.exists()

    def test_it_learns_nothing_of_other_stacks(self, admin: Program, operator: Program) -> None:
        """Those that are there, archived, ambiguous or not there at all are refused alike."""
        mine, other = service(), service(stack="other")
        nas = Host.objects.create(name="nas")
        Stack.objects.create(host=nas, name="other", source=Stack.Source.ENGINE)
        hidden = service(stack="hidden")
        operator.post(f"/api/stacks/{hidden.stack_id}/archive")
        secret = make(admin, stackIds=[mine.stack_id])["secret"]
        stacks = ["other", "hidden", "nothing", other.stack_id, "stk_" + "0" * 26]
        services = ["other/api", "hidden/api", "nothing/api", other.pk, "svc_" + "0" * 26]
        answers = {call({**STACK, "stackId": each}, secret).content for each in stacks}
        assert len(answers) == 1
        answers = {call({**SERVICE, "serviceId": each}, secret).content for each in services}
        assert len(answers) == 1
        error = error_of(
            call({**SERVICE, "serviceId": "other/api"}, secret), 403, "permission_denied"
        )
        assert error["details"] == {"reason": "stack_not_allowed", "field": "serviceId"}
        assert not Job.objects.exists()

    def test_it_means_its_own_where_a_name_is_ambiguous(self, admin: Program) -> None:
        mine = service()
        nas = Host.objects.create(name="nas")
        twin = Stack.objects.create(host=nas, name="shop", source=Stack.Source.ENGINE)
        limited = make(admin, name="limited", stackIds=[mine.stack_id])["secret"]
        answer = call({**STACK, "stackId": "shop"}, limited)
        assert Job.objects.get(pk=answer.json()["jobId"]).stack_id == mine.stack_id
        both = make(admin, name="both", stackIds=[mine.stack_id, twin.pk])["secret"]
        error = error_of(call({**STACK, "stackId": "shop"}, both), 400, "invalid_argument")
        assert error["details"]["matches"] == ["local:shop", "nas:shop"]

    def test_it_may_do_nothing_once_its_stack_is_deleted(self, admin: Program) -> None:
        row = service()
        made = make(admin, stackIds=[row.stack_id])
        row.stack.delete()
        again = service()
        for order in (ALL, {**STACK, "stackId": "shop"}, {**SERVICE, "serviceId": again.pk}):
            error_of(call(order, made["secret"]), 403, "permission_denied")
        assert admin.get(f"{CALLERS}/{made['id']}").json()["stackIds"] == []
        admin.patch(f"{CALLERS}/{made['id']}", {"enabled": True, "actions": ["check"]})
        error_of(call(ALL, made["secret"]), 403, "permission_denied")
        assert not Job.objects.exists()

    def test_a_change_of_something_else_keeps_its_limits(self, admin: Program) -> None:
        stack = service().stack_id
        made = make(admin, stackIds=[stack])
        changed = admin.patch(f"{CALLERS}/{made['id']}", {"name": "renamed"}).json()
        assert (changed["name"], changed["stackIds"]) == ("renamed", [stack])
        changed = admin.patch(f"{CALLERS}/{made['id']}", {"stackIds": None}).json()
        assert changed["stackIds"] is None
        assert call(ALL, made["secret"]).status_code == 202

    def test_it_asks_the_database_as_often_whatever_it_is_limited_to(self, admin: Program) -> None:
        stacks = [service(stack=f"stack-{number}").stack_id for number in range(30)]
        one = make(admin, name="one", stackIds=stacks[:1])["secret"]
        many = make(admin, name="many", stackIds=stacks)["secret"]

        def queries(secret: str) -> int:
            Job.objects.all().delete()
            with CaptureQueriesContext(connection) as captured:
                assert call({**STACK, "stackId": "stack-0"}, secret).status_code == 202
            return len(captured)

        queries(one)
        assert queries(one) == queries(many)


class TestSecrets:
    def test_it_takes_the_old_one_for_a_day(self, admin: Program) -> None:
        made = make(admin)
        path = f"{CALLERS}/{made['id']}"
        fresh = admin.post(f"{path}/rotate").json()
        assert fresh["previousValidUntil"]
        for secret in (made["secret"], fresh["secret"]):
            assert call(ALL, secret).status_code == 202
        with time_machine.travel(timezone.now() + timedelta(hours=25)):
            error_of(call(ALL, made["secret"]), 401, "invalid_signature")
            assert call(ALL, fresh["secret"]).status_code == 202
        assert "secret" not in admin.get(path).json()

    def test_it_ends_the_old_one_at_once_where_that_is_wanted(self, admin: Program) -> None:
        made = make(admin)
        fresh = admin.post(f"{CALLERS}/{made['id']}/rotate", {"keepOld": False}).json()
        assert fresh["previousValidUntil"] is None
        error_of(call(ALL, made["secret"]), 401, "invalid_signature")
        assert call(ALL, fresh["secret"]).status_code == 202

    def test_it_is_refused_as_a_stranger_once_it_is_revoked(self, admin: Program) -> None:
        made = make(admin)
        assert admin.delete(f"{CALLERS}/{made['id']}").status_code == 204
        stranger = call(ALL, "drt_" + "0" * 43)
        revoked = call(ALL, made["secret"])
        error_of(revoked, 401, "invalid_signature")
        assert revoked.content == stranger.content

    def test_it_says_that_it_is_switched_off(self, admin: Program) -> None:
        made = make(admin)
        path = f"{CALLERS}/{made['id']}"
        admin.patch(path, {"enabled": False})
        error = error_of(call(ALL, made["secret"]), 403, "permission_denied")
        assert error["details"] == {"reason": "caller_off"}
        admin.patch(path, {"enabled": True})
        assert call(ALL, made["secret"]).status_code == 202

    def test_it_is_off_with_its_trigger(self, admin: Program, tallies: Tallies) -> None:
        secret = make(admin)["secret"]
        admin.patch("/api/receivers/trigger", {"enabled": False})
        error = error_of(call(ALL, secret), 409, "conflict")
        assert error["details"] == {"reason": "disabled"}
        tallies.flush()
        assert Receiver.objects.get(kind="trigger").disabled_count == 1

    def test_it_calls_nothing_but_the_trigger(self, admin: Program) -> None:
        made = make(admin)
        for kind in ("github-packages", "oci"):
            headers = {"X-Dockrev-Webhook-Secret": made["secret"]}
            answer = Program(None).call("POST", f"/api/webhooks/{kind}", ALL, **headers)
            error_of(answer, 401, "invalid_signature")
        bearer = {"Authorization": f"Bearer {made['secret']}"}
        error_of(Program(None).call("GET", "/api/jobs", **bearer), 401, "auth_required")

    @pytest.mark.parametrize("wrong", ["", "drt_", "x" * 5000, "é" * 20, "drt_%", "\ufdfa"])
    def test_it_lets_in_nobody_without_a_secret(self, admin: Program, wrong: str) -> None:
        """A caller that was never given another one has no secret before the present."""
        made = make(admin)
        for secret in (wrong, made["secret"][:-1], made["secret"].upper(), made["id"]):
            error_of(call(ALL, secret), 401, "invalid_signature")
        assert history(admin) == []

    def test_it_says_when_it_was_last_used(self, admin: Program) -> None:
        made, other = make(admin), make(admin, name="other")
        call(ALL, made["secret"])
        used = {each["id"]: each["lastUsedAt"] for each in admin.get(CALLERS).json()["callers"]}
        assert used[made["id"]] is not None
        assert used[other["id"]] is None


class TestPace:
    def test_it_limits_each_caller_for_itself(self, admin: Program) -> None:
        fast = make(admin, name="fast", callsPerMinute=2)["secret"]
        other = make(admin, name="other", callsPerMinute=2)["secret"]
        with time_machine.travel(timezone.now(), tick=False) as clock:
            for _ in range(2):
                assert call(ALL, fast).status_code == 202
            clock.shift(15)
            refused = call(ALL, fast)
            error_of(refused, 429, "rate_limited")
            assert refused["Retry-After"] == "45"
            assert call(ALL, other).status_code == 202
            assert call(ALL, OWN_SECRET).status_code == 202
            clock.shift(45)
            assert call(ALL, fast).status_code == 202

    def test_it_counts_calls_that_are_refused(self, admin: Program) -> None:
        secret = make(admin, actions=[], callsPerMinute=2)["secret"]
        for order in (ALL, b"["):
            assert call(order, secret).status_code in (400, 403)
        error_of(call(ALL, secret), 429, "rate_limited")

    def test_it_begins_anew_where_the_clock_was_set_back(self, admin: Program) -> None:
        secret = make(admin, callsPerMinute=1)["secret"]
        with time_machine.travel(timezone.now() + timedelta(days=1), tick=False):
            assert call(ALL, secret).status_code == 202
        assert call(ALL, secret).status_code == 202

    def test_it_limits_the_receiver_s_own_secret_too(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(limits, "CALLS_OF_OWN_SECRET", 1)
        assert call(ALL, OWN_SECRET).status_code == 202
        error_of(call(ALL, OWN_SECRET), 429, "rate_limited")

    def test_it_limits_no_right_secret_for_the_wrong_ones_of_its_address(
        self, admin: Program
    ) -> None:
        secret = make(admin)["secret"]
        for _ in range(101):
            call(ALL, "wrong")
        error_of(call(ALL, "wrong"), 429, "rate_limited")
        assert call(ALL, secret).status_code == 202
