"""What is kept for a while only. Apps register what of theirs grows, in `AppConfig.ready()`."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

from django.db import models, transaction

BATCH = 500  # rows deleted in one transaction

# By name: rows that ended before a moment and may go.
KEPT_FOR_A_WHILE: dict[str, Callable[[datetime], models.QuerySet[Any]]] = {}


def register(name: str, ended_before: Callable[[datetime], models.QuerySet[Any]]) -> None:
    KEPT_FOR_A_WHILE[name] = ended_before


def sweep(before: datetime) -> dict[str, int]:
    """Delete what ended before a moment, a few rows at a time. Returns how many of each."""
    return {name: _delete(ended(before)) for name, ended in KEPT_FOR_A_WHILE.items()}


def _delete(rows: models.QuerySet[Any]) -> int:
    """Every short transaction lets others write in between."""
    deleted = 0
    model = rows.model
    while keys := list(rows.order_by("pk").values_list("pk", flat=True)[:BATCH]):
        with transaction.atomic():
            model._default_manager.filter(pk__in=keys).delete()
        deleted += len(keys)
    return deleted
