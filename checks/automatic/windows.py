"""Maintenance windows: when services may be updated by themselves. Pure.

A window is named by the day on which it opens, and goes on past midnight where it ends before
it begins. Wall clocks count: where the clock is put forward over a window's edge, that edge is at
the leap; where an hour comes twice, a window opens at its first and closes at its second coming.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from django.utils.translation import gettext as _

from checks.versions.patterns import BadPattern

MAX_WINDOWS = 200  # characters
_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_ALL = frozenset(range(7))
_HOURS = re.compile(r"([01][0-9]|2[0-3]):([0-5][0-9])-([01][0-9]|2[0-3]|24):([0-5][0-9])")
_ZONE = re.compile(r"[A-Za-z][A-Za-z0-9_+-]*(?:/[A-Za-z0-9_+-]+){0,2}")
_DAY = timedelta(days=1)
_MINUTE = timedelta(minutes=1)
_AHEAD = 15  # days; one weekly window may be lost to a leap of the clock


@dataclass(frozen=True)
class Window:
    """`days` from 0 for Monday; minutes since the midnight that its day begins with."""

    days: frozenset[int]
    start: int
    end: int


@dataclass(frozen=True)
class Windows:
    """`zone` is empty where nobody said one."""

    each: tuple[Window, ...]
    zone: str = ""


@dataclass(frozen=True)
class Opening:
    opens_at: datetime
    closes_at: datetime

    def is_open(self, now: datetime) -> bool:
        return self.opens_at <= now < self.closes_at


@lru_cache(maxsize=256)
def read(text: str) -> Windows:
    """What somebody typed, such as `Sat,Sun 02:00-05:00; Fri 22:00-04:00 Europe/Berlin`.

    Raises BadPattern.
    """
    if len(text) > MAX_WINDOWS:
        message = _("Write at most %(most)d characters.")
        raise BadPattern(message % {"most": MAX_WINDOWS}, MAX_WINDOWS)
    words = [(found.group(), found.start()) for found in re.finditer(r";|[^\s;]+", text)]
    zone = ""
    if len(words) > 1 and _ZONE.fullmatch(words[-1][0]) and not _is_of_days(words[-1][0]):
        zone = _zone(*words.pop())
    windows, part = [], list[tuple[str, int]]()
    for word, at in [*words, (";", len(text))]:
        if word != ";":
            part.append((word, at))
            continue
        windows.append(_window(part, at))
        part = []
    return Windows(tuple(windows), zone)


def opening(windows: Windows, now: datetime, *, default_zone: str) -> Opening | None:
    """The window that is open, of several the one that closes last, else the next to open."""
    zone = ZoneInfo(windows.zone or default_zone)
    today = now.astimezone(zone).date()
    days = (today + _DAY * number for number in range(-2, _AHEAD))
    found = [each for day in days for each in _on(day, windows, zone) if now < each.closes_at]
    if there := [each for each in found if each.is_open(now)]:
        return max(there, key=lambda each: each.closes_at)
    return min(found, key=lambda each: each.opens_at, default=None)


def _on(day: date, windows: Windows, zone: ZoneInfo) -> Iterator[Opening]:
    midnight = datetime.combine(day, time())
    for each in windows.each:
        if day.weekday() in each.days:
            opens = _moment(midnight + _MINUTE * each.start, zone, fold=0)
            closes = _moment(midnight + _MINUTE * each.end, zone, fold=1)
            if opens < closes:
                yield Opening(opens, closes)


def _moment(wall: datetime, zone: ZoneInfo, *, fold: int) -> datetime:
    """When a wall clock shows a time; where it leaps over that, the moment of the leap."""
    while True:
        moment = wall.replace(tzinfo=zone, fold=fold).astimezone(UTC)
        if moment.astimezone(zone).replace(tzinfo=None, fold=0) == wall:
            return moment
        wall += _MINUTE


def _window(words: list[tuple[str, int]], end: int) -> Window:
    if not words or len(words) > 2:
        raise _unreadable(words[2][1] if words else end)
    hours, at = words[-1]
    found = _HOURS.fullmatch(hours)
    if found is None:
        raise _unreadable(at)
    first, minute, last, last_minute = map(int, found.groups())
    start, stop = first * 60 + minute, last * 60 + last_minute
    if stop > 24 * 60:
        raise _unreadable(at)
    days = _days(*words[0]) if len(words) == 2 else _ALL
    if start == stop:
        raise BadPattern(_("It ends when it begins. A whole day is 00:00-24:00."), at)
    return Window(days, start, stop if start < stop else stop + 24 * 60)


def _days(text: str, at: int) -> frozenset[int]:
    days: set[int] = set()
    for part in text.lower().split(","):
        first, dash, last = part.partition("-")
        if first not in _DAYS or (dash and last not in _DAYS):
            raise _unreadable(at)
        begin = _DAYS.index(first)
        length = (_DAYS.index(last) - begin) % 7 if dash else 0
        days.update((begin + number) % 7 for number in range(length + 1))
    return frozenset(days)


def _is_of_days(text: str) -> bool:
    return all(part.partition("-")[0] in _DAYS for part in text.lower().split(","))


def _zone(text: str, at: int) -> str:
    try:
        return ZoneInfo(text).key
    except (KeyError, ValueError, OSError):  # a folder of zones is an OSError
        message = _("%(zone)s is no time zone. Write one as Europe/Berlin.")
        raise BadPattern(message % {"zone": f"“{text}”"}, at) from None


def _unreadable(at: int) -> BadPattern:
    message = _("Write windows as Sat,Sun 02:00-05:00; Mon-Fri 22:00-04:00 Europe/Berlin.")
    return BadPattern(message, at)
