"""The only writer of `Job.status`: enqueue, claim, finish, cancel, recover.

Every change of status is one conditional UPDATE, so that two processes that try the same find
out by its count which of them did. The queue message and the job row commit together.
"""

from __future__ import annotations

import hashlib
import json
import logging
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any

from django.db import IntegrityError, connection, transaction
from django.db.models import Case, F, Q, QuerySet, Value, When
from django.db.models.functions import Coalesce, Least
from django.utils import timezone

from checks.kinds import KINDS, Outcome, paused_summary
from checks.models import Hold, Job
from checks.signals import job_finished
from dockrev.dispatch import CLUSTERS, LOST_AFTER, Cluster, dispatch, waiting
from dockrev.ids import new_id
from dockrev.prepared import Insert, Select

logger = logging.getLogger(__name__)

TASK = "checks.tasks.run_job"
RERUN_AFTER = timedelta(seconds=5)
HELD_PAUSE = timedelta(seconds=1)
MAX_LOSSES = 3
MAX_KEY = 200  # the length of its column


_insert = Insert(Job)
_active = Select(
    lambda key: Job.objects.active().filter(dedupe_key=key).order_by().values_list("pk"), "key"
)
_last_ended = Select(
    lambda key: (
        Job.objects.filter(dedupe_key=key, by_delivery=True, finished_at__isnull=False)
        .order_by("-finished_at")
        .values_list("finished_at")[:1]
    ),
    "key",
)


@dataclass(frozen=True)
class Request:
    """Work that somebody asks for.

    `params` belong to what is asked: other parameters are another job. `after` delays a new job,
    and a queued one that it joins is not pulled forward beyond it.
    """

    kind: str
    reason: str
    scope: str = Job.Scope.ALL
    stack_id: str = ""
    service_id: str = ""
    subject: str = ""
    params: dict[str, Any] = field(default_factory=dict)
    created_by: str = ""
    notify: bool = False
    by_delivery: bool = False
    after: datetime | None = None

    @cached_property
    def dedupe_key(self) -> str:
        """The same for the same work only: parameters that do not fit are told by their hash."""
        target = self.service_id or self.stack_id
        params = json.dumps(self.params, sort_keys=True) if self.params else ""
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

    A running job may have looked before this news came in, so it runs once more; that and the
    wish to announce are set by one UPDATE, which a job that finishes meanwhile cannot miss.
    """
    return _enqueue(request, timezone.now(), after=request.after)


def enqueue_after_last(
    request: Request, pause: timedelta, *, earliest: datetime, now: datetime
) -> Queued:
    """Enqueue for `earliest`, or for `pause` after the last such job that a delivery asked for.

    Inside a transaction.
    """
    last: list[Any] = [ended for (ended,) in _last_ended(key=request.dedupe_key)]
    recent = bool(last) and last[0] > now - pause
    return _enqueue(request, now, after=last[0] + pause if recent else earliest)


def _enqueue(request: Request, now: datetime, *, after: datetime | None) -> Queued:
    while True:
        if joined := _join(request, after or now):
            return Queued(joined, reused=True)
        try:
            with transaction.atomic() if _has_rivals() else nullcontext():
                return Queued(_create(request, now, after=after or now), reused=False)
        except IntegrityError:
            if not _has_rivals():
                raise
            # Another process was first: join its job.


def _has_rivals() -> bool:
    """Whether another process may write what this transaction just looked for."""
    return connection.vendor != "sqlite"  # has one writer


def _join(request: Request, wanted: datetime) -> str:
    found = _active(key=request.dedupe_key)
    if not found:
        return ""
    job_id: str = found[0][0]
    changes: dict[str, Any] = {"joined": True}
    if KINDS[request.kind].repeatable:
        changes["rerun_requested"] = Case(
            When(status=Job.Status.RUNNING, then=True), default=F("rerun_requested")
        )
    if request.notify:
        changes["notify"] = True
    if request.by_delivery:
        changes["by_delivery"] = True
    # What is wanted sooner than the queued job was due pulls it forward, never back.
    changes["not_before"] = Case(
        When(status=Job.Status.RUNNING, then=F("not_before")),
        default=Least(F("not_before"), Value(wanted)),
    )
    active = Job.objects.active().filter(pk=job_id)
    return job_id if active.update(**changes) else ""


def _create(request: Request, now: datetime, *, after: datetime) -> str:
    due = after <= now
    job_id = _write(request, now, not_before=max(after, now), dispatched_at=now if due else None)
    if due:
        dispatch(TASK, job_id, cluster=KINDS[request.kind].cluster, now=now)
    return job_id


def _write(
    request: Request, now: datetime, *, not_before: datetime, dispatched_at: datetime | None = None
) -> str:
    job_id = new_id("job")
    _insert(
        id=job_id,
        kind=request.kind,
        scope=request.scope,
        stack_id=request.stack_id,
        service_id=request.service_id,
        subject=request.subject[:520],
        params=request.params,
        dedupe_key=request.dedupe_key,
        reason=request.reason,
        created_by=request.created_by[:150],
        notify=request.notify,
        by_delivery=request.by_delivery,
        not_before=not_before,
        dispatched_at=dispatched_at,
        created_at=now,
    )
    return job_id


def begin(request: Request) -> Job | None:
    """Make a job that runs already, with its holds, for a process that does it by itself.

    None, and nothing made: the same job is active, or another holds what it needs.
    """
    now = timezone.now()
    try:
        with transaction.atomic():
            return _take(_write(request, now, not_before=now), now)
    except IntegrityError:
        return None


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
        .filter(pk=job_id, cancel_requested=False)
        .filter(not_before__lte=now)
        .take(now, status=Job.Status.RUNNING, started_at=Coalesce("started_at", now))
    )
    if not taken:
        return None
    job = Job.objects.get(pk=job_id)
    for resource in KINDS[job.kind].resources(job):
        Hold.objects.create(resource=resource, job=job)
    return job


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
    again = Q(rerun_requested=True, cancel_requested=False)
    done = Job.objects.filter(~again).release(
        job, status=outcome.status, finished_at=now, summary=outcome.summary, not_before=None
    )
    if not done and not Job.objects.filter(again).release(
        job,
        status=Job.Status.QUEUED,
        rerun_requested=False,
        summary=outcome.summary,
        not_before=now + RERUN_AFTER,
        dispatched_at=None,
    ):
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


def renew(job: Job) -> bool:
    """Keep a running job for another lease. False: it was taken away."""
    return Job.objects.renew(job, timezone.now())


def cancel(job_id: str) -> bool:
    """End a queued job at once; ask a running one to stop between its steps."""
    now = timezone.now()
    with transaction.atomic():
        ended = (
            Job.objects.queued()
            .filter(pk=job_id)
            .update(status=Job.Status.CANCELLED, cancel_requested=True, finished_at=now)
        )
        if ended:
            job_finished.send(sender=Job, job=Job.objects.get(pk=job_id))
            return True
    return bool(Job.objects.running().filter(pk=job_id).update(cancel_requested=True))


def dispatch_due(now: datetime) -> int:
    """Hand every job that has become due to its cluster. Several processes may try at once."""
    due = (
        Job.objects.queued()
        .filter(dispatched_at=None, not_before__lte=now)
        .values_list("pk", "kind")[:100]
    )
    count = 0
    for job_id, kind in list(due):
        with transaction.atomic():
            ours = (
                Job.objects.queued().filter(pk=job_id, dispatched_at=None).update(dispatched_at=now)
            )
            if ours:
                dispatch(TASK, job_id, cluster=KINDS[kind].cluster, now=now)
                count += 1
    return count


def recover(now: datetime) -> None:
    """Bring back what a dead worker had, and what a lost message was about."""
    for job in Job.objects.running().expired(now):
        _take_from_dead(job, now)
    lost = Job.objects.queued().filter(dispatched_at__lt=now - LOST_AFTER)
    for cluster in CLUSTERS:
        # Behind a full queue a message is late, not lost.
        if not waiting(cluster, now).exists():
            lost.filter(kind__in=_kinds_of(cluster)).update(dispatched_at=None)


def redispatch(cluster: Cluster) -> None:
    """After a cluster died: what its workers had taken would come back only after `retry`.

    A message that comes twice does no harm: the second finds nothing to claim.
    """
    kinds = _kinds_of(cluster)
    Job.objects.queued().filter(kind__in=kinds).update(dispatched_at=None)


def live(cluster: Cluster, now: datetime) -> QuerySet[Job]:
    """The running jobs of a cluster whose lease has not run out."""
    return Job.objects.running().filter(lease_until__gte=now, kind__in=_kinds_of(cluster))


def busy(cluster: Cluster, now: datetime) -> int:
    return live(cluster, now).count()


def is_late(cluster: Cluster, since: datetime) -> bool:
    """Whether a job was handed to the cluster before `since` and nobody claimed it."""
    handed = Job.objects.queued().filter(dispatched_at__lt=since)
    return handed.filter(kind__in=_kinds_of(cluster)).exists()


def _kinds_of(cluster: Cluster) -> list[str]:
    return [kind.name for kind in KINDS.values() if kind.cluster == cluster]


@transaction.atomic
def _take_from_dead(job: Job, now: datetime) -> None:
    dead = Job.objects.expired(now)
    losses = job.losses + 1
    if KINDS[job.kind].repeatable and losses < MAX_LOSSES and not job.cancel_requested:
        taken = dead.release(
            job, status=Job.Status.QUEUED, losses=losses, not_before=now, dispatched_at=None
        )
    else:
        status = Job.Status.CANCELLED if job.cancel_requested else Job.Status.FAILED
        summary = {**job.summary, "error": "worker_lost"}
        taken = dead.release(job, status=status, losses=losses, finished_at=now, summary=summary)
    if not taken:
        return
    Hold.objects.filter(job=job).delete()
    job.refresh_from_db()
    logger.warning("job lost its worker", extra={"job": job.pk, "losses": losses})
    if not job.is_active:
        job_finished.send(sender=Job, job=job)
