"""Which of a repository's tags come after the one that runs, and why the others do not. Pure.

A tag follows another if it has the same shape (`shapes.py`) and stands higher. Of those that
follow, the highest of each step is kept. A stable version is never followed by a pre-release; a
pre-release is followed by later ones of the same version, and by its final. Where a user wants
something else, a `Policy` says so.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from checks.versions.shapes import Version, is_signature, read
from checks.versions.siblings import sift

Test = Callable[[str], bool]
_Best = dict[str, list[tuple[Version, str]]]  # of each step, the highest first

PATCH, MINOR, MAJOR, OTHER = "patch", "minor", "major", "other"
STEPS = (MAJOR, OTHER, MINOR, PATCH)
"""The largest first. One shape has either numbers or a calendar, never both MAJOR and OTHER."""
_SIZES = {PATCH: 0, MINOR: 1, MAJOR: 2, OTHER: 2}


class Dropped(StrEnum):
    """Why a tag does not follow."""

    SIGNATURE = "signature"
    NOT_INCLUDED = "not_included"
    EXCLUDED = "excluded"
    NO_VERSION = "no_version"
    NO_MATCH = "no_match"
    OTHER_VARIANT = "other_variant"
    OTHER_SHAPE = "other_shape"
    NOT_NEWER = "not_newer"
    OLDER_BASE = "older_base"
    PRERELEASE = "prerelease"
    NOT_ITS_FINAL = "not_its_final"
    TOO_LARGE = "too_large"
    IGNORED = "ignored"


@dataclass(frozen=True)
class Policy:
    """What a user wants to hear of. The tests are given a whole tag.

    `ignored` names the rule that hides one. `comparable` turns a tag into the part that is read
    as its version, None where it does not fit. `lower` is how many tags below the highest of each
    step are told, too.
    """

    include: Test | None = None
    exclude: Test | None = None
    ignored: Callable[[str], str | bool] | None = None
    comparable: Callable[[str], str | None] | None = None
    largest: str = MAJOR
    prereleases: bool = False
    lower: int = 0

    @property
    def reads_all(self) -> bool:
        """Whether more than its version decides what becomes of a tag that is not newer."""
        return bool(self.comparable or self.include or self.exclude)


@dataclass(frozen=True)
class Choice:
    """The highest tag of each step, the largest step first, and how many others fell to what.

    `hidden` are the highest of those that a rule hides, and `by_rule` says how many each rule hides
    and which of them is the highest. `lower` are those below `newest`, as many as the policy asks
    for, the highest first. `listed` says whether the tag that runs is
    among those on offer.
    """

    newest: Mapping[str, str] = field(default_factory=dict)
    hidden: Mapping[str, str] = field(default_factory=dict)
    by_rule: Mapping[str, tuple[int, str]] = field(default_factory=dict)
    dropped: Mapping[str, int] = field(default_factory=dict)
    listed: bool = False
    lower: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


EVERYTHING = Policy()


def choose(current: str, tags: Iterable[str], policy: Policy = EVERYTHING) -> Choice | None:
    """Choose among tags, in any order, each looked at once. None if `current` is no version."""
    now = version_of(current, policy)
    if now is None:
        return None
    choosing = _Choosing(now, policy)
    listed = False
    for tag in tags if policy.reads_all else choosing.sift(current, tags):
        if tag == current:
            listed = True
        else:
            choosing.look_at(tag)
    return choosing.choice(listed=listed)


def version_of(tag: str, policy: Policy = EVERYTHING) -> Version | None:
    """The version that a tag is, by the policy's way to read it."""
    if policy.comparable is None:
        return read(tag)
    comparable = None if is_signature(tag) else policy.comparable(tag)
    return None if comparable is None else read(comparable)


def step_between(now: Version, then: Version) -> str:
    """How large a step a version takes. Years and months, dates and counts are no sizes."""
    if now.numbers == then.numbers:
        return PATCH
    moved = 0
    while now.numbers[moved] == then.numbers[moved]:
        moved += 1
    if now.kinds[0] == "year":
        return OTHER if moved < 2 else PATCH
    if now.kinds[0] != "number":
        return OTHER
    return (MAJOR, MINOR, PATCH)[min(moved, 2)]


class _Choosing:
    """What has become of the tags that were looked at so far."""

    def __init__(self, now: Version, policy: Policy) -> None:
        self._now, self._policy = now, policy
        self._dropped: Counter[str] = Counter()
        self._best: _Best = {}
        self._hidden: _Best = {}
        self._by_rule: dict[str, tuple[int, tuple[Any, str]]] = {}

    def sift(self, current: str, tags: Iterable[str]) -> list[str]:
        """Look at those tags that differ from `current` by their numbers alone; return the rest."""
        most = 1 + self._policy.lower
        sifted = sift(current, tags, most=most, but=self._policy.ignored)
        if sifted.older:
            self._dropped[Dropped.NOT_NEWER] += sifted.older
        for tags_there, found in sifted.newer:
            # What is said of one holds for all that take a step as large.
            if why := _why_not(self._now, found[0][0], self._policy):
                self._dropped[why] += tags_there
                continue
            for each in found:
                _keep(self._best, self._now, each, most=most)
        return sifted.left

    def look_at(self, tag: str) -> None:
        found = _judge(self._now, tag, self._policy)
        if isinstance(found, Dropped):
            self._dropped[found] += 1
        elif rule := self._policy.ignored and self._policy.ignored(tag):
            self._dropped[Dropped.IGNORED] += 1
            _keep(self._hidden, self._now, (found, tag))
            count, highest = self._by_rule.get(str(rule), (0, (found.place, tag)))
            self._by_rule[str(rule)] = count + 1, max(highest, (found.place, tag))
        else:
            _keep(self._best, self._now, (found, tag), most=1 + self._policy.lower)

    def choice(self, *, listed: bool) -> Choice:
        by_rule = {rule: (count, highest[1]) for rule, (count, highest) in self._by_rule.items()}
        lower = {
            step: tuple(tag for _version, tag in kept[1:]) for step, kept in self._best.items()
        }
        return Choice(_tags(self._best), _tags(self._hidden), by_rule, self._dropped, listed, lower)


def _keep(best: _Best, now: Version, found: tuple[Version, str], *, most: int = 1) -> None:
    kept = best.setdefault(step_between(now, found[0]), [])
    if len(kept) < most or _place(kept[-1]) < _place(found):
        kept.append(found)
        kept.sort(key=_place, reverse=True)
        del kept[most:]


def _place(found: tuple[Version, str]) -> tuple[object, ...]:
    version, tag = found
    return version.place, tag


def _tags(best: _Best) -> dict[str, str]:
    return {step: best[step][0][1] for step in STEPS if step in best}


def _judge(now: Version, tag: str, policy: Policy) -> Version | Dropped:
    then = version_of(tag, policy)
    if then is None:
        return _why_no_version(tag, policy)
    if policy.include and not policy.include(tag):
        return Dropped.NOT_INCLUDED
    if policy.exclude and policy.exclude(tag):
        return Dropped.EXCLUDED
    return _why_not(now, then, policy) or then


def _why_no_version(tag: str, policy: Policy) -> Dropped:
    if is_signature(tag):
        return Dropped.SIGNATURE
    unfit = policy.comparable and policy.comparable(tag) is None
    return Dropped.NO_MATCH if unfit else Dropped.NO_VERSION


def _why_not(now: Version, then: Version, policy: Policy) -> Dropped | None:
    if then.variant != now.variant:
        return Dropped.OTHER_VARIANT
    if not then.is_written_like(now):
        return Dropped.OTHER_SHAPE
    if then.place <= now.place:
        return Dropped.NOT_NEWER
    if then.base < now.base:
        return Dropped.OLDER_BASE
    if not policy.prereleases and then.numbers != now.numbers:
        if not then.is_final:
            return Dropped.PRERELEASE
        if not now.is_final:
            return Dropped.NOT_ITS_FINAL
    if policy.largest != MAJOR and _SIZES[step_between(now, then)] > _SIZES[policy.largest]:
        return Dropped.TOO_LARGE
    return None
