"""What is asked of one registry during one run, and what it says of how much it can bear."""

from __future__ import annotations

import random
import re
import time
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from threading import Lock, Semaphore
from typing import Any

from django.utils import timezone

from checks.registry.lanes import BRIDGE
from dockrev.http import Unreachable

FIRST_REST = timedelta(minutes=1)  # where a registry does not say how long
LONGEST_GUESS = timedelta(hours=6)
MOST_DOUBLINGS = 10
MOST_SILENCES = 10
LONGEST_WINDOW = 24 * 3600  # seconds; one slip of a registry must not silence it for years
LEFT_FREE = 0.1  # of what a registry lets us ask: people pull images, too

# `100;w=21600`: so many in so many seconds. The window is left out by some.
_LIMIT = re.compile(r"\s*(\d{1,9})(?:\s*;\s*w=(\d{1,9}))?")


@dataclass(frozen=True)
class Limit:
    """How much a registry lets us ask in `window` seconds, if it says, and what is left of it."""

    most: int
    remaining: int
    window: int | None = None


class Surplus(Exception):
    """A request that was not made, so that others may make it."""


class Traffic:
    """Counts, and the rest that the registry wants: nothing is asked of it before that is over.

    `rests` are those in a row, without a word in between. `told_to_rest` says that the last of
    them began in this run. `silences` are requests in a row that got no answer at all; `is_heard`
    says that one got an answer, whatever it was. `seconds` are those of all requests together. One
    that `saves` leaves some of what the registry lets us ask, and `has_saved` where it came to
    that; `has_rested` where something was not asked for a rest. Each request takes a `lane`: so
    many are under way at once. Threads may share one.
    """

    def __init__(self, rests_until: datetime | None = None, rests: int = 0) -> None:
        self.rests_until = rests_until
        self.rests = rests
        self.told_to_rest = False
        self.trouble = ""
        self.answered_at: datetime | None = None
        self.limit: Limit | None = None
        self.requests = self.pulls = self.refused = 0
        self.saves = self.has_saved = self.has_rested = False
        self._under_way = 0
        self.silences = 0
        self.is_heard = False
        self.seconds = 0.0
        self._lock = Lock()
        self.lane: AbstractContextManager[Any] = nullcontext()

    def keep_to(self, lanes: int) -> None:
        """Let no more requests than this be under way at once; before it is told, all that come."""
        self.lane = Semaphore(lanes)

    @property
    def resting_until(self) -> datetime | None:
        until = self.rests_until
        return until if until and until > timezone.now() else None

    @property
    def is_silent(self) -> bool:
        """Whether so many got no answer that to ask more would be in vain."""
        return self.silences >= MOST_SILENCES

    @property
    def is_unheard(self) -> bool:
        """Whether it was asked, and all that came was silence."""
        return bool(self.silences) and not self.is_heard

    @contextmanager
    def asking(self, *, counted: bool) -> Iterator[None]:
        """Inside, a request is under way. Raises Surplus if it counts, and others need it more."""
        with self._lock:
            if counted and self.saves and self._is_short():
                self.has_saved = True
                raise Surplus
            self._under_way += 1
        with BRIDGE.crossing():
            started = time.monotonic()
            try:
                yield
                self.silences = 0
                self.is_heard = True
            except Unreachable:
                self.silences += 1
                raise
            finally:
                with self._lock:
                    self._under_way -= 1
                    self.requests += 1
                    self.seconds += time.monotonic() - started

    def _is_short(self) -> bool:
        """Whether what is left is for others, when all that is under way has been answered."""
        if self.limit is None:
            return False
        left = self.limit.remaining - self._under_way
        return left <= int(self.limit.most * LEFT_FREE)

    def pulled(self) -> None:
        """An image was read, which Docker Hub counts."""
        with self._lock:
            self.pulls += 1

    def answered(self, headers: Mapping[str, str]) -> None:
        with self._lock:
            self.answered_at = timezone.now()
            self._note(read_limit(headers))
            # One that was asked before the rest began may come in while it lasts.
            if not self.resting_until:
                self.rests_until, self.rests, self.told_to_rest = None, 0, False
                self.trouble = ""

    def _note(self, said: Limit | None) -> None:
        """Keep what is left; of several answers at once, the last to come may not be the latest."""
        known = self.limit.remaining if self.limit else -1
        if said and not known < said.remaining <= known + self._under_way:
            self.limit = said

    def rest(self, wanted: float | None, *, too_many: bool) -> datetime:
        """Begin a rest of the seconds that the registry wants; return when it is over.

        Where it does not say, rests in a row get longer, and not all who wait come back at once.
        """
        with self._lock:
            self.refused += too_many
            self.has_rested = True
            if not (self.told_to_rest and self.resting_until):
                self.told_to_rest = True
                self.rests += 1
            until = timezone.now() + (timedelta(seconds=wanted) if wanted else self._guess())
            self.rests_until = max(until, self.rests_until or until)
            return self.rests_until

    def rest_with_others(self, until: datetime) -> None:
        """Another process was told to rest."""
        with self._lock:
            self.rests_until = max(until, self.rests_until or until)

    def _guess(self) -> timedelta:
        doubled: timedelta = FIRST_REST * 2 ** min(self.rests - 1, MOST_DOUBLINGS)
        return min(doubled, LONGEST_GUESS) * random.uniform(1, 1.25)  # noqa: S311 - no secret


def read_limit(headers: Mapping[str, str]) -> Limit | None:
    """As Docker Hub writes it; None where a registry names none, or none that can be read.

    https://docs.docker.com/docker-hub/usage/pulls/
    """
    most = _LIMIT.match(headers.get("RateLimit-Limit", ""))
    remaining = _LIMIT.match(headers.get("RateLimit-Remaining", ""))
    if most is None or remaining is None:
        return None
    window = most[2] or remaining[2]
    seconds = min(int(window), LONGEST_WINDOW) if window else None
    return Limit(int(most[1]), int(remaining[1]), seconds)


def shown(moment: datetime) -> str:
    """A moment, for people: in the configured zone, to the second."""
    return timezone.localtime(moment).strftime("%Y-%m-%d %H:%M:%S %Z")


def iso(moment: datetime) -> str:
    """The same, for programs."""
    return moment.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
