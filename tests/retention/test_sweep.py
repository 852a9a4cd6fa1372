"""What is deleted after the time that the settings say, and what never is."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.db import transaction
from django.test import Client
from django.utils import timezone

from checks import queue
from checks.kinds import Outcome
from checks.maintenance import enqueue_scheduled
from checks.models import Candidate, Finding, IgnoreRule, Image, Job, ReleaseNotes, Service
from checks.tasks import run_job
from dockrev import preferences, retention
from integrations.models import Delivery
from notifications.models import Channel, Notification
from tests import rows
from tests.github import deliver, published

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def long_ago(client: Client) -> None:
    """A day of work, a hundred days back; some of it never ended."""
    channel = Channel.objects.create(kind="webhook", name="sink", config="{}")
    with time_machine.travel(timezone.now() - timedelta(days=100)):
        rows.github_receiver()
        rows.tracked()
        service = rows.service()
        deliver(client, published())
        job = queue.claim(Job.objects.get().pk)
        assert job is not None
        queue.finish(job, Outcome())
        queue.enqueue(queue.Request(kind="discovery", reason="ui"))
        now = timezone.now()
        for step, closed in (("rebuilt", None), ("minor", now)):
            Candidate.objects.create(
                service=service,
                step=step,
                tag="1",
                digest="d",
                opened_at=now,
                closed_at=closed,
                image=Image.objects.create(digest=step, read_at=now),
            )
        for ends in (None, now):
            IgnoreRule.objects.create(
                scope="all", kind="exact", value="1", enabled=False, expires_at=ends
            )
        ReleaseNotes.objects.create(place="https://github.com/acme/api", tag="v1", fetched_at=now)
        service.image = Image.objects.create(digest="runs", read_at=now)
        service.save(update_fields=["image"])
        for number, at in enumerate((now, now + timedelta(days=99))):
            Finding.objects.create(
                repository=str(number), critical=1, high=1, other=1, source="Harbor", at=at
            )
        for due in (None, now):
            Notification.objects.create(
                channel=channel, kind="x", created_at=now, next_attempt_at=due
            )


def test_it_deletes_what_ended_before_the_time_that_is_set() -> None:
    run_job(enqueue_scheduled().job_id)
    job = Job.objects.get(kind="maintenance")
    assert job.summary["deleted"] == {
        "sessions": 0,
        "queue messages": 0,
        "notifications": 1,
        "jobs": 1,
        "ignore rules": 1,
        "candidates": 1,
        "tag lists": 0,
        "images": 1,
        "findings": 1,
        "release notes": 1,
        "deliveries": 1,
        "backups": 0,
        "kept images": 0,
    }
    assert not Delivery.objects.exists()
    assert Candidate.objects.get().closed_at is None
    assert set(Image.objects.values_list("digest", flat=True)) == {"rebuilt", "runs"}
    assert Notification.objects.get().next_attempt_at is not None
    assert set(Job.objects.values_list("kind", flat=True)) == {"discovery", "maintenance"}
    assert Service.objects.count() == 1
    assert Finding.objects.get().repository == "1"


def test_it_keeps_what_is_to_be_kept_longer() -> None:
    preferences.set("retention_days", 120)
    run_job(enqueue_scheduled().job_id)
    assert not Job.objects.filter(kind="maintenance").exists()
    assert Delivery.objects.exists()


def test_it_keeps_the_newest_deliveries_alone_where_there_are_too_many(client: Client) -> None:
    preferences.set("deliveries_most", 2)
    for hours, guid in ((3, "first"), (2, "second"), (1, "third")):
        with time_machine.travel(timezone.now() - timedelta(hours=hours)):
            deliver(client, published(), delivery=guid)
    run_job(enqueue_scheduled().job_id)
    assert set(Delivery.objects.values_list("sender_id", flat=True)) == {"second", "third"}


def test_it_leaves_no_job_where_there_was_nothing_to_delete() -> None:
    run_job(enqueue_scheduled().job_id)
    run_job(enqueue_scheduled().job_id)
    assert Job.objects.filter(kind="maintenance").count() == 1


def test_it_deletes_many_rows_a_few_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retention, "BATCH", 2)
    then = timezone.now() - timedelta(days=100)
    Job.objects.bulk_create(
        Job(
            kind="discovery", scope="all", reason="ui", status="success", dedupe_key=str(number),
            created_at=then, finished_at=then,
        )
        for number in range(5)
    )  # fmt: skip
    assert retention.sweep(timezone.now(), timedelta())["jobs"] == 6


class TestMost:
    KEEP = timedelta(days=9)

    @pytest.fixture(autouse=True)
    def ten(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Ten jobs of which three may stay; of the oldest two one runs."""
        monkeypatch.setattr(retention, "KEPT_FOR_A_WHILE", {})
        monkeypatch.setattr(retention, "BATCH", 2)
        retention.register(
            "jobs", lambda before: Job.objects.filter(finished_at__lt=before), most=lambda: 3
        )
        Job.objects.all().delete()
        now = timezone.now()
        Job.objects.bulk_create(
            Job(
                id=f"job_{number}", kind="discovery", reason="ui", dedupe_key=str(number),
                status="running" if number == 1 else "success", created_at=now,
                finished_at=None if number == 1 else now - timedelta(hours=1),
            )
            for number in range(10)
        )  # fmt: skip

    def test_it_keeps_the_newest_and_what_has_not_ended(self) -> None:
        assert retention.sweep(timezone.now(), self.KEEP) == {"jobs": 6}
        left = sorted(Job.objects.values_list("pk", flat=True))
        assert left == ["job_1", "job_7", "job_8", "job_9"]
        assert retention.sweep(timezone.now(), self.KEEP) == {"jobs": 0}

    def test_it_does_not_delete_what_changed_meanwhile(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        atomic = transaction.atomic

        def somebody_was_first(**given: Any) -> Any:
            Job.objects.filter(pk="job_2").update(finished_at=None, status="running")
            return atomic(**given)

        monkeypatch.setattr("dockrev.retention.transaction.atomic", somebody_was_first)
        assert retention.sweep(timezone.now(), self.KEEP) == {"jobs": 5}
        assert Job.objects.filter(pk="job_2").exists()
