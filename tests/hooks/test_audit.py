"""What an audit says of hooks, that it does nothing to them, and whom it tells."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from checks.models import Job
from checks.tasks import run_job
from dockrev import schedules
from integrations.hooks import asking
from integrations.models import HookAccount, HookTarget, Receiver
from notifications.models import Channel, Notification
from tests.fake_github.server import FakeGitHub
from tests.hooks.doing import CALLBACK, EVENTS, Sync, Track, done, result, said, writes

Audit = Callable[[], Job]


@pytest.fixture
def audit(account: HookAccount) -> Audit:
    def run() -> Job:
        now = HookAccount.objects.select_related("receiver").get(pk=account.pk)
        return done(asking.audit(now, username="ada", reason="ui"))

    return run


class TestStates:
    def test_it_finds_all_well_after_a_sync(
        self, github: FakeGitHub, track: Track, sync: Sync, audit: Audit
    ) -> None:
        target = track()
        sync()
        job = audit()
        assert (job.status, job.summary["ok"]) == ("success", True)
        assert said(job, "state") == {"acme/api": "ok"}
        target.refresh_from_db()
        assert (target.hook_state, target.last_op, target.last_error) == ("ok", "created", "")
        assert target.last_audit_at is not None

    def test_it_finds_that_a_hook_is_missing(
        self, github: FakeGitHub, track: Track, sync: Sync, audit: Audit
    ) -> None:
        target = track()
        sync()
        github.hooks("acme/api").clear()
        assert said(audit(), "state") == {"acme/api": "missing"}
        target.refresh_from_db()
        assert target.hook_state == "missing" and target.last_error
        assert writes(github) == ["POST acme/api/hooks"]

    def test_it_finds_several(
        self, github: FakeGitHub, track: Track, sync: Sync, audit: Audit
    ) -> None:
        target = track()
        sync()
        twin = github.add_hook("acme/api", url=CALLBACK, events=["push"])
        conflict: Any = result(audit())["conflictHooks"]
        assert [each["id"] for each in conflict][1] == str(twin.id)
        target.refresh_from_db()
        assert (target.hook_state, len(target.conflict_hooks)) == ("conflict", 2)

    @pytest.mark.parametrize(
        ("wrong", "words"),
        [
            ({"active": False}, "It was switched off"),
            ({"content_type": "form"}, "forms"),
            ({"insecure_ssl": "1"}, "certificate"),
            ({"events": ["push"]}, "Events were missing"),
            ({"last_response": {"code": 502, "status": "x", "message": "no"}}, "no (502)"),
        ],
    )
    def test_it_finds_drift_and_repairs_nothing(
        self,
        github: FakeGitHub,
        track: Track,
        sync: Sync,
        audit: Audit,
        wrong: dict[str, Any],
        words: str,
    ) -> None:
        target = track()
        sync()
        github.requests.clear()
        [hook] = github.hooks("acme/api")
        for name, value in wrong.items():
            setattr(hook, name, value)
        assert said(audit(), "state") == {"acme/api": "drift"}
        target.refresh_from_db()
        assert target.hook_state == "drift" and words in target.last_error
        assert writes(github) == []

    def test_it_finds_drift_where_somebody_changed_the_hook(
        self, github: FakeGitHub, track: Track, sync: Sync, audit: Audit
    ) -> None:
        track()
        sync()
        [hook] = github.hooks("acme/api")
        hook.updated_at += timedelta(hours=1)
        assert said(audit(), "state") == {"acme/api": "drift"}
        assert said(sync()) == {"acme/api": "updated"}
        assert said(audit(), "state") == {"acme/api": "ok"}

    def test_it_says_what_it_could_not_see(
        self, github: FakeGitHub, track: Track, audit: Audit
    ) -> None:
        track("acme/a")
        track("acme/b")
        github.remove_repository("acme/a")
        github.add_hook("acme/b", url=CALLBACK, events=EVENTS)
        job = audit()
        assert said(job, "state") == {"acme/a": "error", "acme/b": "drift"}
        assert job.summary["counts"] == {"drift": 1, "error": 1}
        assert HookTarget.objects.get(name_key="acme/a").last_error

    def test_it_looks_at_what_is_selected(
        self, github: FakeGitHub, track: Track, audit: Audit
    ) -> None:
        track(selected=False)
        assert audit().summary["results"] == []

    def test_it_asks_whether_anything_changed(
        self, github: FakeGitHub, track: Track, sync: Sync, audit: Audit
    ) -> None:
        track()
        sync()
        sync()
        github.requests.clear()
        assert said(audit(), "state") == {"acme/api": "ok"}
        assert [each.status for each in github.requests if "hooks" in each.path] == [304]


class TestTheSchedule:
    @pytest.fixture
    def channel(self, db: None) -> Channel:
        return Channel.objects.create(
            kind="webhook",
            name="sink",
            events=["ghcr_webhook_anomaly"],
            config='{"url": "http://127.0.0.1:9/"}',
        )

    def test_it_tells_what_it_found(
        self, github: FakeGitHub, track: Track, sync: Sync, channel: Channel
    ) -> None:
        track("acme/a")
        track("acme/b")
        sync()
        github.hooks("acme/b").clear()
        job = by_schedule()
        assert job is not None and job.reason == "schedule"
        told = Notification.objects.get()
        assert told.content["audit"] == {
            "job_id": job.pk,
            "status": "success",
            "missing": 1,
            "conflict": 0,
            "drift": 0,
            "error": 0,
            "settings_path": "/settings/github-packages",
        }
        assert [one["full_name"] for one in told.content["found"]] == ["acme/b"]

    def test_it_is_silent_where_all_is_well_and_where_a_person_asked(
        self,
        github: FakeGitHub,
        track: Track,
        sync: Sync,
        audit: Audit,
        channel: Channel,
    ) -> None:
        track()
        sync()
        by_schedule()
        github.hooks("acme/api").clear()
        audit()
        assert not Notification.objects.exists()

    def test_it_tells_that_the_token_is_refused(
        self, github: FakeGitHub, account: HookAccount, track: Track, channel: Channel
    ) -> None:
        track()
        github.revoke(account.credential)
        job = by_schedule()
        assert job is not None and job.status == "failed"
        told = Notification.objects.get()
        assert told.content["audit"]["status"] == "failed"

    @pytest.mark.parametrize(("model", "off"), [(Receiver, "enabled"), (HookAccount, "credential")])
    def test_it_asks_nothing_where_nothing_is_wanted(
        self, account: HookAccount, track: Track, model: Any, off: str
    ) -> None:
        track()
        model.objects.update(**{off: "" if off == "credential" else False})
        assert by_schedule() is None


def by_schedule() -> Job | None:
    schedules.DEFAULTS["hooks.audit"].action()
    job = Job.objects.filter(kind="hooks.audit", finished_at=None).first()
    if job is not None:
        run_job(job.pk)
        job.refresh_from_db()
    return job
