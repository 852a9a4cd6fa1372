"""Job `maintenance`: lets go of what was kept long enough."""

from __future__ import annotations

from datetime import timedelta

from django.utils import timezone

from checks import queue
from checks.kinds import JobKind, Outcome
from checks.models import Job
from checks.run import Run
from dockrev import preferences, retention


def maintain(run: Run) -> Outcome:
    keep = timedelta(days=preferences.get("retention_days"))
    deleted = retention.sweep(timezone.now(), keep)
    for name, count in deleted.items():
        if count:
            run.log(f"{name}: {count}")
    return Outcome({"deleted": deleted}, quiet=not any(deleted.values()))


KIND = JobKind("maintenance", cluster="quick", repeatable=True, run=maintain)


def enqueue_scheduled() -> queue.Queued:
    return queue.enqueue(queue.Request(kind=KIND.name, reason=Job.Reason.SCHEDULE))
