"""Receivers that were heard regularly and are not any more: found by a clock, told once.

How regularly is learnt from a receiver's own deliveries. A push often brings many at once, so
what comes close together counts as one.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import F, Q
from django.utils import timezone

from integrations.models import Delivery, Receiver
from integrations.receivers import RECEIVERS
from notifications import announce

TOGETHER = timedelta(minutes=10)
AT_LEAST_KNOWN = 10
AT_LEAST_SILENT = timedelta(days=1)
TIMES_THE_GAP = 4
MOST = 500  # of its latest deliveries


def usual_gap(times: Iterable[datetime]) -> timedelta | None:
    """The longest pause between deliveries, the newest first; None if too few are known.

    Those that came within a few minutes of each other are one.
    """
    gaps, newer = [], None
    for time in times:
        if newer is not None and newer - time > TOGETHER:
            gaps.append(newer - time)
        newer = time
    return max(gaps) if len(gaps) >= AT_LEAST_KNOWN - 1 else None


def is_silent(gap: timedelta | None, silent_for: timedelta) -> bool:
    """Whether a receiver, heard for the last time so long ago, should have been heard since."""
    return gap is not None and silent_for > max(gap * TIMES_THE_GAP, AT_LEAST_SILENT)


def look() -> None:
    """Mark the receivers that fell silent, and tell of each once, until it was heard again."""
    now = timezone.now()
    for receiver in _quiet(now):
        heard: datetime = receiver.last_accepted_at or now
        gap = usual_gap(_times(receiver))
        if gap is None or not is_silent(gap, now - _since(receiver)):
            continue
        with transaction.atomic():
            same = Receiver.objects.filter(pk=receiver.pk, last_accepted_at=heard)
            if same.exclude(silent_at__gt=heard).update(silent_at=now):
                fact = announce.Silence(receiver.pk, receiver.kind, receiver.name, heard, gap)
                announce.silence(fact, now)


def _quiet(now: datetime) -> Iterable[Receiver]:
    """Those that are on and were not heard for as long as nobody is called silent, nor told of."""
    return (
        Receiver.objects.filter(enabled=True, kind__in=RECEIVERS)
        .filter(last_accepted_at__lt=now - AT_LEAST_SILENT)
        .filter(Q(silent_at=None) | Q(silent_at__lt=F("last_accepted_at")))
        .defer("secret", "previous_secret")
    )


def _times(receiver: Receiver) -> Iterable[datetime]:
    rows = Delivery.objects.filter(receiver=receiver, is_test=False, reconciled=False)
    return rows.order_by("-received_at").values_list("received_at", flat=True)[:MOST]


def _since(receiver: Receiver) -> datetime:
    """Since when it could have been heard, and was not."""
    times = [time for time in (receiver.last_accepted_at, receiver.enabled_at) if time]
    return max(times)
