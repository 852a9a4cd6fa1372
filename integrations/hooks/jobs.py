"""What all jobs about an account's hooks share: how they are asked for, and what they hold."""

from __future__ import annotations

from typing import Any

from checks.models import Job
from checks.queue import Request
from integrations.models import HookAccount


def request_for(
    kind: str, account: HookAccount, *, reason: str, username: str = "", **params: Any
) -> Request:
    """`params` are shown to people, and two requests with the same are one job."""
    return Request(
        kind=kind,
        reason=reason,
        subject=account.name,
        params={"account": account.pk, **params},
        created_by=username,
    )


def resources(job: Job) -> list[str]:
    """One job at a time works on an account's hooks."""
    return [f"account:{job.params['account']}"]
