"""What happened, as those tell it who found out. Ids of stacks and services are text here."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

ROLLBACK = "rollback"  # the kind of a job that goes back on purpose
RESTORE = "backup.restore"  # the kind of a job that brings data back
UPDATED = "updated"  # the outcome of a service that runs what it was to run


@dataclass(frozen=True)
class Check:
    """The check that found something, as a message tells it."""

    job_id: str
    reason: str
    scope: str
    services_checked: int


@dataclass(frozen=True)
class NewVersion:
    """A newer image for one service. `image` is registry/repository:tag, as it is written there;
    `candidate_image` is the same with the tag of what is newer.

    A display tag is the version behind a tag that is none, where that is known; else the tag.
    """

    stack_id: str
    stack_name: str
    service_id: str
    service_name: str
    image: str
    current_tag: str
    current_display_tag: str
    candidate_tag: str
    candidate_display_tag: str
    candidate_digest: str
    candidate_image: str
    step: str


@dataclass(frozen=True)
class Audit:
    """The audit of an account's hooks: how many repositories are in each state that is wrong.

    `settings_path` is the page where people see to it.
    """

    job_id: str
    status: str
    missing: int
    conflict: int
    drift: int
    error: int
    settings_path: str = "/settings/github-packages"


@dataclass(frozen=True)
class Anomaly:
    """A repository whose hook is not as it should be. `last_error` is for people."""

    full_name: str
    state: str
    last_error: str


@dataclass(frozen=True)
class Silence:
    """A receiver that was heard for the last time longer ago than its pauses ever were."""

    receiver_id: str
    kind: str
    name: str
    heard_at: datetime
    usual_gap: timedelta


@dataclass(frozen=True)
class FinishedJob:
    """An update or a rollback that is over, as a message tells it. `error` says for people why it
    failed, `log` are its last lines as they were written."""

    id: str
    kind: str
    scope: str
    status: str
    reason: str
    created_by: str
    subject: str
    stack_id: str
    service_id: str
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime
    error: str = ""
    log: tuple[str, ...] = ()


@dataclass(frozen=True)
class Changed(NewVersion):
    """A service that a job was to change, from what ran to the candidate, and its `outcome`:
    `updated`, `failed`, `rolled_back` or `untouched`."""

    outcome: str = UPDATED


@dataclass(frozen=True)
class Outage:
    """A registry or a Docker host that gave no answer from `since` on. `error` says why, for
    people; `services` are those that it concerns; `path` is the page about it."""

    id: str
    name: str
    since: datetime
    error: str
    services: int
    path: str


@dataclass(frozen=True)
class Failure:
    """An update or a rollback that failed or was taken back."""

    job_id: str
    kind: str
    status: str
    subject: str
    stack_id: str
    finished_at: datetime
