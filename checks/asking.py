"""Checks and discoveries that a person, or a program of theirs, asks for."""

from __future__ import annotations

from checks.models import Job, Service, Stack
from checks.queue import Queued, Request, enqueue


def check_everything(username: str, *, reason: str = Job.Reason.UI, notify: bool = False) -> Queued:
    return enqueue(Request(kind="check.all", reason=reason, created_by=username, notify=notify))


def check_stack(
    stack: Stack, username: str, *, reason: str = Job.Reason.UI, notify: bool = False
) -> Queued:
    return enqueue(
        Request(
            kind="check.stack",
            reason=reason,
            scope=Job.Scope.STACK,
            stack_id=stack.pk,
            subject=stack.name,
            created_by=username,
            notify=notify,
        )
    )


def check_service(
    service: Service, username: str, *, reason: str = Job.Reason.UI, notify: bool = False
) -> Queued:
    return enqueue(
        Request(
            kind="check.service",
            reason=reason,
            scope=Job.Scope.SERVICE,
            stack_id=service.stack_id,
            service_id=service.pk,
            subject=f"{service.stack.name} / {service.name}",
            created_by=username,
            notify=notify,
        )
    )


def look_again(username: str, *, reason: str = Job.Reason.UI) -> Queued:
    return enqueue(Request(kind="discovery", reason=reason, created_by=username))


def again(job: Job, username: str) -> Queued:
    """Ask for the same work once more."""
    return enqueue(
        Request(
            kind=job.kind,
            reason=Job.Reason.UI,
            scope=job.scope,
            stack_id=job.stack_id,
            service_id=job.service_id,
            subject=job.subject,
            params=job.params,
            created_by=username,
        )
    )
