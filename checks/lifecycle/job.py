"""Job `lifecycle`: its kind, and what it holds."""

from __future__ import annotations

from collections.abc import Callable

from django.utils.module_loading import import_string

from checks import holds
from checks.kinds import JobKind, Outcome
from checks.models import Job
from checks.run import Run

# By name: the web process registers the kind, too, and never needs the Docker SDK.
CARRY_OUT = "checks.lifecycle.carrying_out.carry_out"


def _run(run: Run) -> Outcome:
    carry_out: Callable[[Run], Outcome] = import_string(CARRY_OUT)
    return carry_out(run)


def _held(job: Job) -> list[str]:
    return [holds.resource(each) for each in sorted(holds.changed_by(job))]


KIND = JobKind(
    "lifecycle",
    cluster="long",
    repeatable=False,
    run=_run,
    resources=_held,
    resumes=True,
)
