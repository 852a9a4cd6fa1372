"""The receivers as people see them: each with what it is, how it is, and what is worst."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db.models import QuerySet
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from dockrev.errors import Conflict
from integrations.health import Health, health_of
from integrations.models import Receiver
from integrations.receivers import CALLERS, RECEIVERS
from integrations.receivers.base import Caller
from integrations.receivers.github import GitHubPackages


@dataclass(frozen=True)
class Known:
    """A receiver with its kind. `is_first`: of its kind, which stays."""

    row: Receiver
    caller: Caller
    health: Health
    is_first: bool

    @property
    def label(self) -> str:
        """Its kind, where its name does not say it."""
        return "" if self.row.name == self.caller.label else self.caller.label

    @property
    def is_receiver(self) -> bool:
        """Whether a registry calls it, with images; else what is asked for is work."""
        return self.row.kind in RECEIVERS

    @property
    def has_own_page(self) -> bool:
        """Whether it is set up elsewhere: with its account, on the page of GitHub Packages."""
        return self.is_first and self.row.kind == GitHubPackages.kind


@dataclass(frozen=True)
class Roster:
    """All receivers, in the order of their kinds."""

    known: Sequence[Known]

    @property
    def on(self) -> list[Known]:
        return [each for each in self.known if each.row.enabled]

    @property
    def off(self) -> list[Known]:
        return [each for each in self.known if not each.row.enabled]

    @property
    def troubled(self) -> list[Known]:
        return [each for each in self.known if each.health.needs_somebody]

    @property
    def last(self) -> datetime | None:
        times = (each.row.last_accepted_at for each in self.known)
        return max((time for time in times if time is not None), default=None)

    @property
    def mark(self) -> str:
        if self.troubled:
            return "attention"
        if self.on and not self.last:
            return "waiting"
        return "on" if self.on else "off"

    @property
    def word(self) -> str:
        if number := len(self.troubled):
            words = ngettext("%(number)d needs you", "%(number)d need you", number)
            return words % {"number": number}
        if self.on and not self.last:
            return _("nothing came yet")
        return _("all is well") if self.on else _("none is on")


def look() -> Roster:
    """One query."""
    first: dict[str, str] = {}
    rows = [row for row in _rows() if row.kind in CALLERS]
    for row in rows:
        first.setdefault(row.kind, row.pk)
    kinds = list(CALLERS)
    rows.sort(key=lambda row: kinds.index(row.kind))  # of a kind, the oldest stays first
    return Roster([_known(row, is_first=first[row.kind] == row.pk) for row in rows])


def look_at(row: Receiver) -> Known:
    """One query."""
    return _known(row, is_first=_is_first(row))


def remove(row: Receiver) -> None:
    """Remove a receiver with its deliveries. Raises Conflict for the first of a kind, and for one
    that accounts keep hooks for: nobody would find those hooks any more."""
    if _is_first(row):
        raise Conflict(_("The first receiver of a kind stays; switch it off."), reason="first")
    if account := row.accounts.first():
        text = _("The account %(name)s keeps webhooks for it: remove that first.")
        raise Conflict(text % {"name": account.name}, reason="has_accounts")
    row.delete()


def may_go(row: Receiver) -> bool:
    """Whether `remove` would remove it."""
    return not (_is_first(row) or row.accounts.exists())


def _rows() -> QuerySet[Receiver]:
    return Receiver.objects.defer("secret", "previous_secret", "learned")


def _is_first(row: Receiver) -> bool:
    first = Receiver.objects.filter(kind=row.kind).values_list("pk", flat=True).first()
    return first == row.pk


def _known(row: Receiver, *, is_first: bool) -> Known:
    return Known(row, CALLERS[row.kind], health_of(row), is_first)
