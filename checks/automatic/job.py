"""Job `automatic`: asks for updates that policies want. A clock starts it where there are some."""

from __future__ import annotations

from collections.abc import Callable

from django.utils import timezone
from django.utils.module_loading import import_string

from checks import queue
from checks.automatic import ready
from checks.kinds import JobKind, Outcome
from checks.models import Job
from checks.run import Run

# By name: the web process registers the kind, too, and never needs the Docker SDK.
ASK = "checks.automatic.asking.ask"


def _ask(run: Run) -> Outcome:
    ask: Callable[[Run], Outcome] = import_string(ASK)
    return ask(run)


KIND = JobKind("automatic", cluster="quick", repeatable=True, run=_ask)


def enqueue_scheduled() -> None:
    """Most minutes there is nothing to do, and no job."""
    if ready.free_places() > 0 and ready.due(timezone.now()):
        queue.enqueue(queue.Request(kind=KIND.name, reason=Job.Reason.SCHEDULE))
