"""Messages in a list: what was said to whom, by what came of it, a page at a time."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from django.db.models import Count, Max, OuterRef, Q, QuerySet, Subquery, TextField
from django.db.models.functions import Cast, Coalesce, Lower
from django.utils.functional import Promise
from django.utils.text import capfirst
from django.utils.translation import gettext_lazy as _

from notifications import announce
from notifications.models import Attempt, Channel, Notification

MOST_WORDS = 10
MOST_TRIES = 100  # shown of one message
Status = Notification.Status


class Filter(NamedTuple):
    label: str | Promise
    condition: Q


FILTERS = {
    "all": Filter(_("All"), Q()),
    "waiting": Filter(_("Waiting"), Q(status__in=[Status.WAITING, Status.SENDING])),
    "sent": Filter(_("Sent"), Q(status=Status.SENT)),
    "failed": Filter(_("Failed"), Q(status=Status.FAILED)),
}


@dataclass(frozen=True)
class Wanted:
    """What somebody asks for. What is not known asks for nothing."""

    show: str = "all"
    channel: str = ""
    kind: str = ""
    words: str = ""


@dataclass(frozen=True)
class Looked:
    """`rows` are not read yet: the caller takes a page of them."""

    rows: QuerySet[Notification]
    wanted: Wanted
    filters: list[tuple[str, Filter, int]]
    channels: list[tuple[str, str]]
    kinds: list[tuple[str, str]]
    total: int
    waiting: int
    failed: int
    last_sent: datetime | None


def look(wanted: Wanted) -> Looked:
    chosen = wanted.show if wanted.show in FILTERS else "all"
    found = matching(wanted)
    counts = found.aggregate(
        **{key: Count("pk", filter=each.condition) for key, each in FILTERS.items()}
    )
    totals = Notification.objects.aggregate(
        total=Count("pk"),
        waiting=Count("pk", filter=FILTERS["waiting"].condition),
        failed=Count("pk", filter=FILTERS["failed"].condition),
        last_sent=Max("sent_at"),
    )
    kinds = Notification.objects.order_by("kind").values_list("kind", flat=True).distinct()
    return Looked(
        rows=with_outcome(found.filter(FILTERS[chosen].condition)),
        wanted=wanted,
        filters=[(key, each, counts[key]) for key, each in FILTERS.items()],
        channels=list(Channel.objects.order_by(Lower("name"), "pk").values_list("pk", "name")),
        kinds=[(kind, label(kind)) for kind in kinds],
        **totals,
    )


def matching(wanted: Wanted) -> QuerySet[Notification]:
    """Those to a channel and of a kind, that have every word in their id, title, facts or error,
    or in the name of their channel."""
    rows = Notification.objects.all()
    if wanted.channel:
        rows = rows.filter(channel=wanted.channel)
    if wanted.kind:
        rows = rows.filter(kind=wanted.kind)
    words = wanted.words.split()[:MOST_WORDS]
    if words:
        rows = rows.annotate(facts=Cast("content", TextField()))
    for word in words:
        rows = rows.filter(
            Q(pk__icontains=word)
            | Q(title__icontains=word)
            | Q(facts__icontains=word)
            | Q(error__icontains=word)
            | Q(channel__name__icontains=word)
        )
    return rows


def with_outcome(rows: QuerySet[Notification]) -> QuerySet[Notification]:
    """With channel, number of tries, and the answer to the last."""
    own = Attempt.objects.filter(notification=OuterRef("pk"))
    tried = own.order_by().values("notification").annotate(count=Count("pk")).values("count")
    found: Any = rows.select_related("channel").annotate(
        tried=Coalesce(Subquery(tried), 0),
        answer=Subquery(own.order_by("-number").values("answer")[:1]),
    )
    kept: QuerySet[Notification] = found.defer("channel__config", "content", "said")
    return kept


def label(kind: str) -> str:
    """A kind of message, for people."""
    return str(capfirst(str(announce.EVENTS.get(kind, kind))))


def comes(row: Notification) -> datetime | None:
    """When it is tried next; None where nobody knows, or where it is over."""
    if row.next_attempt_at is None or not row.channel.enabled:
        return None
    rests = row.channel.paused_until
    return max(row.next_attempt_at, rests) if rests else row.next_attempt_at
