"""What people want to hear of one service: the policy that holds, and the rules over it. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from checks.versions.choice import Policy
from checks.versions.ignores import Ignores
from checks.versions.patterns import pattern
from checks.versions.policies import Held, holding
from checks.versions.shapes import read
from checks.versions.transforms import transform

LOOKED_AT_BELOW = 4  # versions of each step, where higher ones are too young, or deleted


@dataclass(frozen=True)
class Wishes:
    """`held` is what holds for the service, field by field (`versions/policies.py`)."""

    ignores: Ignores = field(default_factory=Ignores)
    held: Mapping[str, Held] = field(default_factory=lambda: holding({}))

    @property
    def track(self) -> str:
        return str(self._get("track"))

    @property
    def platform(self) -> str:
        """The platform to compare for; empty for the machine's own."""
        return str(self._get("platform"))

    @property
    def policy(self) -> Policy:
        include, exclude, written = map(self._get, ("include", "exclude", "transform"))
        return Policy(
            include=pattern(include) if include else None,
            exclude=pattern(exclude) if exclude else None,
            ignored=self.ignores.test,
            comparable=transform(written) if written else None,
            largest=self._get("largestStep"),
            prereleases=self._get("prereleases"),
            lower=LOOKED_AT_BELOW,
        )

    @property
    def minimum_age(self) -> timedelta:
        """How old an image has to be before people hear of it."""
        return timedelta(days=self._get("minimumAge"))

    def needs_about(self, tag: str) -> bool:
        """Whether it matters what images say of themselves: how old they are, or which version is
        behind a tag that is none."""
        return bool(self.minimum_age) or read(tag) is None

    def _get(self, name: str) -> Any:
        return self.held[name].value
