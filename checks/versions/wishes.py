"""What people want to hear of one service: its policy, and the rules over it. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from checks.versions.choice import MAJOR, Policy
from checks.versions.ignores import Ignores
from checks.versions.patterns import BadPattern, pattern

AUTO, DIGEST, VERSION, NOTHING = "auto", "digest", "version", "nothing"
DEFAULTS: dict[str, Any] = {
    "track": AUTO,
    "include": "",
    "exclude": "",
    "largestStep": MAJOR,
    "prereleases": False,
}


@dataclass(frozen=True)
class Wishes:
    """`kept` is a service's policy: of `DEFAULTS`, what is not as they say."""

    ignores: Ignores = field(default_factory=Ignores)
    kept: Mapping[str, Any] = field(default_factory=dict)

    @property
    def track(self) -> str:
        return str(self._get("track"))

    @property
    def policy(self) -> Policy:
        return Policy(
            include=_test(self._get("include")),
            exclude=_test(self._get("exclude")),
            ignored=self.ignores.test,
            largest=self._get("largestStep"),
            prereleases=self._get("prereleases"),
        )

    def _get(self, name: str) -> Any:
        return self.kept.get(name, DEFAULTS[name])


def _test(text: str) -> Callable[[str], bool] | None:
    """A pattern that cannot be read any more is none."""
    try:
        return pattern(text) if text else None
    except BadPattern:
        return None
