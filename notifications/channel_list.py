"""The channels as lists show them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Count
from django.utils.translation import gettext, ngettext

from notifications import announce, stacks
from notifications.channels import TRANSPORTS
from notifications.models import Channel, Notification
from notifications.stacks import StackChoice

SHOWN_STACKS = 3
FEW = 2  # kinds of message that are named rather than the others


@dataclass(frozen=True)
class Listed:
    """A channel and how it is. `events` and `stacks` are words; `waiting` counts messages."""

    row: Channel
    mark: str
    word: str
    trouble: str
    events: str
    stacks: str
    waiting: int

    @property
    def failing_since(self) -> datetime | None:
        return self.row.failing_since if self.row.enabled else None

    @property
    def label(self) -> str:
        kind = TRANSPORTS.get(self.row.kind)
        return str(kind.label if kind else self.row.kind)


def listed(rows: Iterable[Channel]) -> list[Listed]:
    """Each with its words, in two queries beside that of the rows; no configuration is read."""
    known, there = stacks.known(), list(rows)
    waiting = Notification.objects.waiting().filter(channel__in=there).order_by()
    counts = dict(waiting.values_list("channel").annotate(Count("pk")))
    return [_listed(row, known, counts.get(row.pk, 0)) for row in there]


def heard(channel: Channel) -> str:
    """What a channel is told of, for people."""
    words = [str(word) for event, word in announce.EVENTS.items() if event in channel.events]
    others = [str(word) for event, word in announce.EVENTS.items() if event not in channel.events]
    if not others:
        return gettext("everything")
    if len(others) <= FEW < len(words):
        return gettext("everything but %(others)s") % {"others": ", ".join(others)}
    return ", ".join(words) or gettext("nothing")


def _listed(row: Channel, known: dict[str, StackChoice], waiting: int) -> Listed:
    mark, word = _state(row)
    trouble = row.disabled_reason or row.last_error
    return Listed(row, mark, word, trouble, heard(row), _stacks(row, known), waiting)


def _state(row: Channel) -> tuple[str, str]:
    if row.disabled_reason:
        return "error", gettext("switched off")
    if not row.enabled:
        return "off", gettext("off")
    if row.last_error or row.failing_since:
        return "attention", gettext("failing")
    if row.last_sent_at is None:
        return "waiting", gettext("on, nothing sent yet")
    return "on", gettext("on")


def _stacks(row: Channel, known: dict[str, StackChoice]) -> str:
    if not row.stack_ids:
        return gettext("all stacks")
    names = [known[id_].name for id_ in row.stack_ids if id_ in known]
    if len(names) == len(row.stack_ids) <= SHOWN_STACKS:
        return ", ".join(names)
    count = len(row.stack_ids)
    return ngettext("%(count)d stack", "%(count)d stacks", count) % {"count": count}
