"""What GitHub sent while nobody was there, and how it comes in."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from cryptography.fernet import Fernet
from django.db import IntegrityError, connection, connections
from django.test import Client
from django.utils import timezone
from django_q.models import OrmQ
from pytest_django import Settings

from checks.models import Job
from checks.tasks import run_job
from dockrev import preferences, schedules
from integrations.github import packages
from integrations.hooks import credentials
from integrations.hooks import reconcile as module
from integrations.models import Delivery, HookAccount, HookTarget, Receiver
from tests.fake_github.server import FakeGitHub
from tests.fake_github.state import Attempt, Hook
from tests.github import TOKEN, deliver, published
from tests.people import Program, person
from tests.reconcile.conftest import KIND, Reconcile

pytestmark = pytest.mark.django_db


def miss(github: FakeGitHub, name: str = "acme/api", *, tag: str = "1.2.0") -> Attempt:
    """Publish while we are down."""
    (attempt,) = github.publish(name, published(name, tag, repository=name), down=True)
    return attempt


def asked(github: FakeGitHub) -> list[tuple[str, int]]:
    """What GitHub was asked since the last time, by what it is about: a list or a payload."""
    seen = [
        ("list" if each.path.endswith("/deliveries") else "payload", each.status)
        for each in github.requests
    ]
    github.requests.clear()
    return seen


def guids() -> list[str]:
    return list(Delivery.objects.order_by("received_at").values_list("sender_id", flat=True))


class TestMissed:
    def test_it_brings_in_what_was_sent_while_we_were_down(
        self, github: FakeGitHub, reconcile: Reconcile
    ) -> None:
        first, second = miss(github, tag="1.2.1"), miss(github, tag="1.2.2")
        job = reconcile()
        assert job is not None
        assert (job.status, job.summary["taken"], job.summary["errors"]) == ("success", 2, 0)
        assert guids() == [first.guid, second.guid]
        for delivery in Delivery.objects.all():
            assert (delivery.decision, delivery.reconciled) == ("processed", True)
            assert (delivery.event, delivery.action, delivery.attempts) == (
                "package",
                "published",
                1,
            )
            assert len(delivery.matched_service_ids) == 1
        assert Job.objects.filter(kind="check.service").count() == 1
        assert "2 deliveries that never came" in job.log_lines.get().message

    def test_it_keeps_no_proof_and_no_token(self, github: FakeGitHub, reconcile: Reconcile) -> None:
        miss(github)
        job = reconcile()
        kept = Delivery.objects.get()
        assert kept.headers["x-github-event"] == "package"
        assert "sha256=" not in str(kept.headers) + str(bytes(kept.payload))
        assert job is not None
        assert TOKEN not in f"{job.params} {job.summary} {list(job.log_lines.values())}"

    def test_it_takes_a_later_redelivery_for_a_duplicate(
        self, client: Client, github: FakeGitHub, reconcile: Reconcile
    ) -> None:
        missed = miss(github)
        reconcile()
        answer = deliver(client, missed.payload, delivery=missed.guid).json()
        assert (answer["reason"], answer["attempt"]) == ("duplicate_delivery", 2)
        assert Delivery.objects.get().attempts == 2
        assert Job.objects.filter(kind="check.service").count() == 1

    def test_it_asks_for_nothing_but_the_lists_once_all_is_in(
        self, github: FakeGitHub, reconcile: Reconcile
    ) -> None:
        miss(github)
        reconcile()
        assert asked(github) == [("list", 200), ("payload", 200)]
        assert reconcile() is None
        assert asked(github) == [("list", 304)]

    def test_it_fetches_nothing_that_a_person_had_sent_again(
        self, client: Client, github: FakeGitHub, hook: Hook, reconcile: Reconcile
    ) -> None:
        missed = miss(github)
        again = Attempt(**{**vars(missed), "id": missed.id + 1, "redelivery": True})
        again.status, again.status_code = "OK", 200
        hook.deliveries.append(again)
        deliver(client, missed.payload, delivery=missed.guid)
        assert reconcile() is None
        assert asked(github) == [("list", 200)]
        assert not Delivery.objects.get().reconciled

    def test_it_brings_in_an_event_once_however_often_it_was_tried(
        self, github: FakeGitHub, hook: Hook, reconcile: Reconcile
    ) -> None:
        missed = miss(github)
        for number in (1, 2):
            again = Attempt(**{**vars(missed), "id": missed.id + number, "redelivery": True})
            hook.deliveries.append(again)
        reconcile()
        assert asked(github) == [("list", 200), ("payload", 200)]
        assert Delivery.objects.get().attempts == 1

    def test_it_brings_in_once_what_two_lists_hold(
        self, github: FakeGitHub, hooked: Callable[[str], Hook], reconcile: Reconcile
    ) -> None:
        other = hooked("acme/other")
        missed = miss(github)
        other.deliveries.append(Attempt(**{**vars(missed), "id": missed.id + 1}))
        reconcile()
        assert Delivery.objects.get().attempts == 1

    def test_it_leaves_what_an_organisations_hook_brought(
        self, client: Client, github: FakeGitHub, reconcile: Reconcile
    ) -> None:
        missed = miss(github)
        body = {**missed.payload, "organization": {"login": "acme"}}
        deliver(client, body, delivery=missed.guid, **{"X-GitHub-Hook-ID": "8001"})
        assert reconcile() is None
        assert Delivery.objects.get().attempts == 1

    def test_it_leaves_other_events_alone(
        self, github: FakeGitHub, hook: Hook, reconcile: Reconcile
    ) -> None:
        hook.events = ["*"]
        github.publish("acme/api", {"zen": "calm"}, event="push", down=True)
        assert reconcile() is None
        assert asked(github) == [("list", 200)]

    def test_it_stores_what_has_no_image_with_its_decision(
        self, github: FakeGitHub, reconcile: Reconcile
    ) -> None:
        github.publish("acme/api", published(action="deleted"), down=True)
        reconcile()
        assert Delivery.objects.get().reason == "event_not_relevant"
        assert reconcile() is None


class TestHowFarBack:
    def test_it_follows_the_list_from_page_to_page(
        self, github: FakeGitHub, reconcile: Reconcile
    ) -> None:
        sent = [miss(github, tag=str(number)) for number in range(230)]
        job = reconcile()
        assert job is not None
        assert job.summary["taken"] == 230
        assert guids() == [attempt.guid for attempt in sent]
        assert [kind for kind, _status in asked(github)].count("list") == 3

    def test_it_stops_at_what_it_knows(
        self, github: FakeGitHub, hook: Hook, reconcile: Reconcile
    ) -> None:
        for _number in range(230):
            miss(github)
        reconcile()
        asked(github)
        for attempt in hook.deliveries:
            attempt.delivered_at -= timedelta(hours=1)
        new = miss(github)
        reconcile()
        assert asked(github) == [("list", 200), ("payload", 200)]
        assert guids()[-1] == new.guid

    def test_it_brings_in_nothing_from_before_it_was_on(
        self, github: FakeGitHub, hook: Hook, reconcile: Reconcile
    ) -> None:
        Receiver.objects.update(enabled_at=timezone.now())
        miss(github).delivered_at -= timedelta(minutes=5)
        after = miss(github)
        reconcile()
        assert guids() == [after.guid]

    @pytest.mark.parametrize("ahead", [timedelta(hours=1), -timedelta(hours=1)])
    def test_it_trusts_no_two_clocks_to_agree(
        self, github: FakeGitHub, reconcile: Reconcile, ahead: timedelta
    ) -> None:
        github.clock_offset = ahead
        Receiver.objects.update(enabled_at=timezone.now() - timedelta(minutes=10))
        miss(github).delivered_at -= timedelta(minutes=20)
        missed = miss(github)
        reconcile()
        assert guids() == [missed.guid]
        later = miss(github)
        reconcile()
        assert guids() == [missed.guid, later.guid]

    def test_it_looks_back_three_days_at_first(
        self, github: FakeGitHub, reconcile: Reconcile
    ) -> None:
        miss(github).delivered_at -= timedelta(days=3, hours=1)
        recent = miss(github)
        recent.delivered_at -= timedelta(days=2, hours=23)
        reconcile()
        assert guids() == [recent.guid]

    def test_it_does_not_bring_back_what_was_kept_long_enough(
        self, github: FakeGitHub, reconcile: Reconcile
    ) -> None:
        preferences.set("retention_days", 1)
        miss(github).delivered_at -= timedelta(hours=25)
        assert reconcile() is None
        assert guids() == []

    def test_it_takes_so_many_at_once_and_the_rest_next_time(
        self, github: FakeGitHub, reconcile: Reconcile, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(module, "MAX_FETCHED", 7)
        sent = [miss(github, tag=str(number)) for number in range(10)]
        for hours, attempt in enumerate(reversed(sent), start=1):
            attempt.delivered_at -= timedelta(hours=hours)
        job = reconcile()
        assert job is not None
        assert (job.summary["taken"], job.summary["left"]) == (7, 3)
        assert guids() == [attempt.guid for attempt in sent[:7]]
        reconcile()
        assert guids() == [attempt.guid for attempt in sent]

    def test_it_asks_for_so_many_whatever_comes_of_it(
        self, github: FakeGitHub, reconcile: Reconcile, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(module, "MAX_FETCHED", 7)
        for _number in range(10):
            miss(github)
        github.fail("GET", "*/deliveries/*", "html", times=99)
        reconcile()
        assert [kind for kind, _status in asked(github)].count("payload") == 7

    def test_it_reads_so_many_pages_and_says_so(
        self, github: FakeGitHub, reconcile: Reconcile, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(module, "MAX_PAGES", 1)
        for _number in range(130):
            miss(github)
        job = reconcile()
        assert job is not None
        assert Delivery.objects.count() == 100
        assert "longer than can be read" in job.log_lines.first().message  # type: ignore[union-attr]
        assert reconcile() is None


class TestWhatTheListSays:
    def test_it_notes_the_last_delivery_and_the_last_failure(
        self, github: FakeGitHub, target: HookTarget, reconcile: Reconcile
    ) -> None:
        failed = miss(github)
        failed.delivered_at -= timedelta(minutes=1)
        (last,) = github.publish("acme/api", published())
        reconcile()
        target.refresh_from_db()
        assert target.last_delivery_at == target.reconciled_until == last.delivered_at
        assert target.last_failure_at == failed.delivered_at
        assert target.last_failure == "failed to connect to host (502)"

    def test_it_says_in_the_api_what_was_brought_in(
        self, github: FakeGitHub, reconcile: Reconcile
    ) -> None:
        miss(github)
        reconcile()
        viewer = Program(person("viewer"))
        (listed,) = viewer.get("/api/deliveries?receiver=github-packages").json()["deliveries"]
        assert listed["reconciled"] is True


def test_it_is_not_blinded_by_a_time_that_has_not_come(
    github: FakeGitHub, reconcile: Reconcile, target: HookTarget
) -> None:
    HookTarget.objects.update(reconciled_until=timezone.now() + timedelta(days=300))
    miss(github)
    job = reconcile()
    assert job is not None and job.summary["taken"] == 1


class TestTrouble:
    def test_it_skips_a_payload_that_is_gone(
        self, github: FakeGitHub, reconcile: Reconcile
    ) -> None:
        gone, there = miss(github), miss(github)
        github.fail("GET", f"*/deliveries/{gone.id}", 404, times=9)
        job = reconcile()
        assert job is not None
        assert (job.status, guids()) == ("success", [there.guid])
        assert job.log_lines.filter(message__contains=gone.guid, level="warn").exists()
        asked(github)
        assert reconcile() is None
        assert asked(github) == [("list", 304)]

    def test_it_asks_again_for_a_payload_that_could_not_be_sent(
        self, github: FakeGitHub, target: HookTarget, reconcile: Reconcile
    ) -> None:
        broken, there = miss(github), miss(github)
        github.fail("GET", f"*/deliveries/{broken.id}", "html", times=1)
        job = reconcile()
        assert job is not None
        assert (job.summary["taken"], job.summary["left"], job.summary["errors"]) == (1, 1, 1)
        assert guids() == [there.guid]
        reconcile()
        assert guids() == [there.guid, broken.guid]

    def test_it_goes_on_where_one_repository_fails(
        self, github: FakeGitHub, hooked: Callable[[str], Hook], reconcile: Reconcile
    ) -> None:
        hooked("acme/broken")
        missed = miss(github)
        github.fail("GET", "/repos/acme/broken/*", "html", times=9)
        job = reconcile()
        assert job is not None
        assert (job.status, guids()) == ("success", [missed.guid])
        (failure,) = job.summary["failures"]
        assert failure["repo"] == "acme/broken"
        assert reconcile() is None

    def test_it_leaves_a_hook_that_is_gone_to_the_audit(
        self, github: FakeGitHub, hook: Hook, reconcile: Reconcile
    ) -> None:
        github.hooks("acme/api").remove(hook)
        assert reconcile() is None

    def test_it_fails_where_no_repository_can_be_read(
        self, github: FakeGitHub, reconcile: Reconcile
    ) -> None:
        github.fail("GET", "/repos/*", "html", times=9)
        job = reconcile()
        assert job is not None
        assert job.status == "failed"
        assert "GitHub" in job.summary["error"]

    def test_it_stops_at_a_token_that_github_refuses(
        self, github: FakeGitHub, reconcile: Reconcile
    ) -> None:
        miss(github)
        github.revoke(TOKEN)
        job = reconcile()
        assert job is not None
        assert job.status == "failed"
        assert "GitHub does not accept the token" in job.summary["error"]
        assert TOKEN not in str(job.summary)

    def test_it_leaves_a_refused_token_alone_until_it_is_accepted_again(
        self, github: FakeGitHub, reconcile: Reconcile, target: HookTarget
    ) -> None:
        def is_queued() -> bool:
            schedules.DEFAULTS[KIND].action()
            return Job.objects.filter(kind=KIND, finished_at=None).exists()

        def audit() -> None:
            schedules.DEFAULTS["hooks.audit"].action()
            run_job(Job.objects.get(kind="hooks.audit", finished_at=None).pk)

        account = target.account
        account.callback_url = "https://dockrev.example/"
        account.save(update_fields=["callback_url"])
        github.revoke(TOKEN)
        reconcile()
        report = credentials.report_of(HookAccount.objects.get())
        assert report is not None and report.state == "invalid"
        assert not is_queued()
        audit()
        assert not is_queued()
        github.add_token(TOKEN, scopes=["repo", "admin:repo_hook"])
        assert not is_queued()
        audit()
        assert is_queued()

    def test_it_takes_up_its_work_with_another_token(
        self, github: FakeGitHub, reconcile: Reconcile
    ) -> None:
        github.revoke(TOKEN)
        reconcile()
        github.add_token("ghp_another", scopes=["repo", "admin:repo_hook"])
        packages.change({"pat": "ghp_another"})
        miss(github)
        job = reconcile()
        assert job is not None and job.summary["taken"] == 1

    def test_it_says_that_a_token_cannot_be_read(
        self, reconcile: Reconcile, settings: Settings
    ) -> None:
        settings.ENCRYPTION_KEYS = [Fernet.generate_key().decode()]
        job = reconcile()
        assert job is not None
        assert job.status == "failed"
        assert "cannot be read with the present key" in job.summary["error"]

    def test_it_waits_for_a_rate_limit_to_end_and_goes_on(
        self, github: FakeGitHub, reconcile: Reconcile
    ) -> None:
        sent = [miss(github, tag=str(number)) for number in range(6)]
        github.rate_limit(remaining=3, reset_in=1800)
        job = reconcile()
        assert job is not None
        assert (job.status, job.dispatched_at) == ("queued", None)
        assert job.not_before is not None
        assert job.not_before > timezone.now() + timedelta(minutes=25)
        schedules.DEFAULTS[KIND].action()  # the next quarter of an hour does not hurry it
        assert Job.objects.get(kind=KIND).not_before == job.not_before
        taken = Delivery.objects.count()
        assert taken < 6
        github.rate_limit(remaining=5000)
        with time_machine.travel(job.not_before + timedelta(seconds=1)):
            run_job(job.pk)
        assert sorted(guids()) == sorted(attempt.guid for attempt in sent)

    @pytest.mark.django_db(transaction=True)
    def test_it_bears_that_a_delivery_comes_at_the_same_moment(
        self, github: FakeGitHub, reconcile: Reconcile
    ) -> None:
        missed = miss(github)

        def come(method: str, path: str) -> None:
            if path.endswith(f"/deliveries/{missed.id}"):
                assert deliver(Client(), missed.payload, delivery=missed.guid).status_code == 202
                connections.close_all()

        github.before = come
        job = reconcile()
        assert job is None or job.status == "success"
        assert guids() == [missed.guid]
        assert not Delivery.objects.get().reconciled

    def test_it_bears_that_the_database_saw_it_first(
        self, github: FakeGitHub, reconcile: Reconcile
    ) -> None:
        miss(github)
        with connection.execute_wrapper(_taken_already):
            assert reconcile() is None


class TestWhenItRuns:
    def test_it_runs_when_a_worker_starts_and_every_quarter_of_an_hour(self, hook: Hook) -> None:
        start = timezone.now().replace(minute=1)
        for now in (start, start + timedelta(minutes=1)):
            schedules.begin(now)
            schedules.fire_due(now)
            Job.objects.get(kind=KIND).delete()
        schedules.fire_due(start + timedelta(minutes=13))
        assert not Job.objects.filter(kind=KIND).exists()
        schedules.fire_due(start + timedelta(minutes=14))
        assert Job.objects.get(kind=KIND).reason == "schedule"

    @pytest.mark.parametrize(
        "change",
        [
            lambda: Receiver.objects.update(enabled=False),
            lambda: HookAccount.objects.update(credential=""),
            lambda: HookTarget.objects.update(selected=False),
            lambda: HookTarget.objects.update(hook_id=""),
        ],
        ids=["off", "no token", "nothing selected", "no hook"],
    )
    def test_it_leaves_no_job_where_there_is_nothing_to_ask(
        self, hook: Hook, change: Callable[[], int]
    ) -> None:
        change()
        schedules.DEFAULTS[KIND].action()
        assert not Job.objects.exists()
        assert not OrmQ.objects.exists()

    def test_it_asks_nothing_where_it_was_switched_off_since(
        self, github: FakeGitHub, hook: Hook
    ) -> None:
        miss(github)
        schedules.DEFAULTS[KIND].action()
        Receiver.objects.update(enabled=False)
        run_job(Job.objects.get().pk)
        assert not Job.objects.exists()
        assert asked(github) == []


def _taken_already(execute: Any, sql: str, *given: Any) -> Any:
    """What a database with several writers says of the second of two."""
    if sql.startswith('INSERT INTO "integrations_delivery"'):
        raise IntegrityError("one_delivery_per_sender_and_id")
    return execute(sql, *given)
