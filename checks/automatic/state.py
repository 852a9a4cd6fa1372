"""What a service does by itself: whether it updates itself, to what, and when. Pure.

One answer for the tick that asks for updates, for the page of the service and for the API.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings

from checks.automatic import windows
from checks.automatic.windows import Opening
from checks.models import Candidate, Pause
from checks.overview import by_step
from checks.policies import Level
from checks.versions.policies import DIGEST, OFF, Held

Step = Candidate.Step
_UP_TO = {DIGEST: Step.REBUILT, Step.PATCH: Step.PATCH, Step.MINOR: Step.MINOR}
_STEPS = (Step.REBUILT, Step.PATCH, Step.MINOR, Step.MAJOR)  # `other` is a person's to judge


@dataclass(frozen=True)
class State:
    """`held` is the policy. `coming` is what it is updated to next, from `ripe_at` on.

    Without `is_limited` it may be at any time; where it is, `opening` is when. `pause` is there as
    long as it holds.
    """

    held: dict[str, Held]
    is_limited: bool = False
    opening: Opening | None = None
    coming: Candidate | None = None
    ripe_at: datetime | None = None
    pause: Pause | None = None

    @property
    def is_on(self) -> bool:
        return bool(self.held["autoUpdate"].value != OFF)

    @property
    def only_healthy(self) -> bool:
        return bool(self.held["autoUpdateHealthy"].value)

    def is_open(self, now: datetime) -> bool:
        return not self.is_limited or (self.opening is not None and self.opening.is_open(now))

    def is_due(self, now: datetime) -> bool:
        ripe = self.ripe_at is not None and self.ripe_at <= now
        return self.pause is None and ripe and self.is_open(now)


def of(level: Level, offered: Iterable[Candidate], now: datetime) -> State:
    """For a service read `with_policies` and `with_pauses`, and what is offered for it."""
    held = level.held
    if held["autoUpdate"].value == OFF:
        return State(held)
    service: Any = level.row
    pause: Pause | None = getattr(service, "pause", None)
    fitting = [each for each in by_step(offered) if _fits(each, held["autoUpdate"].value)]
    if pause is not None and (newer := [each for each in fitting if _is_newer(each, pause)]):
        fitting, pause = newer, None
    age = timedelta(days=held["autoUpdateAge"].value)
    ripe = [each for each in fitting if each.opened_at + age <= now]
    coming = next(iter(ripe or sorted(fitting, key=lambda each: each.opened_at)), None)
    said = held["autoUpdateWindow"].value
    return State(
        held,
        is_limited=bool(said),
        opening=_opening(said, now) if said else None,
        coming=coming,
        ripe_at=coming.opened_at + age if coming else None,
        pause=pause,
    )


def is_wanted_now(level: Level, offered: Candidate | None, now: datetime) -> bool:
    """Whether what was asked for by itself may still begin: a job may have waited for its turn,
    while somebody lowered the policy or hid the version. `offered` is that, if it still is."""
    limit, said = level.held["autoUpdate"].value, level.held["autoUpdateWindow"].value
    opening = _opening(said, now) if said else None
    is_on = offered is not None and _fits(offered, limit)
    return bool(is_on and (not said or (opening and opening.is_open(now))))


def allows(limit: str, step: str) -> bool:
    """Whether a service that updates itself up to a limit may take a step as large."""
    if limit == OFF or step not in _STEPS:
        return False
    return _STEPS.index(Step(step)) <= _STEPS.index(_UP_TO.get(limit, Step.MAJOR))


def _fits(candidate: Candidate, limit: str) -> bool:
    return candidate.arch != Candidate.Arch.MISMATCH and allows(limit, candidate.step)


def _is_newer(candidate: Candidate, pause: Pause) -> bool:
    return candidate.opened_at > pause.at and candidate.digest != pause.digest


def _opening(said: str, now: datetime) -> Opening | None:
    return windows.opening(windows.read(said), now, default_zone=settings.TIME_ZONE)
