"""What reports of scans hold, read with care: counts and times."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, TypeAlias

from django.utils.dateparse import parse_datetime

from integrations.receivers.base import member, text

MOST = 1_000_000  # of one severity; more is no count
LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)
Counts: TypeAlias = tuple[int, int, int]  # critical, high, other


def count(data: Any, *path: str) -> int | None:
    """The number at a path; None if there is none, or one that counts nothing."""
    value = member(data, *path)
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= MOST:
        return None
    return int(value)


def moment(data: Any, *path: str) -> datetime | None:
    """The time at a path, with its zone; None if there is none, or one before 1970."""
    try:
        at = parse_datetime(text(data, *path, limit=60))
    except ValueError:
        return None
    if at is None or at.tzinfo is None:
        return None
    return at if at > LONG_AGO else None
