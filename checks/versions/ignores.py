"""Which rule hides a tag or a digest. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache

from django.utils.translation import gettext as _

from checks.versions.patterns import BadPattern, pattern
from checks.versions.ranges import version_range
from checks.versions.shapes import read

EXACT, PREFIX, REGEX, SEMVER, DIGEST = "exact", "prefix", "regex", "semver", "digest"
_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}")
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}|sha512:[0-9a-f]{128}")


@dataclass(frozen=True)
class Rule:
    """`kind` is one of `IgnoreRule.Kind`."""

    id: str
    kind: str
    value: str


class Ignores:
    """The rules for one service, and those `beyond` them, which many services share. What cannot be
    read any more hides nothing."""

    def __init__(self, rules: Sequence[Rule] = (), beyond: Ignores | None = None) -> None:
        self._beyond = beyond
        self._digests = {rule.value: rule.id for rule in rules if rule.kind == DIGEST}
        self._tags = {rule.value: rule.id for rule in rules if rule.kind == EXACT}
        others = [rule for rule in rules if rule.kind not in {DIGEST, EXACT}]
        self._tests = [(test, rule.id) for rule in others if (test := _known(rule))]

    def tag(self, tag: str) -> str:
        """The id of a rule that hides a tag; empty where none does."""
        hiding = self._tags.get(tag) or next((rule for test, rule in self._tests if test(tag)), "")
        return hiding or (self._beyond.tag(tag) if self._beyond else "")

    def image(self, tag: str, digest: str, *, rebuilt: bool) -> str:
        """The same of an image. What was rebuilt under a version that runs is no other version,
        so only its digest hides it; `latest` is hidden by its name, too."""
        by_name = not rebuilt or read(tag) is None
        return self._digest(digest) or (self.tag(tag) if by_name else "")

    def _digest(self, digest: str) -> str:
        hiding = self._digests.get(digest, "")
        return hiding or (self._beyond._digest(digest) if self._beyond else "")

    @property
    def test(self) -> Callable[[str], str] | None:
        """Which rule hides a tag, if any may be hidden."""
        return self.tag if self._hides_tags else None

    @property
    def _hides_tags(self) -> bool:
        beyond = self._beyond is not None and self._beyond._hides_tags
        return bool(self._tags or self._tests) or beyond


def read_rule(kind: str, value: str) -> Callable[[str], bool]:
    """What a rule tests: a tag, or a digest. Raises BadPattern."""
    match kind:
        case "regex":
            return pattern(value)
        case "semver":
            return version_range(value)
        case "digest":
            _require(_DIGEST, value, _("A digest is sha256: and 64 hexadecimal digits."))
            return lambda digest: digest == value
        case "prefix":
            _require(_TAG, value, _("A tag has letters, digits, dots, dashes and underscores."))
            return lambda tag: tag.startswith(value)
        case _exact:
            _require(_TAG, value, _("A tag has letters, digits, dots, dashes and underscores."))
            return lambda tag: tag == value


@lru_cache(maxsize=1024)
def _known(rule: Rule) -> Callable[[str], bool] | None:
    try:
        return read_rule(rule.kind, rule.value)
    except BadPattern:
        return None


def _require(what: re.Pattern[str], value: str, message: str) -> None:
    if not what.fullmatch(value):
        found = what.match(value)
        raise BadPattern(message, found.end() if found else 0)
