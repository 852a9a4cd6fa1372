"""The tags that differ from a version by the worth of its numbers alone. Pure.

They are most of what many a repository has. To tell them by one expression and to compare their
numbers takes a fifth of the time that it takes to read each of them as a version.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import lru_cache
from heapq import heappush, heapreplace

from checks.versions.shapes import YEAR, Numbers, Version, place_in, read

# What may stand around numbers that others take the place of, and nothing is read otherwise: a
# letter could make a hash or a pre-release of a number beside it, a dot a part of another.
_IN_FRONT = re.compile(r"v?|.*[-_]", re.IGNORECASE)
_BEHIND = re.compile(r"(?:[-_].*)?")
# Without zeros in front, and too short for a date or the count of a build server.
_NUMBER = "(0|[1-9][0-9]{0,2})"
_YEAR = "((?:19|20)[0-9]{2})"


@dataclass
class Sifted:
    """Siblings by how many of their first numbers are those of the version: how many there are,
    and the highest of them, the lowest of these first. `left` are all other tags."""

    older: int = 0
    left: list[str] = field(default_factory=list)
    counts: dict[int, int] = field(default_factory=dict)
    highest: dict[int, list[tuple[Numbers, str]]] = field(default_factory=dict)


def sift(
    tag: str, tags: Iterable[str], *, most: int = 1, but: Callable[[str], object] | None = None
) -> Sifted:
    """Tell the siblings of a tag from others, and keep `most` of those that are newer.

    `but` says which of the newer ones are left, too.
    """
    sifted = Sifted()
    version, pattern = read(tag), _pattern(tag)
    if version is None or pattern is None:
        sifted.left = list(tags)
        return sifted
    ours, match, leave = version.numbers, pattern.fullmatch, sifted.left.append
    for each in tags:
        if (found := match(each)) is None:
            leave(each)
        elif (numbers := tuple(map(int, found.groups()))) < ours:
            sifted.older += 1
        elif numbers == ours or (but and but(each)):
            leave(each)
        else:
            _note(sifted, ours, (numbers, each), most)
    return sifted


def like(version: Version, numbers: Numbers) -> Version:
    """A version's sibling with these numbers, as it reads."""
    return version._replace(parts=tuple(map(str, numbers)), numbers=numbers)


def _note(sifted: Sifted, ours: Numbers, newer: tuple[Numbers, str], most: int) -> None:
    same = 0
    while newer[0][same] == ours[same]:
        same += 1
    kept = sifted.highest.get(same)
    if kept is None:
        kept = sifted.highest[same] = []
        sifted.counts[same] = 0
    sifted.counts[same] += 1
    if len(kept) < most:
        heappush(kept, newer)
    elif kept[0] < newer:
        heapreplace(kept, newer)


def _pattern(tag: str) -> re.Pattern[str] | None:
    """What matches a version's siblings, their numbers as groups; None where that is not sure."""
    version, place = read(tag), place_in(tag)
    if version is None or place is None:
        return None
    front, behind = tag[: place[0]], tag[place[1] :]
    if not _IN_FRONT.fullmatch(front) or not _BEHIND.fullmatch(behind):
        return None
    pattern = _compiled(front, version.kinds[0] == YEAR, len(version.parts), behind)
    return pattern if pattern.fullmatch(tag) else None


@lru_cache(256)
def _compiled(front: str, is_calendar: bool, count: int, behind: str) -> re.Pattern[str]:
    numbers = [_YEAR if is_calendar else _NUMBER, *[_NUMBER] * (count - 1)]
    return re.compile(re.escape(front) + r"\.".join(numbers) + re.escape(behind))
