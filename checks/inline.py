"""A job that a command does by itself, in its own process, with or without a worker."""

from __future__ import annotations

import time
from datetime import datetime
from typing import Any

from django.utils import timezone

from checks import queue
from checks.kinds import paused_summary
from checks.models import Job
from checks.run import Cancelled, Run, kept_alive
from checks.tasks import attempt, cancelled, finish
from dockrev.logs import bound

LOOK_EVERY = 1.0  # seconds between two looks at a job that waits


def run_now(request: queue.Request) -> Job | None:
    """Do the work here and return the row as it ended. Ctrl-C cancels the job.

    None, and nothing made: the same job is active, or another holds what it needs. Where news
    came meanwhile, the job runs once more, here or in a worker, whichever is first.
    """
    job = queue.begin(request)
    if job is None:
        return None
    _do(job)
    try:
        while job.is_active:
            if again := queue.claim(job.pk):
                job = again
                _do(job)
            else:
                time.sleep(LOOK_EVERY)
                job.refresh_from_db()
    except KeyboardInterrupt:
        queue.cancel(job.pk)
        job.refresh_from_db()
    return job


def _do(job: Job) -> None:
    run = Run(job)
    with bound(job=job.pk), kept_alive(job):
        try:
            outcome = attempt(run)
            while outcome.again_at is not None:
                _pause(run, outcome.summary, outcome.again_at)
                outcome = attempt(run)
        except (Cancelled, KeyboardInterrupt):
            outcome = cancelled(run)
        finish(run, outcome)


def _pause(run: Run, summary: dict[str, Any], until: datetime) -> None:
    """Wait, with the lease and the holds kept. Raises Cancelled."""
    run.partial(paused_summary(summary, until), force=True)
    run.summary = summary
    run.stop_if_cancelled()
    while (left := (until - timezone.now()).total_seconds()) > 0:
        time.sleep(min(left, LOOK_EVERY))
        run.stop_if_cancelled()
