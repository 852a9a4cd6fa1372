"""The trigger, as CI and scripts call it."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client
from pytest_django import Settings

from checks.kinds import KINDS, JobKind, Outcome
from checks.models import Host, Job, Service, Stack
from dockrev.fields import MASK
from integrations.models import Delivery, Receiver
from integrations.tallies import Tallies
from tests.fake_engine import FakeEngine
from tests.pages.rows import candidate
from tests.people import Program, error_of
from tests.rows import service

PATH = "/api/webhooks/trigger"
RECEIVER = "/api/receivers/trigger"
SECRET = "a secret of the trigger"
OF_ENVIRONMENT = "a secret of the environment"
ALL = {"action": "check", "scope": "all"}


def call(order: Any, secret: str = SECRET, path: str = PATH) -> Any:
    program = Program(None)
    headers = {"X-Dockrev-Webhook-Secret": secret} if secret else {}
    return program.call("POST", path, order, **headers)


@pytest.fixture
def trigger(db: None) -> Receiver:
    """The one that is there from the first start, set up."""
    row = Receiver.objects.get(kind="trigger")
    row.enabled, row.secret, row.name, row.options = True, SECRET, "CI", {"updates": True}
    row.save(update_fields=["enabled", "secret", "name", "options"])
    return row


def twin_of(row: Service, *, host: str = "nas") -> Service:
    """A service of the same names on another host."""
    stack = Stack.objects.create(
        host=Host.objects.create(name=host), name=row.stack.name, source=row.stack.source
    )
    return Service.objects.create(
        stack=stack, name=row.name, image_ref=row.image_ref, state=row.state
    )


@pytest.mark.usefixtures("trigger")
class TestCheck:
    @pytest.mark.parametrize("path", [PATH, f"{PATH}/"])
    def test_it_checks_everything_and_tells(self, path: str) -> None:
        answer = call(ALL, path=path)
        assert answer.status_code == 202
        job = Job.objects.get()
        assert answer.json() == {"ok": True, "jobId": job.pk}
        assert (job.kind, job.reason, job.created_by) == ("check.all", "webhook", "CI")
        assert (job.notify, job.by_delivery) == (True, False)
        assert Delivery.objects.get().job_ids == [job.pk]

    def test_it_checks_a_stack_by_id_and_by_name(self) -> None:
        row = service()
        for called in (row.stack_id, "shop"):
            answer = call({"action": "check", "scope": "stack", "stackId": called})
            job = Job.objects.get(pk=answer.json()["jobId"])
            assert (job.kind, job.stack_id, job.notify) == ("check.stack", row.stack_id, True)

    def test_it_checks_a_service_by_id_and_by_name(self) -> None:
        row = service()
        for called in (row.pk, "shop/api"):
            answer = call({"action": "check", "scope": "service", "serviceId": called})
            job = Job.objects.get(pk=answer.json()["jobId"])
            assert (job.kind, job.service_id, job.notify) == ("check.service", row.pk, True)

    def test_it_has_a_check_told_that_somebody_else_asked_for(self, operator: Program) -> None:
        first = operator.post("/api/checks", {"scope": "all"}).json()["jobId"]
        assert call(ALL).json()["jobId"] == first
        assert Job.objects.get().notify is True

    def test_it_lists_what_an_ambiguous_name_may_mean(self) -> None:
        twin = twin_of(service())
        answer = call({"action": "check", "scope": "service", "serviceId": "shop/api"})
        error = error_of(answer, 400, "invalid_argument")
        names = ["local:shop/api", "nas:shop/api"]
        assert error["details"] == {"field": "serviceId", "matches": names}
        assert all(name in error["message"] for name in names)
        answer = call({"action": "check", "scope": "stack", "stackId": "shop"})
        error = error_of(answer, 400, "invalid_argument")
        assert error["details"] == {"field": "stackId", "matches": ["local:shop", "nas:shop"]}
        assert not Job.objects.exists()
        by_id = call({"action": "check", "scope": "service", "serviceId": twin.pk})
        assert Job.objects.get(pk=by_id.json()["jobId"]).service_id == twin.pk

    def test_it_means_the_one_that_is_not_archived(self, operator: Program) -> None:
        here = service()
        order = {"action": "check", "scope": "service", "serviceId": "shop/api"}
        operator.post(f"/api/stacks/{twin_of(here).stack_id}/archive")
        answer = call(order)
        assert Job.objects.get(pk=answer.json()["jobId"]).service_id == here.pk
        operator.post(f"/api/services/{here.pk}/archive")
        assert error_of(call(order), 409, "conflict")["details"] == {"reason": "archived"}

    @pytest.mark.parametrize(
        ("scope", "field", "called"),
        [
            ("service", "serviceId", "svc_" + "0" * 26),
            ("service", "serviceId", "shop/nothing"),
            ("service", "serviceId", "api"),
            ("service", "serviceId", "local:shop/api"),
            ("service", "serviceId", "/"),
            ("stack", "stackId", "stk_" + "0" * 26),
            ("stack", "stackId", "shop/api"),
            ("stack", "stackId", "%"),
        ],
    )
    def test_it_finds_nothing_that_is_not_there(self, scope: str, field: str, called: str) -> None:
        service()
        answer = call({"action": "check", "scope": scope, field: called})
        assert error_of(answer, 404, "not_found")["details"] == {"field": field}
        assert not Job.objects.exists()


@pytest.mark.usefixtures("trigger")
class TestRefusal:
    @pytest.mark.parametrize(
        ("order", "field"),
        [
            ({}, "action"),
            ({"scope": "all"}, "action"),
            ({"action": "check"}, "scope"),
            ({"action": "restart", "scope": "all"}, "action"),
            ({"action": "update", "scope": "service"}, "serviceId"),
            ({"action": "update", "scope": "all", "dryRun": "yes"}, "dryRun"),
            ({"action": "update", "scope": "all", "allowArchMismatch": 1}, "allowArchMismatch"),
            ({"action": ["check"], "scope": "all"}, "action"),
            ({"action": {"check": 1}, "scope": "all"}, "action"),
            ({"action": True, "scope": "all"}, "action"),
            ({"action": "check", "scope": "planet"}, "scope"),
            ({"action": "check", "scope": None}, "scope"),
            ({"action": "check", "scope": "service"}, "serviceId"),
            ({"action": "check", "scope": "service", "stackId": "shop"}, "serviceId"),
            ({"action": "check", "scope": "service", "serviceId": ""}, "serviceId"),
            ({"action": "check", "scope": "service", "serviceId": None}, "serviceId"),
            ({"action": "check", "scope": "service", "serviceId": 5}, "serviceId"),
            ({"action": "check", "scope": "service", "serviceId": ["shop/api"]}, "serviceId"),
            ({"action": "check", "scope": "service", "serviceId": "a\x00/b"}, "serviceId"),
            ({"action": "check", "scope": "service", "serviceId": "\ud800/b"}, "serviceId"),
            ({"action": "check", "scope": "service", "serviceId": "a" * 512}, "serviceId"),
            ({"action": "check", "scope": "stack"}, "stackId"),
            ({"action": "check", "scope": "stack", "stackId": {"pk": "shop"}}, "stackId"),
        ],
    )
    def test_it_names_the_field_that_is_wrong(self, order: Any, field: str) -> None:
        error = error_of(call(order), 400, "invalid_argument")
        assert error["details"] == {"field": field}
        assert not Job.objects.exists()

    @pytest.mark.parametrize(
        "raw",
        [b"[", b"[]", b"null", b'"check"', b"\xff\xfe", b"[" * 100_000, b'{"a": NaN}'],
    )
    def test_it_refuses_what_is_no_object(self, raw: bytes) -> None:
        error_of(call(raw), 400, "invalid_json")

    def test_it_reads_no_more_than_a_megabyte(self) -> None:
        raw = b'{"action": "check", "scope": "all"}'
        assert call(raw.ljust(1024 * 1024)).status_code == 202
        error_of(call(raw.ljust(1024 * 1024 + 1)), 413, "payload_too_large")

    @pytest.mark.parametrize("method", ["GET", "PUT", "PATCH", "DELETE"])
    def test_it_is_only_posted_to(self, client: Client, method: str) -> None:
        error_of(client.generic(method, PATH), 405, "method_not_allowed")


@pytest.mark.usefixtures("trigger")
class TestSecret:
    @pytest.mark.parametrize(
        "wrong", ["", "no", SECRET[:-1], SECRET + "x", SECRET.upper(), "é" * 20, "ü\U0001f600" * 9]
    )
    def test_it_lets_in_nobody_without_the_secret(self, wrong: str) -> None:
        refusals = {call(body, wrong).content for body in (ALL, {}, b"[", {"action": "update"})}
        Receiver.objects.update(enabled=False)
        refusals.add(call(ALL, wrong).content)
        assert len(refusals) == 1
        error_of(call(ALL, wrong), 401, "invalid_signature")
        assert not Job.objects.exists()

    def test_it_takes_no_token_and_no_session_for_it(self, admin: Program) -> None:
        error_of(admin.post(PATH, ALL), 401, "invalid_signature")

    @pytest.mark.parametrize(
        "secret", ["Schlüssel mit Ümlauten", " sixteen and more", "sixteen and more ", " " * 20]
    )
    def test_it_takes_no_secret_that_no_header_carries(self, admin: Program, secret: str) -> None:
        refused = admin.patch(RECEIVER, {"secret": secret})
        assert error_of(refused, 400, "invalid_argument")["details"] == {"field": "secret"}
        assert admin.patch(RECEIVER, {"secret": MASK, "name": "CI"}).status_code == 200
        assert call(ALL).status_code == 202

    def test_it_refuses_another_kind_of_receiver_s_secret(self) -> None:
        other = Receiver.objects.get(kind="github-packages")
        other.enabled, other.secret = True, "a secret of GitHub Packages"
        other.save(update_fields=["enabled", "secret"])
        error_of(call(ALL, other.secret), 401, "invalid_signature")

    def test_it_limits_failures_only(self, tallies: Tallies) -> None:
        for _ in range(100):
            error_of(call(ALL, "wrong"), 401, "invalid_signature")
        assert error_of(call(ALL, "wrong"), 429, "rate_limited")
        assert call(ALL, "wrong")["Retry-After"] == "60"
        assert call(ALL).status_code == 202
        tallies.flush()
        row = Receiver.objects.get(kind="trigger")
        assert row.rejected_count == 102
        assert row.last_accepted_at is not None

    def test_it_takes_the_old_secret_for_a_while(self, admin: Program) -> None:
        fresh = admin.post(f"{RECEIVER}/rotate").json()
        assert fresh["url"] == f"http://testserver{PATH}"
        assert call(ALL, fresh["secret"]).status_code == 202
        assert call(ALL).status_code == 202
        admin.patch(RECEIVER, {"secret": "set by hand, for a reason"})
        error_of(call(ALL), 401, "invalid_signature")

    def test_it_says_that_it_is_off(self, admin: Program, tallies: Tallies) -> None:
        admin.patch(RECEIVER, {"enabled": False})
        assert error_of(call(ALL), 409, "conflict")["details"] == {"reason": "disabled"}
        tallies.flush()
        assert Receiver.objects.get(kind="trigger").disabled_count == 1
        assert not Job.objects.exists()


@pytest.mark.django_db
class TestFirstStart:
    def test_it_is_off_and_without_a_secret(self, admin: Program) -> None:
        shown = admin.get(RECEIVER).json()
        assert (shown["enabled"], shown["secretMasked"]) == (False, None)
        assert "X-Dockrev-Webhook-Secret" in shown["proof"]
        refused = admin.patch(RECEIVER, {"enabled": True})
        assert error_of(refused, 400, "invalid_argument")["details"] == {"field": "secret"}
        Receiver.objects.filter(kind="trigger").update(enabled=True)
        error_of(call(ALL, ""), 401, "invalid_signature")

    def test_it_has_its_secret_of_the_environment(self, admin: Program, settings: Settings) -> None:
        settings.WEBHOOK_SECRET = OF_ENVIRONMENT
        assert admin.get(RECEIVER).json()["secretMasked"] == MASK
        error_of(call(ALL, OF_ENVIRONMENT), 409, "conflict")
        assert admin.patch(RECEIVER, {"enabled": True}).status_code == 200
        assert call(ALL, OF_ENVIRONMENT).status_code == 202

    def test_it_prefers_the_secret_of_the_row(self, admin: Program, settings: Settings) -> None:
        settings.WEBHOOK_SECRET = OF_ENVIRONMENT
        admin.patch(RECEIVER, {"enabled": True, "secret": SECRET})
        assert call(ALL).status_code == 202
        error_of(call(ALL, OF_ENVIRONMENT), 401, "invalid_signature")

    def test_it_rotates_away_from_the_environment(self, admin: Program, settings: Settings) -> None:
        settings.WEBHOOK_SECRET = OF_ENVIRONMENT
        admin.patch(RECEIVER, {"enabled": True})
        fresh = admin.post(f"{RECEIVER}/rotate").json()
        assert fresh["previousValidUntil"]
        for secret in (OF_ENVIRONMENT, fresh["secret"]):
            assert call(ALL, secret).status_code == 202

    def test_it_gives_that_secret_to_no_other_receiver(
        self, admin: Program, settings: Settings
    ) -> None:
        settings.WEBHOOK_SECRET = OF_ENVIRONMENT
        refused = admin.patch("/api/receivers/github-packages", {"enabled": True})
        error_of(refused, 400, "invalid_argument")


@pytest.mark.usefixtures("trigger")
class TestUpdate:
    @pytest.fixture(autouse=True)
    def _kind(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """There is somebody who updates."""
        kind = JobKind("update", cluster="long", repeatable=False, run=lambda run: Outcome())
        monkeypatch.setitem(KINDS, "update", kind)

    def test_it_backs_up_data_where_the_call_says_so(self, fake_engine: FakeEngine) -> None:
        row = fake_engine.deploy()
        candidate(row)
        volume = {"Type": "volume", "Name": "shop_data", "Destination": "/data", "RW": True}
        fake_engine.containers[-1]["Mounts"] = [volume]
        for given, how in (({}, "skip"), ({"backupMode": "force"}, "live")):
            Job.objects.all().delete()
            assert call({"action": "update", "scope": "all", **given}).status_code == 202
            [change] = Job.objects.get().params["plan"]["changes"]
            assert [each["how"] for each in change["data"]] == [how]

    def test_it_updates_a_service_a_stack_and_everything(self, fake_engine: FakeEngine) -> None:
        row = fake_engine.deploy()
        candidate(row)
        scopes: list[dict[str, str]] = [
            {"scope": "service", "serviceId": "shop/api"},
            {"scope": "stack", "stackId": "shop"},
            {"scope": "all"},
        ]
        for scope in scopes:
            Job.objects.all().delete()
            answer = call({"action": "update", **scope})
            assert answer.status_code == 202, answer.content
            job = Job.objects.get()
            assert answer.json() == {"ok": True, "jobId": job.pk}
            assert (job.kind, job.reason, job.created_by) == ("update", "webhook", "CI")
            assert job.params["plan"]["changes"][0]["target_image"] == "ghcr.io/acme/api:1.3.0"

    @pytest.mark.parametrize("dry_run", [False, True])
    def test_a_secret_that_is_for_checks_updates_nothing(
        self, fake_engine: FakeEngine, dry_run: bool
    ) -> None:
        candidate(fake_engine.deploy())
        Receiver.objects.filter(kind="trigger").update(options={})
        error = error_of(
            call({"action": "update", "scope": "all", "dryRun": dry_run}), 409, "conflict"
        )
        assert error["details"]["reason"] == "updates_off"
        assert not Job.objects.exists()
        assert call(ALL).status_code == 202

    def test_an_admin_lets_it_update(self, fake_engine: FakeEngine, admin: Program) -> None:
        candidate(fake_engine.deploy())
        Receiver.objects.filter(kind="trigger").update(options={})
        changed = admin.patch("/api/receivers/trigger", {"options": {"updates": True}})
        assert changed.json()["options"] == {"updates": True}
        assert call({"action": "update", "scope": "all"}).status_code == 202

    def test_it_only_plans_a_dry_run(self, fake_engine: FakeEngine) -> None:
        candidate(fake_engine.deploy())
        call({"action": "update", "scope": "all", "dryRun": True})
        job = Job.objects.get()
        assert (job.kind, job.status, job.reason) == ("update", "success", "webhook")
        assert job.summary["plans"][0]["project"] == "shop"

    def test_it_says_why_there_is_no_update(self, fake_engine: FakeEngine) -> None:
        fake_engine.deploy()
        order = {"action": "update", "scope": "service", "serviceId": "shop/api"}
        error = error_of(call(order), 409, "conflict")
        assert error["details"]["reason"] == "nothing_to_update"
        assert not Job.objects.exists()
