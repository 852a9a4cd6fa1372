"""Ranges of versions, as packages name them: `>=1.2 <2`, `^1.4`, `~2.3.1`, `1.x || 3 - 4`. Pure.

A version in a range stands for all that begin with it: `1.2` is 1.2.0, 1.2.7 and 1.2.7.1; so
`>1.2` begins with 1.3, and `<=1.2` ends before it. A pre-release counts as its version.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import NamedTuple

from django.utils.translation import gettext as _

from checks.versions.patterns import BadPattern
from checks.versions.shapes import Numbers, read

_DIGITS = 9  # of one number; dates have eight
_VERSION = (
    rf"v?(?P<numbers>[0-9]{{1,{_DIGITS}}}(?:\.[0-9]{{1,{_DIGITS}}})*)?(?P<rest>(?:\.?[xX*])+)?"
)
_COMPARISON = re.compile(rf"(?P<sign>>=|<=|>|<|=|\^|~)?\s*{_VERSION}")
_TO = re.compile(rf"\s+-\s+{_VERSION}")
_BETWEEN = re.compile(r"[\s,]*")
_OR = re.compile(r"\|\|")


class Span(NamedTuple):
    """All versions from `first` on and before `end`; an `end` of None is none."""

    first: Numbers
    end: Numbers | None

    def holds(self, place: Numbers) -> bool:
        """Whether a version without zeros at its end is in it."""
        return self.first <= place and (self.end is None or place < self.end)


Choice = tuple[Span, ...]  # all of them


def version_range(text: str) -> Callable[[str], bool]:
    """A test whether a tag is a version in the range. Raises BadPattern."""
    choices = tuple(_choices(text))

    def contains(tag: str) -> bool:
        version = _read(tag)
        if version is None:
            return False
        place = _short(version.numbers)
        return any(all(span.holds(place) for span in choice) for choice in choices)

    return contains


# One tag is asked of many rules in a row.
_read = lru_cache(maxsize=256)(read)


def _choices(text: str) -> Iterator[Choice]:
    spans: list[Span] = []
    place = _after(_BETWEEN, text, 0)
    while place < len(text):
        either = _OR.match(text, place)
        if either and spans:
            yield tuple(spans)
            spans, place = [], either.end()
        else:
            span, place = _span(text, place)
            spans.append(span)
        place = _after(_BETWEEN, text, place)
    if not spans:
        raise BadPattern(_("A range needs a version, such as >=1.2 <2."), place)
    yield tuple(spans)


def _span(text: str, place: int) -> tuple[Span, int]:
    found = _COMPARISON.match(text, place)
    if found is None or not (found["numbers"] or found["rest"]) or not _ends(text, found.end()):
        message = _("This is no range of versions from character %(number)d on: %(rest)s")
        words = {"number": place + 1, "rest": text[place : place + 20]}
        raise BadPattern(message % words, place)
    to = _TO.match(text, found.end())
    if to and to["numbers"] and not found["sign"] and _ends(text, to.end()):
        return Span(_short(_numbers(found)), _next(_numbers(to))), to.end()
    return _compared(found["sign"] or "=", _numbers(found)), found.end()


def _compared(sign: str, numbers: Numbers) -> Span:
    if not numbers:  # `*`, and whatever is compared with it
        return Span((), None)
    first = _short(numbers)
    match sign:
        case ">=":
            return Span(first, None)
        case ">":
            return Span(_next(numbers), None)
        case "<":
            return Span((), first)
        case "<=":
            return Span((), _next(numbers))
        case "~":
            return Span(first, _next(numbers[:2]))
        case "^":
            leading = next((n for n, number in enumerate(numbers) if number), len(numbers) - 1)
            return Span(first, _next(numbers[: leading + 1]))
        case _same:
            return Span(first, _next(numbers))


def _numbers(found: re.Match[str]) -> Numbers:
    return tuple(map(int, found["numbers"].split("."))) if found["numbers"] else ()


def _next(numbers: Numbers) -> Numbers:
    """The first version that does not begin with these numbers."""
    return _short((*numbers[:-1], numbers[-1] + 1))


def _short(numbers: Numbers) -> Numbers:
    """Without zeros at the end, which do not count."""
    length = len(numbers)
    while length and not numbers[length - 1]:
        length -= 1
    return numbers[:length]


def _after(what: re.Pattern[str], text: str, place: int) -> int:
    found = what.match(text, place)
    return found.end() if found else place


def _ends(text: str, place: int) -> bool:
    return place == len(text) or text[place] in " \t,|<>=^~"
