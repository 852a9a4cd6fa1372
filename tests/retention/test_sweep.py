"""What is deleted after the time that the settings say, and what never is."""

from __future__ import annotations

from datetime import timedelta

import pytest
import time_machine
from django.test import Client
from django.utils import timezone

from checks import queue
from checks.kinds import Outcome
from checks.maintenance import enqueue_scheduled
from checks.models import Candidate, Job, Service
from checks.tasks import run_job
from dockrev import preferences, retention
from integrations.models import Delivery
from notifications.models import Channel, Notification
from tests import rows
from tests.github import deliver, published

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def long_ago(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    """A day of work, forty days back; some of it never ended."""
    monkeypatch.setattr("integrations.tallies.FLUSH_EVERY", 3600)
    channel = Channel.objects.create(kind="webhook", name="sink", config="{}")
    with time_machine.travel(timezone.now() - timedelta(days=40)):
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
                service=service, step=step, tag="1", digest="d", opened_at=now, closed_at=closed
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
        "candidates": 1,
        "deliveries": 1,
    }
    assert not Delivery.objects.exists()
    assert Candidate.objects.get().closed_at is None
    assert Notification.objects.get().next_attempt_at is not None
    assert set(Job.objects.values_list("kind", flat=True)) == {"discovery", "maintenance"}
    assert Service.objects.count() == 1


def test_it_keeps_what_is_to_be_kept_longer() -> None:
    preferences.set("retention_days", 60)
    run_job(enqueue_scheduled().job_id)
    assert not Job.objects.filter(kind="maintenance").exists()
    assert Delivery.objects.exists()


def test_it_leaves_no_job_where_there_was_nothing_to_delete() -> None:
    run_job(enqueue_scheduled().job_id)
    run_job(enqueue_scheduled().job_id)
    assert Job.objects.filter(kind="maintenance").count() == 1


def test_it_deletes_many_rows_a_few_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retention, "BATCH", 2)
    then = timezone.now() - timedelta(days=40)
    Job.objects.bulk_create(
        Job(
            kind="discovery", scope="all", reason="ui", status="success", dedupe_key=str(number),
            created_at=then, finished_at=then,
        )
        for number in range(5)
    )  # fmt: skip
    assert retention.sweep(timezone.now())["jobs"] == 6
