"""Times and durations as people read them: relative, with the exact moment on hover."""

from __future__ import annotations

from datetime import datetime, timedelta

from django import template
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.utils.translation import ngettext, pgettext

register = template.Library()

NOTHING = "\N{EN DASH}"
JUST_NOW = timedelta(seconds=10)
_SECONDS = (("y", 365 * 86400), ("d", 86400), ("h", 3600), ("min", 60), ("s", 1))


@register.filter
def ago(moment: datetime | None) -> str:
    """`4 minutes ago`, in words for a sentence."""
    if moment is None:
        return _("never")
    distance = timezone.now() - moment
    if abs(distance) < JUST_NOW:
        return _element(moment, _("just now") if distance >= timedelta() else _("in a moment"))
    words = _in_words(abs(distance))
    pattern = _("%(time)s ago") if distance > timedelta() else _("in %(time)s")
    return _element(moment, pattern % {"time": words})


@register.filter
def age(moment: datetime | None) -> str:
    """`4 min`, for a column."""
    if moment is None:
        return NOTHING
    return _element(moment, _largest(timezone.now() - moment, units=1))


@register.filter
def clock(moment: datetime) -> str:
    """The time of day to the second, for a line of a log."""
    return _element(moment, timezone.localtime(moment).strftime("%H:%M:%S"))


@register.filter
def until(start: datetime | None, end: datetime | None) -> str:
    """How long something took, or has been going on for, in its two largest units."""
    if start is None:
        return NOTHING
    return _largest((end or timezone.now()) - start, units=2)


@register.filter
def lasted(distance: timedelta) -> str:
    return _largest(distance, units=2)


@register.filter
def exact(moment: datetime) -> str:
    """The moment in the configured zone, with the zone's name."""
    local = timezone.localtime(moment)
    return f"{date_format(local, 'j M Y, H:i:s')} {local.tzname()}"


def _element(moment: datetime, words: str) -> str:
    return format_html(
        '<time datetime="{}" title="{}">{}</time>', moment.isoformat(), exact(moment), words
    )


def _in_words(distance: timedelta) -> str:
    name, count = _units(distance)[0]
    patterns = {
        "y": ngettext("%(count)d year", "%(count)d years", count),
        "d": ngettext("%(count)d day", "%(count)d days", count),
        "h": ngettext("%(count)d hour", "%(count)d hours", count),
        "min": ngettext("%(count)d minute", "%(count)d minutes", count),
        "s": ngettext("%(count)d second", "%(count)d seconds", count),
    }
    return patterns[name] % {"count": count}


def _largest(distance: timedelta, *, units: int) -> str:
    if units > 1 and distance < timedelta(seconds=1):
        return pgettext("duration", "%(count)d ms") % {
            "count": distance / timedelta(milliseconds=1)
        }
    if units > 1 and distance < timedelta(seconds=10):
        return pgettext("duration", "%(seconds).1f s") % {"seconds": distance.total_seconds()}
    short = {
        "y": pgettext("duration", "%(count)d y"),
        "d": pgettext("duration", "%(count)d d"),
        "h": pgettext("duration", "%(count)d h"),
        "min": pgettext("duration", "%(count)d min"),
        "s": pgettext("duration", "%(count)d s"),
    }
    shown = _units(distance)[:units]
    return "\N{NO-BREAK SPACE}".join(short[name] % {"count": n} for name, n in shown if n) or (
        short["s"] % {"count": 0}
    )


def _units(distance: timedelta) -> list[tuple[str, int]]:
    """Every unit from the largest that is not zero down to the seconds."""
    rest = max(int(distance.total_seconds()), 0)
    counted: list[tuple[str, int]] = []
    for name, seconds in _SECONDS:
        count, rest = divmod(rest, seconds)
        if count or counted or name == "s":
            counted.append((name, count))
    return counted
