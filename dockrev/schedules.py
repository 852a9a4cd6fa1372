"""Things that a clock starts. Apps register them; a row of each says when, and people may edit it.

Many processes may tick: moving a row's next run is one conditional update, and what it starts is
written in the same transaction, so each run is started once or not at all.
"""

from __future__ import annotations

import logging
import random
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import islice

from cronsim import CronSim, CronSimError
from django.db import DatabaseError, transaction
from django.db.models import Q
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from dockrev.models import Schedule

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Default:
    """What an app registered. `action` only writes rows, such as a queued job. `title` is for
    people: what happens.

    `at_once`: the first time is as soon as there is a worker, not when the clock says.
    `at_each_start`: so it is whenever a worker starts, for what was missed without one.
    `enabled`: whether it is on before anybody said so.
    """

    cron: str
    action: Callable[[], object]
    jitter: timedelta = timedelta()
    at_once: bool = False
    at_each_start: bool = False
    title: str | Promise = ""
    enabled: bool = True


DEFAULTS: dict[str, Default] = {}


def register(
    name: str,
    cron: str,
    action: Callable[[], object],
    *,
    jitter: timedelta = timedelta(),
    at_once: bool = False,
    at_each_start: bool = False,
    title: str | Promise = "",
    enabled: bool = True,
) -> None:
    DEFAULTS[name] = Default(cron, action, jitter, at_once, at_each_start, title, enabled)


def title_of(name: str) -> str:
    """What a schedule does, for people; its name where nobody said."""
    return str(DEFAULTS[name].title) if name in DEFAULTS and DEFAULTS[name].title else name


def read_cron(text: str) -> str:
    """An expression as people type it. Raises ValueError, with words for people, if it is none."""
    cron = " ".join(text.split())
    try:
        following(cron, timezone.now())
    except ValueError as error:
        raise ValueError(_("This is no cron expression: %(why)s.") % {"why": error}) from error
    return cron


def following(cron: str, after: datetime) -> datetime:
    """The next time that `cron`, read in the configured time zone, names.

    Raises ValueError, with words for people, for what is no cron expression of five fields, or
    one that never comes.
    """
    return times_of(cron, after, 1)[0]


def times_of(cron: str, after: datetime, count: int) -> list[datetime]:
    """The next few times. Raises ValueError as `following` does."""
    if len(cron.split()) != len(FIELDS):
        raise ValueError(_("it takes five fields: minute, hour, day, month, day of the week"))
    try:
        times = list(islice(CronSim(cron, timezone.localtime(after)), count))
    except CronSimError as error:
        raise ValueError(_why_not(cron, str(error))) from error
    if not times:
        raise ValueError(_("no such date comes"))
    return [time.astimezone(UTC) for time in times]


FIELDS: dict[str, tuple[str | Promise, str | Promise]] = {
    "minute": (gettext_lazy("minute"), gettext_lazy("0 to 59")),
    "hour": (gettext_lazy("hour"), gettext_lazy("0 to 23")),
    "day-of-month": (gettext_lazy("day"), gettext_lazy("1 to 31, or L for the last")),
    "month": (gettext_lazy("month"), gettext_lazy("1 to 12, or JAN to DEC")),
    "day-of-week": (gettext_lazy("day of the week"), gettext_lazy("0 to 7, or SUN to SAT")),
}


def _why_not(cron: str, error: str) -> str:
    """Which field is wrong, and what it takes."""
    name = error.removeprefix("Bad ")
    label, takes = FIELDS[name]
    given = cron.split()[list(FIELDS).index(name)]
    text = _("the %(field)s cannot be %(given)s; it takes %(takes)s")
    return text % {"field": label, "given": given, "takes": takes}


def sync(now: datetime) -> None:
    """Make the rows of what was registered; a row that is there keeps what people set."""
    for name, default in DEFAULTS.items():
        Schedule.objects.get_or_create(
            name=name,
            defaults={
                "enabled": default.enabled,
                "cron": default.cron,
                "jitter_seconds": int(default.jitter.total_seconds()),
                "next_run_at": now if default.at_once else following(default.cron, now),
            },
        )


def begin(now: datetime) -> None:
    """A worker starts: make due what is wanted at each start."""
    sync(now)
    names = [name for name, default in DEFAULTS.items() if default.at_each_start]
    Schedule.objects.filter(name__in=names).update(next_run_at=now)


def fire_due(now: datetime) -> int:
    """Start everything whose time has come; what was missed is started once.

    A row without a next run, new or just edited, is given one and waits for it.
    """
    due = Schedule.objects.filter(enabled=True).filter(
        Q(next_run_at=None) | Q(next_run_at__lte=now)
    )
    return sum(_fire(row, now) for row in due if row.name in DEFAULTS)


@transaction.atomic
def run_now(row: Schedule, now: datetime) -> None:
    """Start what a schedule starts, beside its times, also where it is off."""
    Schedule.objects.filter(pk=row.pk).update(last_run_at=now)
    DEFAULTS[row.name].action()


def change(name: str, **columns: object) -> None:
    """Store what people set. Without a next run, the tick works it out anew."""
    Schedule.objects.filter(name=name).update(**columns, next_run_at=None)


def _fire(row: Schedule, now: datetime) -> bool:
    same = Schedule.objects.filter(pk=row.pk, next_run_at=row.next_run_at, cron=row.cron)
    try:
        coming = following(row.cron, now) + _jitter(row)
    except ValueError:
        logger.exception("schedule switched off", extra={"schedule": row.name, "cron": row.cron})
        same.update(enabled=False)
        return False
    if row.next_run_at is None:
        same.update(next_run_at=coming)
        return False
    try:
        with transaction.atomic():
            ours = same.update(next_run_at=coming, last_run_at=now) == 1
            if ours:
                DEFAULTS[row.name].action()
            return ours
    except DatabaseError:
        raise  # the next tick tries again
    except Exception:
        logger.exception("schedule failed", extra={"schedule": row.name})
        same.update(next_run_at=coming)
        return False


def _jitter(row: Schedule) -> timedelta:
    return timedelta(seconds=random.uniform(0, row.jitter_seconds))  # noqa: S311 - spreads load, guards nothing
