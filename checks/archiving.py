"""Putting stacks and services away, and taking them back. What is archived is not checked."""

from __future__ import annotations

from datetime import datetime

from checks.models import Service, Stack


def archive(row: Service | Stack, now: datetime) -> None:
    row.archived_at = now
    row.save(update_fields=["archived_at"])


def restore(row: Service | Stack) -> None:
    row.archived_at = None
    row.save(update_fields=["archived_at"])
