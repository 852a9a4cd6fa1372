"""The only writer of `Job.status`: enqueue, claim, finish, cancel, take from a dead worker.

Every change of status is one conditional UPDATE, so that two processes that try the same find
out by its count which of them did. The queue message and the job row commit together.
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Iterable, Mapping
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any

from django.db import IntegrityError, connection, transaction
from django.db.models import Q, QuerySet
from django.db.models.functions import Coalesce
from django.utils import timezone

from checks.kinds import KINDS, Outcome, paused_summary
from checks.models import Hold, Job
from checks.signals import job_finished
from dockrev.dispatch import Cluster, dispatch_all
from dockrev.ids import new_id
from dockrev.prepared import Insert, Select, Update

logger = logging.getLogger(__name__)

TASK = "checks.tasks.run_job"
RERUN_AFTER = timedelta(seconds=5)
HELD_PAUSE = timedelta(seconds=1)
MAX_LOSSES = 3
MAX_RESUMPTIONS = 10  # of a kind that resumes: it goes back before that
MAX_KEY = 200  # the length of its column


_insert = Insert(Job)
_update = Update(Job, "id")


def _active(keys: Iterable[str]) -> QuerySet[Job, Any]:
    """The jobs that a request may join; until the transaction ends, nobody else changes them."""
    return (
        Job.objects.active()
        .filter(dedupe_key__in=keys)
        .select_for_update(no_key=True)
        .order_by("dedupe_key")  # so that two who lock several do not wait for each other
        .values_list("dedupe_key", "pk", "status", "started_at", *_JOINABLE)
    )


def _ended(keys: Iterable[str]) -> QuerySet[Job, Any]:
    """When jobs ended that deliveries asked for, the last first."""
    return (
        Job.objects.filter(dedupe_key__in=keys, by_delivery=True, finished_at__isnull=False)
        .order_by("-finished_at")
        .values_list("dedupe_key", "finished_at")
    )


# What joining may change.
_JOINABLE = ("joined", "rerun_requested", "notify", "by_delivery", "not_before")
_active_one = Select(lambda key: _active([key]), "key")
_last_ended_one = Select(lambda key: _ended([key])[:1], "key")


@dataclass(frozen=True)
class Request:
    """Work that somebody asks for.

    `params` belong to what is asked: other parameters are another job, unless `same` tells what is
    the same work, for parameters that also have words in them. `after` delays a new job,
    and a queued one that it joins is not pulled forward beyond it.
    """

    kind: str
    reason: str
    scope: str = Job.Scope.ALL
    stack_id: str = ""
    service_id: str = ""
    subject: str = ""
    params: dict[str, Any] = field(default_factory=dict)
    same: str = ""
    created_by: str = ""
    because: str = ""
    notify: bool = False
    by_delivery: bool = False
    after: datetime | None = None

    @cached_property
    def dedupe_key(self) -> str:
        """The same for the same work only: parameters that do not fit are told by their hash."""
        target = self.service_id or self.stack_id
        params = self.same or (json.dumps(self.params, sort_keys=True) if self.params else "")
        key = f"{self.kind}:{self.scope}:{target}:{params}"
        if len(key) <= MAX_KEY:
            return key
        return f"{self.kind}:{self.scope}:{target}:{hashlib.sha256(params.encode()).hexdigest()}"


@dataclass(frozen=True)
class Queued:
    job_id: str
    reused: bool


@transaction.atomic(savepoint=False)
def enqueue(request: Request) -> Queued:
    """Queue the work, or join the active job that already does it.

    A running job may have looked before this news came in, so it runs once more; nobody can
    finish it while it is joined.
    """
    now = timezone.now()
    return _enqueue({request.dedupe_key: request}, now)[request.dedupe_key]


def enqueue_after_last(
    requests: Iterable[Request], pause: timedelta, *, now: datetime
) -> list[Queued]:
    """Enqueue each, for `pause` after the last such job that a delivery asked for if that comes
    after now, else as it says itself. Inside a transaction; by a few statements, however many
    they are. Each is for other work.
    """
    asked = {request.dedupe_key: request for request in requests}
    for key, ended in _lately_ended(list(asked), now - pause).items():
        # None ends later than now, unless somebody has set the clock back since.
        asked[key] = replace(asked[key], after=min(ended, now) + pause)
    queued = _enqueue(asked, now)
    return [queued[key] for key in asked]


def _lately_ended(keys: list[str], since: datetime) -> dict[str, datetime]:
    """When the last job of each key ended that a delivery asked for, if after `since`."""
    if len(keys) == 1:
        last = _last_ended_one(key=keys[0])
        return {key: ended for key, ended in last if ended > since}
    ended_since = _ended(keys).filter(finished_at__gt=since)
    return dict(ended_since.reverse())  # of a key that comes twice, the later one stays


def _enqueue(asked: Mapping[str, Request], now: datetime) -> dict[str, Queued]:
    """`asked` by their keys. Sorted, so that two who make several do not wait for each other."""
    queued: dict[str, Queued] = {}
    rest = dict(sorted(asked.items()))
    while True:
        for key, job_id in _join(rest, now).items():
            queued[key] = Queued(job_id, reused=True)
            del rest[key]
        if not rest:
            return queued
        try:
            with transaction.atomic() if _has_rivals() else nullcontext():
                made = _create(rest, now)
        except IntegrityError:
            if not _has_rivals():
                raise
            continue  # Another process was first: join its job.
        return queued | {key: Queued(job_id, reused=False) for key, job_id in made.items()}


def _has_rivals() -> bool:
    """Whether another process may write what this transaction just looked for."""
    return connection.vendor != "sqlite"  # has one writer


def _join(asked: Mapping[str, Request], now: datetime) -> dict[str, str]:
    """Join the jobs that are active, and return their ids by key."""
    keys = list(asked)
    found = _active_one(key=keys[0]) if len(keys) == 1 else _active(keys)
    joined: dict[str, str] = {}
    changed: dict[tuple[str, ...], dict[str, Any]] = {}
    for key, job_id, status, started_at, *values in found:
        before = dict(zip(_JOINABLE, values, strict=True))
        request = asked[key]
        # What it did before its pause, it did without this news.
        is_midway = started_at is not None and KINDS[request.kind].goes_on
        after = _joined(before, request, now, runs=status == Job.Status.RUNNING or is_midway)
        if after != before:
            changed[job_id,] = after
        joined[key] = job_id
    if changed:
        _update.many(changed)
    return joined


def _joined(
    before: dict[str, Any], request: Request, now: datetime, *, runs: bool
) -> dict[str, Any]:
    """What becomes of an active job's columns when a request joins it. `runs`: it has begun."""
    after = {
        **before,
        "joined": True,
        "notify": before["notify"] or request.notify,
        "by_delivery": before["by_delivery"] or request.by_delivery,
    }
    if not runs:
        # What is wanted sooner than the queued job was due pulls it forward, never back.
        after["not_before"] = min(before["not_before"], request.after or now)
    elif KINDS[request.kind].repeatable:
        after["rerun_requested"] = True
    return after


def _create(asked: Mapping[str, Request], now: datetime) -> dict[str, str]:
    """Make a job for each, with a message where it is due, and return their ids by key."""
    rows = [_columns(new_id("job"), request, now) for request in asked.values()]
    _insert.many(rows)
    due: dict[Cluster, list[str]] = {}
    for row in rows:
        if row["dispatched_at"]:
            due.setdefault(KINDS[row["kind"]].cluster, []).append(row["id"])
    for cluster, job_ids in due.items():
        dispatch_all(TASK, job_ids, cluster=cluster, now=now)
    return {row["dedupe_key"]: row["id"] for row in rows}


def _columns(job_id: str, request: Request, now: datetime) -> dict[str, Any]:
    is_due = request.after is None or request.after <= now
    return {
        "id": job_id,
        "kind": request.kind,
        "scope": request.scope,
        "stack_id": request.stack_id,
        "service_id": request.service_id,
        "subject": request.subject[:520],
        "params": request.params,
        "dedupe_key": request.dedupe_key,
        "reason": request.reason,
        "created_by": request.created_by[:150],
        "because": request.because,
        "notify": request.notify,
        "by_delivery": request.by_delivery,
        "not_before": now if is_due else request.after,
        "dispatched_at": now if is_due else None,
        "created_at": now,
    }


def begin(request: Request) -> Job | None:
    """Make a job that runs already, with its holds, for a process that does it by itself.

    None, and nothing made: the same job is active, or another holds what it needs.
    """
    now = timezone.now()
    try:
        with transaction.atomic():
            job_id = new_id("job")
            row = _columns(job_id, replace(request, after=None), now)
            _insert(**{**row, "dispatched_at": None})
            return _take(job_id, now)
    except IntegrityError:
        return None


@transaction.atomic
def record(request: Request, outcome: Outcome) -> str:
    """Keep what was done within a request as a job that is over, and return its id."""
    now = timezone.now()
    job_id = new_id("job")
    _insert(**{**_columns(job_id, replace(request, after=None), now), "dispatched_at": None})
    job = Job.objects.queued().filter(pk=job_id)
    job.take(now, status=Job.Status.RUNNING, started_at=now)
    finish(Job.objects.get(pk=job_id), outcome)
    return job_id


def claim(job_id: str) -> Job | None:
    """Take a due job and all its holds, or nothing.

    None: it is not queued, not due yet, or another job holds what it needs; in that last case it
    stays queued and is tried again after a pause.
    """
    now = timezone.now()
    try:
        with transaction.atomic():
            return _take(job_id, now)
    except IntegrityError:
        Job.objects.queued().filter(pk=job_id).update(
            dispatched_at=None, not_before=now + HELD_PAUSE
        )
        return None


def _take(job_id: str, now: datetime) -> Job | None:
    """Raises IntegrityError where another job holds what this one needs."""
    taken = (
        Job.objects.queued()
        .filter(Q(cancel_requested=False) | _half_done(), pk=job_id)
        .filter(not_before__lte=now)
        .take(now, status=Job.Status.RUNNING, started_at=Coalesce("started_at", now))
    )
    if not taken:
        return None
    job = Job.objects.get(pk=job_id)
    # One that lost its worker may have kept its holds, and more that it took while it ran.
    take = Hold.objects.get_or_create if job.losses else Hold.objects.create
    for resource in KINDS[job.kind].resources(job):
        take(resource=resource, job=job)
    return job


def _half_done() -> Q:
    """Jobs that have to go on, whatever people want."""
    resuming = [kind.name for kind in KINDS.values() if kind.resumes]
    return Q(losses__gt=0, kind__in=resuming)


@transaction.atomic
def finish(job: Job, outcome: Outcome) -> bool:
    """Write a job's outcome, unless the job was taken away from this worker meanwhile.

    Where news came while it ran, its result is kept and it goes back to the queue. So it does
    where it only pauses; news waits with it, and is looked at after that.
    """
    if outcome.again_at is not None:
        if _pause(job, outcome.summary, outcome.again_at):
            return True
        outcome = replace(outcome, status=Job.Status.CANCELLED, again_at=None)
    now = timezone.now()
    again = Q(rerun_requested=True)  # since somebody wanted it cancelled, if anybody did

    def end() -> bool:
        return Job.objects.filter(~again).release(
            job, status=outcome.status, finished_at=now, summary=outcome.summary, not_before=None
        )

    done = end()
    goes_back = not done and Job.objects.filter(again).release(
        job,
        status=Job.Status.QUEUED,
        rerun_requested=False,
        cancel_requested=False,
        summary=outcome.summary,
        not_before=now + RERUN_AFTER,
        dispatched_at=None,
        started_at=None,  # it begins anew, unlike one that pauses
    )
    if not done and not goes_back:
        done = end()  # who cancels it between these two takes that wish back
    if not done and not goes_back:
        logger.warning("result of a lost job dropped", extra={"job": job.pk})
        return False
    job.refresh_from_db()
    Hold.objects.filter(job=job).delete()
    outcome.write(job)
    if done:
        job_finished.send(sender=Job, job=job)
        if outcome.quiet and job.reason == Job.Reason.SCHEDULE and not job.joined:
            job.delete()
    return True


def _pause(job: Job, summary: dict[str, Any], until: datetime) -> bool:
    """Put a job back that is not over. False: somebody wants it cancelled, or it was taken."""
    ours = Job.objects.filter(cancel_requested=False).release(
        job,
        status=Job.Status.QUEUED,
        summary=paused_summary(summary, until),
        not_before=until,
        dispatched_at=None,
    )
    if ours:
        Hold.objects.filter(job=job).delete()
        job.refresh_from_db()
    return ours


def renew(job: Job, lease: timedelta | None = None) -> bool:
    """Keep a running job for another lease. False: it was taken away."""
    return Job.objects.renew(job, timezone.now(), lease)


def leave(job: Job, until: datetime) -> None:
    """Let go of a job in its midst, for a worker that is there then. It counts as lost by this one,
    and keeps its holds."""
    losses = job.losses + 1
    Job.objects.release(
        job, status=Job.Status.QUEUED, losses=losses, not_before=until, dispatched_at=None
    )


@transaction.atomic
def cancel(job_id: str) -> bool:
    """End a queued job at once; ask a running one to stop between its steps.

    What was wanted of a running one is not wanted any more; what is wanted after this is done.
    """
    now = timezone.now()
    # Until this is written the job stays what it is: one that ran, and went back to the queue
    # meanwhile, would lie there with this wish, and nobody would take it.
    jobs = Job.objects.active().filter(pk=job_id)
    if not jobs.select_for_update(no_key=True).values_list("pk").first():
        return False
    ended = (
        Job.objects.queued()
        .filter(~_half_done(), pk=job_id)
        .update(status=Job.Status.CANCELLED, cancel_requested=True, finished_at=now)
    )
    if ended:
        job_finished.send(sender=Job, job=Job.objects.get(pk=job_id))
        return True
    return bool(jobs.update(cancel_requested=True, rerun_requested=False))


@transaction.atomic
def take_from_dead(job: Job, now: datetime) -> None:
    """Put a job back whose lease ran out, or end it: not repeatable, lost too often, cancelled."""
    dead = Job.objects.expired(now)
    losses = job.losses + 1
    wish: dict[str, Any] = {}
    if not KINDS[job.kind].resumes:
        # Who wants it cancelled, or done once more, since it was read is heard at the next look.
        dead = dead.filter(
            cancel_requested=job.cancel_requested, rerun_requested=job.rerun_requested
        )
        wish = {"cancel_requested": False}
    if _goes_on(job, losses):
        taken = dead.release(
            job, status=Job.Status.QUEUED, losses=losses, not_before=now, dispatched_at=None, **wish
        )
    else:
        status = Job.Status.CANCELLED if job.cancel_requested else Job.Status.FAILED
        error = "left_half_done" if KINDS[job.kind].resumes else "worker_lost"
        summary = {**job.summary, "error": error}
        taken = dead.release(job, status=status, losses=losses, finished_at=now, summary=summary)
    if not taken:
        return
    job.refresh_from_db()
    logger.warning("job lost its worker", extra={"job": job.pk, "losses": losses})
    if not (job.is_active and KINDS[job.kind].resumes):
        Hold.objects.filter(job=job).delete()
    if not job.is_active:
        KINDS[job.kind].given_up(job)
        job_finished.send(sender=Job, job=job)


def _goes_on(job: Job, losses: int) -> bool:
    kind = KINDS[job.kind]
    if kind.resumes:
        return losses < MAX_RESUMPTIONS
    wanted = job.rerun_requested or not job.cancel_requested
    return kind.repeatable and losses < MAX_LOSSES and wanted
