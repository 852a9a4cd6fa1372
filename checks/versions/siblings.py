"""The tags that differ from a version by the worth of its numbers alone. Pure.

They are most of what many a repository has. To find them by one expression and to sort them
takes a tenth of the time that it takes to read each of them as a version.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache
from typing import NamedTuple

from checks.versions.shapes import YEAR, Numbers, Version, place_in, read

AT_ONCE = 5_000  # tags that are looked at together; more would only take more memory

# What may stand around numbers that others take the place of, and nothing is read otherwise: a
# letter could make a hash or a pre-release of a number beside it, a dot a part of another.
_IN_FRONT = re.compile(r"v?|.*[-_]", re.IGNORECASE)
_BEHIND = re.compile(r"(?:[-_].*)?")
# Without zeros in front, and too short for a date or the count of a build server.
_NUMBER = "(0|[1-9][0-9]{0,2})"
_YEAR = "((?:19|20)[0-9]{2})"


class Newer(NamedTuple):
    """Newer siblings that have as many of the first numbers in common with the version: how many
    there are, and the highest as they read, which come last."""

    tags: int
    highest: list[tuple[Version, str]]


class Sifted(NamedTuple):
    """`older` siblings are counted, `newer` ones told by step; `left` are all other tags."""

    older: int
    newer: list[Newer]
    left: list[str]


def sift(
    tag: str, tags: Iterable[str], *, most: int = 1, but: Callable[[str], object] | None = None
) -> Sifted:
    """Tell the siblings of a tag from others, and keep `most` of those that are newer, by step.

    `but` says which of the newer ones are left, too.
    """
    tags, form = list(tags), _form(tag)
    if form is None:
        return Sifted(0, [], tags)
    left: list[str] = []
    numbers: list[Numbers] = []
    for start in range(0, len(tags), AT_ONCE):
        numbers += form.numbers(tags[start : start + AT_ONCE], left)
    numbers.sort()
    ours = form.version.numbers
    older, end = bisect_left(numbers, ours), bisect_right(numbers, ours)
    left += [tag] * (end - older)
    newer = numbers[end:]
    if but:
        written = [(one, form.written(one)) for one in newer]
        left += [each for _one, each in written if but(each)]
        newer = [one for one, each in written if not but(each)]
    return Sifted(older, list(_by_step(form, newer, most)), left)


class _Form(NamedTuple):
    """A version as it is written: what stands in front of its numbers and behind them, and what
    matches its siblings among lines, with their numbers as groups."""

    version: Version
    front: str
    behind: str
    pattern: re.Pattern[str]

    def numbers(self, tags: list[str], left: list[str]) -> Iterator[Numbers]:
        """Those of siblings; other tags are `left`. There is no step of Python for each of them."""
        text = "\n".join(tags)
        if text.count("\n") + 1 != len(tags):  # they are none
            left += tags
            return iter(())
        found = self.pattern.findall(text)
        if len(found) != len(tags):
            left += [each for each in tags if not self.pattern.fullmatch(each)]
        columns = zip(*found, strict=True) if len(self.version.parts) > 1 else [found]
        return zip(*(map(int, column) for column in columns), strict=True)

    def written(self, numbers: Numbers) -> str:
        return f"{self.front}{'.'.join(map(str, numbers))}{self.behind}"

    def reads(self, numbers: Numbers) -> tuple[Version, str]:
        parts = tuple(map(str, numbers))
        return self.version._replace(parts=parts, numbers=numbers), self.written(numbers)


def _by_step(form: _Form, newer: list[Numbers], most: int) -> Iterator[Newer]:
    """In their order those come first that have the most numbers in common with ours."""
    ours, start = form.version.numbers, 0
    for same in reversed(range(len(ours))):
        beyond = *ours[: same - 1], ours[same - 1] + 1
        end = bisect_left(newer, beyond) if same else len(newer)
        if end > start:
            highest = newer[max(start, end - most) : end]
            yield Newer(end - start, [form.reads(one) for one in highest])
        start = end


def _form(tag: str) -> _Form | None:
    """None where it is not sure that a tag with other numbers reads in the same way."""
    version, place = read(tag), place_in(tag)
    if version is None or place is None:
        return None
    front, behind = tag[: place[0]], tag[place[1] :]
    if not _IN_FRONT.fullmatch(front) or not _BEHIND.fullmatch(behind):
        return None
    pattern = _compiled(front, version.kinds[0] == YEAR, len(version.parts), behind)
    return _Form(version, front, behind, pattern) if pattern.fullmatch(tag) else None


@lru_cache(256)
def _compiled(front: str, is_calendar: bool, count: int, behind: str) -> re.Pattern[str]:
    numbers = [_YEAR if is_calendar else _NUMBER, *[_NUMBER] * (count - 1)]
    line = re.escape(front) + r"\.".join(numbers) + re.escape(behind)
    return re.compile(f"^{line}$", re.MULTILINE)
