"""What is kept for a while only, or only so many of. Apps register what of theirs grows, in
`AppConfig.ready()`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import models, transaction

BATCH = 500  # rows deleted in one transaction


@dataclass(frozen=True)
class Kept:
    """`ended_before` gives the rows that ended before a moment and may go.

    `most` says how many rows there may be. The oldest by primary key go beyond that, without
    those that have not ended.
    """

    ended_before: Callable[[datetime], models.QuerySet[Any]]
    most: Callable[[], int] | None


KEPT_FOR_A_WHILE: dict[str, Kept] = {}


def register(
    name: str,
    ended_before: Callable[[datetime], models.QuerySet[Any]],
    *,
    most: Callable[[], int] | None = None,
) -> None:
    KEPT_FOR_A_WHILE[name] = Kept(ended_before, most)


def sweep(now: datetime, keep: timedelta) -> dict[str, int]:
    """Delete what was kept long enough, and what is too much. Returns how many of each."""
    return {
        name: _delete(kept.ended_before(now - keep)) + _delete_surplus(kept, now)
        for name, kept in KEPT_FOR_A_WHILE.items()
    }


def _delete_surplus(kept: Kept, now: datetime) -> int:
    if kept.most is None:
        return 0
    rows = kept.ended_before(now)
    newest_first = rows.model._default_manager.order_by("-pk").values_list("pk", flat=True)
    most = kept.most()
    surplus = newest_first[most : most + 1]
    return sum(_delete(rows.filter(pk__lte=newest)) for newest in surplus)


def _delete(rows: models.QuerySet[Any]) -> int:
    """A few at a time: every short transaction lets others write in between.

    What changed since it was found, so that it may not go any more, stays.
    """
    deleted = 0
    rest = rows.order_by("pk")
    while keys := list(rest.values_list("pk", flat=True)[:BATCH]):
        with transaction.atomic():
            _all, by_model = rows.filter(pk__in=keys).delete()
        deleted += by_model.get(rows.model._meta.label, 0)
        rest = rows.filter(pk__gt=keys[-1]).order_by("pk")
    return deleted
