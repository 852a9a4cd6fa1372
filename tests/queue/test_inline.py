"""A job that a command does by itself."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import transaction
from django.utils import timezone
from django_q.models import OrmQ

from checks import inline, kinds, queue
from checks.kinds import JobKind, Outcome
from checks.models import Hold, Job
from checks.run import Run
from checks.tasks import JobFailed, run_job

pytestmark = pytest.mark.django_db
REQUEST = queue.Request(kind="test.sync", reason="ui", params={"account": "acc_1"})


@pytest.fixture
def work(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[Run], Outcome]], None]:
    monkeypatch.setattr(inline, "LOOK_EVERY", 0)
    monkeypatch.setattr(queue, "RERUN_AFTER", timedelta())

    def register(run: Callable[[Run], Outcome]) -> None:
        for name in ("test.sync", "test.audit"):
            kind = JobKind(name, "long", True, run, resources=lambda job: ["account:1"])
            monkeypatch.setitem(kinds.KINDS, name, kind)

    register(lambda run: Outcome({"ok": True}))
    return register


Work = Callable[[Callable[[Run], Outcome]], None]


def test_it_does_the_work_here_and_leaves_nothing_in_the_queue(work: Work) -> None:
    def sync(run: Run) -> Outcome:
        row = Job.objects.get()
        assert (row.status, row.attempts, row.lease_until is not None) == ("running", 1, True)
        assert Hold.objects.get().job_id == row.pk
        run.log("looked")
        return Outcome({"ok": True})

    work(sync)
    job = inline.run_now(REQUEST)
    assert job is not None
    assert (job.status, job.summary, job.lease_until) == ("success", {"ok": True}, None)
    assert job.started_at
    assert job.log_lines.count() == 1
    assert not OrmQ.objects.exists()
    assert not Hold.objects.exists()


@pytest.mark.usefixtures("work")
@pytest.mark.parametrize("claimed", [False, True])
def test_it_makes_nothing_where_the_same_job_is_active(claimed: bool) -> None:
    job_id = queue.enqueue(REQUEST).job_id
    if claimed:
        queue.claim(job_id)
    assert inline.run_now(REQUEST) is None
    assert Job.objects.count() == 1


@pytest.mark.usefixtures("work")
def test_it_makes_nothing_where_another_holds_what_it_needs() -> None:
    queue.claim(queue.enqueue(queue.Request(kind="test.audit", reason="ui")).job_id)
    assert inline.run_now(REQUEST) is None
    assert Job.objects.count() == 1


@pytest.mark.usefixtures("work")
def test_it_does_not_wait_for_a_time_that_the_request_names() -> None:
    later = timezone.now() + timedelta(hours=1)
    job = inline.run_now(queue.Request(kind="test.sync", reason="ui", after=later))
    assert job is not None
    assert job.status == "success"


def test_it_fails_as_a_worker_does(work: Work) -> None:
    def sync(run: Run) -> Outcome:
        run.partial({"results": [1]})
        raise JobFailed("GitHub is away.")

    work(sync)
    job = inline.run_now(REQUEST)
    assert job is not None
    assert (job.status, job.summary) == ("failed", {"results": [1], "error": "GitHub is away."})


def test_it_is_cancelled_by_ctrl_c(work: Work) -> None:
    def sync(run: Run) -> Outcome:
        run.partial({"results": [1]})
        raise KeyboardInterrupt

    work(sync)
    job = inline.run_now(REQUEST)
    assert job is not None
    assert (job.status, job.summary) == ("cancelled", {"results": [1], "error": "cancelled"})
    assert not Hold.objects.exists()


def test_it_waits_out_a_pause_and_goes_on(work: Work) -> None:
    shown: list[Any] = []

    def sync(run: Run) -> Outcome:
        row = Job.objects.get()
        shown.append((row.status, "resumesAt" in row.summary, Hold.objects.count()))
        done = run.summary.get("done", 0) + 1
        soon = timezone.now() + timedelta(milliseconds=1)
        return Outcome({"done": done}, again_at=soon if done < 3 else None)

    work(sync)
    job = inline.run_now(REQUEST)
    assert job is not None
    assert (job.status, job.summary) == ("success", {"done": 3})
    assert shown == [("running", False, 1), ("running", True, 1), ("running", True, 1)]


@pytest.mark.parametrize("by", ["a person", "Ctrl-C"])
def test_it_is_cancelled_while_it_pauses(
    work: Work, by: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(_seconds: float) -> None:
        if by == "Ctrl-C":
            raise KeyboardInterrupt
        queue.cancel(Job.objects.get().pk)

    monkeypatch.setattr("checks.inline.time.sleep", stop)
    tomorrow = timezone.now() + timedelta(days=1)
    work(lambda run: Outcome({"done": 1}, again_at=tomorrow))
    job = inline.run_now(REQUEST)
    assert job is not None
    assert (job.status, job.summary) == ("cancelled", {"done": 1, "error": "cancelled"})


def test_it_runs_once_more_where_news_came(work: Work) -> None:
    runs: list[bool] = []

    def sync(run: Run) -> Outcome:
        runs.append(queue.enqueue(REQUEST).reused if not runs else False)
        return Outcome({"run": len(runs)})

    work(sync)
    job = inline.run_now(REQUEST)
    assert job is not None
    assert (job.status, job.summary, runs) == ("success", {"run": 2}, [True, False])


def test_it_returns_what_a_worker_made_of_news(work: Work, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queue, "RERUN_AFTER", timedelta(hours=1))

    def worker(_seconds: float) -> None:
        Job.objects.update(not_before=timezone.now())
        run_job(Job.objects.get().pk)

    monkeypatch.setattr("checks.inline.time.sleep", worker)

    def sync(run: Run) -> Outcome:
        if run.job.attempts == 1:
            queue.enqueue(REQUEST)
        return Outcome({"run": run.job.attempts})

    work(sync)
    job = inline.run_now(REQUEST)
    assert job is not None
    assert (job.status, job.summary) == ("success", {"run": 2})


def test_it_leaves_the_database_usable_after_ctrl_c_in_a_transaction(work: Work) -> None:
    def sync(run: Run) -> Outcome:
        with transaction.atomic():
            run.log("half")
            raise KeyboardInterrupt

    work(sync)
    job = inline.run_now(REQUEST)
    assert job is not None
    assert (job.status, job.log_lines.count()) == ("cancelled", 0)
