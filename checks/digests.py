"""What is still open, and which updates failed, told once in a while by a schedule."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.utils import timezone
from django.utils.dateparse import parse_datetime

from checks.models import Candidate, Job, Service
from checks.settle import news
from dockrev.models import Setting
from notifications import announce
from notifications.announce import Failure

TOLD = "digest_told_at"
"""The key of the setting that says up to when failures have been told of."""
AT_FIRST = timedelta(days=7)
KINDS = ("update", "self_update", "rollback")
MOST_FAILURES = 1000


def tell() -> None:
    """Tell every channel that wants a digest of what is in its stacks. Inside a transaction."""
    now = timezone.now()
    since = _since(now)
    announce.digest(since, [news(each) for each in _open()], _failures(since, now), now)
    Setting.objects.update_or_create(key=TOLD, defaults={"value": now.isoformat()})


def _since(now: datetime) -> datetime:
    stored = Setting.objects.filter(key=TOLD).values_list("value", flat=True).first()
    known = parse_datetime(stored) if isinstance(stored, str) else None
    return known or now - AT_FIRST


def _open() -> list[Candidate]:
    offered = Candidate.objects.offered().filter(service__in=Service.objects.present())
    together = offered.select_related("service__stack", "service__image", "image")
    return list(together.order_by("service__stack__name", "service__name", "opened_at"))


def _failures(since: datetime, now: datetime) -> list[Failure]:
    wrong = [Job.Status.FAILED, Job.Status.ROLLED_BACK]
    jobs = Job.objects.filter(kind__in=KINDS, status__in=wrong)
    recent = jobs.filter(finished_at__gt=since, finished_at__lte=now).order_by("-finished_at")
    return [
        Failure(job.pk, job.kind, job.status, job.subject, job.stack_id, job.finished_at or now)
        for job in recent[:MOST_FAILURES]
    ]
