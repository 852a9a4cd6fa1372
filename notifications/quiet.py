"""Quiet hours: when a channel is sent only what is urgent, in the configured time zone."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

from django.utils import timezone
from django.utils.translation import gettext_lazy as _

DAYS = {  # as they are kept, in the order of `date.weekday`
    "mon": _("Monday"),
    "tue": _("Tuesday"),
    "wed": _("Wednesday"),
    "thu": _("Thursday"),
    "fri": _("Friday"),
    "sat": _("Saturday"),
    "sun": _("Sunday"),
}
_NAMES = list(DAYS)


@dataclass(frozen=True)
class Hours:
    """From `start` to `end`, which may be on the next day; `days` are those on which it begins."""

    start: time
    end: time
    days: Collection[str]

    def until(self, now: datetime) -> datetime | None:
        """When it is over, if it is quiet at this moment."""
        today = timezone.localtime(now).date()
        for day in (today - timedelta(days=1), today):
            begins, ends = self._on(day)
            if _NAMES[day.weekday()] in self.days and begins <= now < ends:
                return ends
        return None

    def _on(self, day: date) -> tuple[datetime, datetime]:
        """A time that comes twice as clocks go back is the first at the start, the second at the
        end; one that clocks skip is as much later as they skip."""
        last = day if self.start < self.end else day + timedelta(days=1)
        return _moment(day, self.start, fold=0), _moment(last, self.end, fold=1)


def _moment(day: date, at: time, *, fold: int) -> datetime:
    zone = timezone.get_default_timezone()
    local = datetime.combine(day, at, tzinfo=zone).replace(fold=fold)
    early = local.replace(fold=0).astimezone(UTC)
    if early.astimezone(zone).replace(tzinfo=None) != local.replace(tzinfo=None, fold=0):
        return early  # skipped by clocks
    return local.astimezone(UTC)
