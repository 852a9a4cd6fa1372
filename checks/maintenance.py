"""Job `maintenance`: lets go of what was kept long enough."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

from django.utils import timezone
from django.utils.module_loading import import_string

from checks import queue
from checks.kinds import JobKind, Outcome
from checks.models import Job
from checks.run import Run
from dockrev import preferences, retention

# By name: the web process registers the kind, too, and never needs the Docker SDK.
TIDY = "checks.updating.keeping.tidy"


def maintain(run: Run) -> Outcome:
    keep = timedelta(days=preferences.get("retention_days"))
    deleted = retention.sweep(timezone.now(), keep)
    tidy: Callable[[Run], int] = import_string(TIDY)
    deleted["kept images"] = tidy(run)
    for name, count in deleted.items():
        if count:
            run.log(f"{name}: {count}")
    return Outcome({"deleted": deleted}, quiet=not any(deleted.values()))


KIND = JobKind("maintenance", cluster="quick", repeatable=True, run=maintain)


def enqueue_scheduled() -> queue.Queued:
    return queue.enqueue(queue.Request(kind=KIND.name, reason=Job.Reason.SCHEDULE))
