"""Kinds of job. Each app registers its own in `AppConfig.ready()`, one line each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

from dockrev.dispatch import Cluster

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
    Its summary is kept, with `resumesAt`, and `write` is left to the end. A wish to cancel wins.
    """

    summary: dict[str, Any] = field(default_factory=dict)
    status: str = "success"
    write: Callable[[Job], None] = nothing_to_write
    quiet: bool = False
    again_at: datetime | None = None


@dataclass(frozen=True)
class JobKind:
    """`run` does the work. A repeatable kind may run again when its worker died."""

    name: str
    cluster: Cluster
    repeatable: bool
    run: Callable[[Run], Outcome]
    resources: Callable[[Job], list[str]] = lambda job: []


KINDS: dict[str, JobKind] = {}


def register(kind: JobKind) -> None:
    KINDS[kind.name] = kind
