"""The queue's share of what the worker process does: hand out what is due, bring back what is lost.

Called ten times a second or after a death; what it finds amiss, `checks/queue.py` puts right.
"""

from __future__ import annotations

from datetime import datetime

from django.db import transaction
from django.db.models import QuerySet

from checks import queue
from checks.kinds import KINDS
from checks.models import Job
from dockrev.dispatch import CLUSTERS, LOST_AFTER, Cluster, dispatch, waiting


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
                dispatch(queue.TASK, job_id, cluster=KINDS[kind].cluster, now=now)
                count += 1
    return count


def recover(now: datetime) -> None:
    """Bring back what a dead worker had, and what a lost message was about."""
    for job in Job.objects.running().expired(now):
        queue.take_from_dead(job, now)
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
