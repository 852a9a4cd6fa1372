"""How a round over many repositories ends before its end, and goes on."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.db import connections
from django.utils import timezone

from checks import queue
from checks.models import Job
from checks.tasks import run_job
from integrations import rotation
from integrations.hooks import asking
from integrations.hooks import round as rounds
from integrations.models import HookAccount, HookTarget, Receiver
from tests.fake_github.server import FakeGitHub
from tests.hooks.doing import Sync, Track, asked, done, result, said


@pytest.fixture
def look_always(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rounds, "LOOK_EVERY", 0.0)


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("look_always")
class TestCancelling:
    def test_it_keeps_what_was_done_until_then(
        self, github: FakeGitHub, account: HookAccount, track: Track
    ) -> None:
        for number in range(40):
            track(f"acme/r{number:02}")
        queued = asking.sync(account, username="ada", reason="ui")
        github.before = cancelling(queued, "/repos/acme/r09/hooks")
        job = done(queued)
        assert (job.status, job.summary["error"], job.summary["ok"]) == (
            "cancelled",
            "cancelled",
            False,
        )
        made = said(job)
        assert 9 <= len(made) < 40
        assert set(made.values()) == {"created"}
        made_there = {f"acme/r{n:02}" for n in range(40) if github.hooks(f"acme/r{n:02}")}
        assert set(made) == made_there
        noted = HookTarget.objects.exclude(hook_id="").values_list("full_name", flat=True)
        assert set(noted) == made_there

    def test_it_does_not_wait_for_a_rest_to_be_over(
        self, github: FakeGitHub, account: HookAccount, track: Track
    ) -> None:
        track()
        queued = asking.sync(account, username="ada", reason="ui")
        github.fail("GET", "/repos/*", "secondary_limit", retry_in=55)
        github.before = cancelling(queued, "/repos/acme/api/hooks")
        job = done(queued)
        assert (job.status, job.summary["results"]) == ("cancelled", [])


class TestThePause:
    def test_it_goes_on_where_it_was(
        self, github: FakeGitHub, account: HookAccount, track: Track
    ) -> None:
        for name in ("acme/a", "acme/b"):
            track(name)
        github.fail("POST", "/repos/acme/b/hooks", "rate_limit", retry_in=3600)
        queued = asking.sync(account, username="ada", reason="ui")
        paused = done(queued)
        assert (paused.status, said(paused)) == ("queued", {"acme/a": "created"})
        assert paused.summary["resumesAt"]
        assert not paused.holds.exists()
        Job.objects.update(not_before=paused.created_at)
        github.requests.clear()
        run_job(paused.pk)
        job = Job.objects.get(pk=paused.pk)
        assert said(job) == {"acme/a": "created", "acme/b": "created"}
        assert "resumesAt" not in job.summary
        assert asked(github) == ["GET acme/b/hooks", "POST acme/b/hooks"]


@pytest.fixture
def paused(github: FakeGitHub, account: HookAccount, track: Track) -> Job:
    """A sync that made the hook of acme/a, and waits with that of acme/b."""
    for name in ("acme/a", "acme/b"):
        track(name)
    github.fail("POST", "/repos/acme/b/hooks", "rate_limit", retry_in=3600)
    job = done(asking.sync(account, username="ada", reason="ui"))
    assert (job.status, said(job)) == ("queued", {"acme/a": "created"})
    return job


def go_on(job: Job) -> Job:
    """Do the rest, and then all that came of what was asked for in the pause."""
    for _run in range(2):
        Job.objects.active().filter(pk=job.pk).update(not_before=job.created_at)
        run_job(job.pk)
    job.refresh_from_db()
    assert job.status == "success"
    return job


class TestNewsInAPause:
    """What was done before the pause was done without it."""

    def test_a_new_secret_gets_to_every_hook(self, github: FakeGitHub, paused: Job) -> None:
        receiver = Receiver.objects.get(kind="github-packages")
        new = rotation.rotate(receiver, timezone.now(), username="ada", reason="ui")
        assert said(go_on(paused)) == {"acme/a": "updated", "acme/b": "noop"}
        secrets = [hook.secret for name in ("acme/a", "acme/b") for hook in github.hooks(name)]
        assert secrets == [new, new]
        receiver.refresh_from_db()
        assert not receiver.previous_secret

    def test_what_is_not_wanted_any_more_loses_its_hook(
        self, github: FakeGitHub, account: HookAccount, paused: Job
    ) -> None:
        HookTarget.objects.filter(name_key="acme/a").update(selected=False)
        assert asking.sync(account, username="ada", reason="ui").reused
        assert said(go_on(paused))["acme/a"] == "deleted"
        assert not github.hooks("acme/a")

    def test_the_rest_is_not_hurried(self, account: HookAccount, paused: Job) -> None:
        until = paused.not_before
        asking.sync(account, username="ada", reason="ui")
        paused.refresh_from_db()
        assert paused.not_before == until


class TestErrorsInside:
    def test_it_goes_on_where_we_ourselves_fail(
        self,
        github: FakeGitHub,
        track: Track,
        sync: Sync,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        for name in ("acme/a", "acme/b"):
            track(name)
        sync()
        HookTarget.objects.filter(name_key="acme/a").update(
            hooks_etag='"x"', hooks_seen={"url": "https://dockrev.example.com/", "hooks": None}
        )
        monkeypatch.setattr("integrations.hooks.accounts.asdict", _broken)
        job = sync()
        assert set(said(job).values()) == {"error"}
        assert job.status == "success"


def cancelling(queued: queue.Queued, at: str) -> Callable[[str, str], None]:
    """Cancel the job as soon as that path is asked for."""

    def cancel(method: str, path: str) -> None:
        if path == at:
            queue.cancel(queued.job_id)
            connections.close_all()

    return cancel


def _broken(hook: object) -> None:
    raise ZeroDivisionError


@pytest.mark.django_db(transaction=True)
class TestRemovedMeanwhile:
    def test_it_deletes_the_hook_with_the_next_sync(
        self, github: FakeGitHub, track: Track, sync: Sync
    ) -> None:
        track()

        def remove(method: str, path: str) -> None:
            if method == "POST":
                HookTarget.objects.all().delete()
                connections.close_all()

        github.before = remove
        assert said(sync()) == {"acme/api": "created"}
        row = HookTarget.objects.get()
        assert (row.selected, row.removed) == (False, True)
        assert said(sync()) == {"acme/api": "deleted"}
        assert github.hooks("acme/api") == []
        assert not HookTarget.objects.exists()


class TestArchived:
    def test_it_says_why_nothing_can_be_done(
        self, github: FakeGitHub, track: Track, sync: Sync
    ) -> None:
        target = track(archived=True)
        target.archived = True
        target.save(update_fields=["archived"])
        failed = result(sync())
        assert failed["action"] == "error"
        assert "archived" in str(failed["message"])

    def test_a_dry_run_knows_it(self, github: FakeGitHub, track: Track, sync: Sync) -> None:
        target = track(archived=True)
        target.archived = True
        target.save(update_fields=["archived"])
        foretold = result(sync(dry_run=True))
        assert foretold["action"] == "error"
        assert "archived" in str(foretold["message"])
        assert {request.method for request in github.requests} == {"GET"}

    def test_what_is_not_archived_any_more_is_synced(self, track: Track, sync: Sync) -> None:
        target = track()
        target.archived = True
        target.save(update_fields=["archived"])
        assert said(sync()) == {"acme/api": "created"}
        target.refresh_from_db()
        assert not target.archived
