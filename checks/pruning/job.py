"""Job `prune`: its kind, and how it is asked for by people, programs and a clock."""

from __future__ import annotations

from collections.abc import Callable

from django.utils.module_loading import import_string
from django.utils.translation import gettext as _

from checks import queue
from checks.kinds import JobKind, Outcome
from checks.models import Job
from checks.run import Run
from dockrev.permissions import Role

# By name: the web process registers the kind, too, and never needs the Docker SDK.
PRUNE = "checks.pruning.prune.prune"
APPLY, DRY_RUN = "apply", "dry-run"


def _prune(run: Run) -> Outcome:
    prune: Callable[[Run], Outcome] = import_string(PRUNE)
    return prune(run)


KIND = JobKind("prune", cluster="long", repeatable=True, run=_prune, role=Role.ADMIN)


def ask(mode: str, username: str, *, reason: str = Job.Reason.UI) -> queue.Queued:
    return queue.enqueue(
        queue.Request(
            kind=KIND.name,
            reason=reason,
            subject=_("(dry run)") if mode == DRY_RUN else "",
            params={"mode": mode},
            created_by=username,
        )
    )


def enqueue_scheduled() -> queue.Queued:
    return ask(APPLY, "", reason=Job.Reason.SCHEDULE)
