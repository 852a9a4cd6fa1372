"""What became of the last message of each kind to a channel."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.db.models import Max
from django.utils.functional import Promise

from notifications import announce
from notifications.models import Channel, Notification


@dataclass(frozen=True)
class Last:
    """`row` is None where none was written yet."""

    kind: str
    word: str | Promise
    is_heard: bool
    row: Notification | None

    @property
    def at(self) -> datetime | None:
        return None if self.row is None else self.row.sent_at or self.row.created_at


def of(channel: Channel) -> list[Last]:
    """For every kind that the channel hears of, or heard of once; in two queries."""
    own = Notification.objects.filter(channel=channel)
    newest = own.order_by().values("kind").annotate(last=Max("id")).values("last")
    rows = {row.kind: row for row in own.filter(pk__in=list(newest.values_list("last", flat=True)))}
    return [
        Last(kind, word, kind in channel.events, rows.get(kind))
        for kind, word in announce.EVENTS.items()
        if kind in channel.events or kind in rows
    ]
