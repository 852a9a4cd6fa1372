"""Kinds of job. Each app registers its own in `AppConfig.ready()`, one line each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from dockrev.dispatch import Cluster
from dockrev.permissions import Role

if TYPE_CHECKING:
    from checks.models import Job
    from checks.run import Run


def nothing_to_write(job: Job) -> None:
    """For a job whose result is its summary."""


@dataclass(frozen=True)
class Outcome:
    """What a job came to. `write` stores its result, in the transaction that finishes the job.

    `quiet` says that nothing changed: a scheduled job that nobody joined then leaves no row.
    `again_at` says that it is not over: the job waits in the queue until then and is run again.
    Its summary is kept for that, shown with `resumesAt`, and `write` is left to the end. A wish
    to cancel wins.
    """

    summary: dict[str, Any] = field(default_factory=dict)
    status: str = "success"
    write: Callable[[Job], None] = nothing_to_write
    quiet: bool = False
    again_at: datetime | None = None


_RESUMES_AT = "resumesAt"


def paused_summary(found: dict[str, Any], until: datetime) -> dict[str, Any]:
    """The summary of a job that waits to go on."""
    moment = until.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    return {**found, _RESUMES_AT: moment}


def found_before_pause(summary: dict[str, Any]) -> dict[str, Any]:
    """What a job that goes on has found already; nothing for one that begins."""
    if _RESUMES_AT not in summary:
        return {}
    return {name: value for name, value in summary.items() if name != _RESUMES_AT}


@dataclass(frozen=True)
class JobKind:
    """`run` does the work. A repeatable kind may run again when its worker died.

    One that `resumes` must, also where somebody wants it cancelled: it left something half done,
    keeps its holds, and finds out by itself how to end that. `role` is who may ask for such a job,
    and for one to be repeated. `given_up` writes what is left where too many workers were lost, or
    where an error ended it, in the transaction that ends the job. One that `goes_on` does not do
    again after a pause what it did before it: what is asked for meanwhile has it run once more,
    after that.
    """

    name: str
    cluster: Cluster
    repeatable: bool
    run: Callable[[Run], Outcome]
    resources: Callable[[Job], list[str]] = lambda job: []
    role: Role = Role.OPERATOR
    resumes: bool = False
    goes_on: bool = False
    given_up: Callable[[Job], None] = nothing_to_write


KINDS: dict[str, JobKind] = {}


def register(kind: JobKind) -> None:
    KINDS[kind.name] = kind
