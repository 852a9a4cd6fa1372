"""How many calls somebody may make in a minute. The row counts, so all processes count together."""

from __future__ import annotations

from datetime import datetime, timedelta
from math import ceil
from typing import Any

from django.db.models import Case, F, Q, QuerySet, Value, When
from django.utils.translation import gettext as _

from dockrev.errors import RateLimited
from integrations.models import Paced

MINUTE = timedelta(minutes=1)


def admit(rows: QuerySet[Any], most: int, now: datetime, **also: Any) -> None:
    """Count a call of the one row, and write `also` to it. Raises RateLimited, and writes nothing.

    A minute begins with the first call after the one before. One that has yet to begin is none:
    somebody has set the clock back.
    """
    running = Q(minute_began_at__gt=now - MINUTE, minute_began_at__lte=now + MINUTE)
    admitted = rows.exclude(running & Q(minute_calls__gte=most)).update(
        minute_calls=Case(When(running, then=F("minute_calls") + 1), default=Value(1)),
        minute_began_at=Case(When(running, then=F("minute_began_at")), default=Value(now)),
        **also,
    )
    if not admitted:
        raise RateLimited(
            _("More than %(most)d calls in a minute.") % {"most": most},
            headers={"Retry-After": str(_seconds(rows, now))},
        )


def minute_of(row: Paced) -> str:
    """What tells one minute of a row from its others."""
    return row.minute_began_at.isoformat() if row.minute_began_at else ""


def _seconds(rows: QuerySet[Any], now: datetime) -> int:
    """Until its next minute begins."""
    began = rows.values_list("minute_began_at", flat=True).first() or now
    return max(1, min(ceil((began + MINUTE - now).total_seconds()), 60))
