"""What became of a service's candidates: found, announced, hidden, replaced, applied."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from django.db.models import QuerySet
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from checks import hidings
from checks.hidings import Hiding
from checks.models import Candidate, IgnoreRule, Service


class What(StrEnum):
    DISCOVERED = "discovered"
    OFFERED = "offered"
    ANNOUNCED = "announced"
    HIDDEN = "hidden"
    SHOWN = "shown"
    SUPERSEDED = "superseded"
    APPLIED = "applied"
    GONE = "gone"


@dataclass(frozen=True)
class Event:
    """`words` say it to people. `channels` is to how many it was announced, `by` what took its
    place."""

    at: datetime
    what: What
    words: str
    channels: int | None = None
    hiding: Hiding | None = None
    by: Candidate | None = None


def candidates_of(service: Service) -> QuerySet[Candidate]:
    """All that there were, and are, the newest first, with what their events need."""
    rows = Candidate.objects.filter(service=service).order_by("-opened_at", "-pk")
    return rows.select_related("image", "service__image", "superseded_by__image")


def events_of(candidate: Candidate) -> list[Event]:
    """What happened to it, in the order of time."""
    return sorted(_events(candidate), key=lambda event: event.at)


def _events(row: Candidate) -> Iterator[Event]:
    yield Event(row.opened_at, What.DISCOVERED, _found(row))
    if row.offered_at:
        yield Event(row.offered_at, What.OFFERED, _("old enough to be offered"))
    if row.announced_at:
        yield Event(row.announced_at, What.ANNOUNCED, _announced(row), channels=row.announced_to)
    for hiding in hidings.of(row):
        yield Event(hiding.at, What.HIDDEN, _hidden(hiding), hiding=hiding)
        if hiding.over:
            yield Event(hiding.over, What.SHOWN, _("shown again"), hiding=hiding)
    if row.closed_at:
        yield Event(row.closed_at, What(row.closed_as), _closed(row), by=row.superseded_by)


def _found(row: Candidate) -> str:
    if row.waits_until and not row.closed_at:
        return _("found; waits until %(day)s to be old enough") % {"day": day(row.waits_until)}
    return _("found")


def _announced(row: Candidate) -> str:
    if not row.announced_to:
        return _("announced")
    text = ngettext(
        "announced to %(count)d channel", "announced to %(count)d channels", row.announced_to
    )
    return text % {"count": row.announced_to}


def _hidden(hiding: Hiding) -> str:
    said = {
        "by": hiding.by or _("nobody who is known"),
        "rule": f"{IgnoreRule.Kind(hiding.kind).label} {hiding.value}",
        "day": day(hiding.until) if hiding.until else "",
    }
    if not hiding.is_one_press:
        return _("hidden by a rule of %(by)s: %(rule)s") % said
    if hiding.until:
        return _("snoozed by %(by)s until %(day)s") % said
    return _("skipped by %(by)s") % said


def _closed(row: Candidate) -> str:
    match row.closed_as:
        case Candidate.Closed.APPLIED:
            return _("applied: it runs now")
        case Candidate.Closed.GONE:
            return _("no longer there: the registry, the service's image or its policy has changed")
    if row.superseded_by is None:
        return _("replaced by something newer")
    newer = row.superseded_by
    if newer.tag == row.tag:
        return _("replaced by a newer image of its tag")
    return _("replaced by %(tag)s") % {"tag": newer.display_tag}


def day(moment: datetime) -> str:
    """The day, in the configured zone."""
    return date_format(timezone.localtime(moment), "j M Y")
