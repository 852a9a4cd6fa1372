"""Rows that only pages need."""

from __future__ import annotations

from typing import Any

from django.utils import timezone

from checks.models import Candidate, Job, Service
from integrations.models import Delivery, Receiver
from tests.github import digest
from tests.rows import service


def candidate(of: Service, *, step: str = "minor", tag: str = "1.3.0") -> Candidate:
    of.status = Service.Status.UPDATE_AVAILABLE
    of.checked_at = timezone.now()
    of.save(update_fields=["status", "checked_at"])
    return Candidate.objects.create(
        service=of,
        step=step,
        image_ref=of.image_ref,
        tag=tag,
        digest=digest(tag),
        platforms=["linux/amd64", "linux/arm64"],
        arch="match",
        opened_at=timezone.now(),
    )


def job(kind: str = "check.service", status: str = "success", **fields: Any) -> Job:
    now = timezone.now()
    known: dict[str, Any] = {
        "scope": Job.Scope.SERVICE,
        "reason": Job.Reason.UI,
        "dedupe_key": f"{kind}:{Job.objects.count()}",
        "created_at": now,
        "started_at": None if status == "queued" else now,
        "finished_at": None if status in Job.ACTIVE else now,
    }
    return Job.objects.create(kind=kind, status=status, **{**known, **fields})


def delivery(receiver: Receiver, **fields: Any) -> Delivery:
    now = timezone.now()
    known: dict[str, Any] = {
        "dedupe_key": f"delivery {Delivery.objects.count()}",
        "event": "package",
        "action": "published",
        "decision": Delivery.Decision.PROCESSED,
        "payload": b"{}",
        "received_at": now,
        "last_received_at": now,
    }
    return Delivery.objects.create(receiver=receiver, **{**known, **fields})


def many_services(number: int) -> None:
    """Services in three stacks, each with two candidates and a job of its own."""
    for index in range(number):
        row = service(name=f"svc-{index}", stack=f"stack-{index % 3}")
        candidate(row, step="minor")
        candidate(row, step="rebuilt", tag=row.tag)
        job(service_id=row.pk, stack_id=row.stack_id, subject=row.name)
