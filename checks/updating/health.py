"""Whether containers run as they should after they were made anew."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from checks.updating import probing
from checks.updating.containers import Container
from checks.updating.demands import Demands
from checks.updating.engines import Engine
from checks.updating.failing import Trouble, Unhealthy

SETTLE = 10.0  # seconds without a restart, where there is no healthcheck and nobody says more
SHORTEST, LONGEST = 20.0, 590.0  # seconds for it to become healthy, before the margin
TO_START = 50.0  # seconds until a container runs at all, before the margin
POLL = 0.25
PROBE_EVERY = 1.0


class Was(StrEnum):
    """How a service is: what a rollback is measured by."""

    HEALTHY = "healthy"
    UNHEALTHY = "unhealthy"
    STARTING = "starting"
    RUNNING = "running"
    RESTARTING = "restarting"
    DONE = "done"
    STOPPED = "stopped"
    ABSENT = "absent"


_WORST_FIRST = (Was.UNHEALTHY, Was.RESTARTING, Was.STOPPED, Was.STARTING)
WELL = frozenset({Was.HEALTHY, Was.RUNNING, Was.DONE})


def state_of(containers: list[Container]) -> Was:
    """The worst of them says it."""
    states = {_state(each) for each in containers}
    if not states:
        return Was.ABSENT
    for state in (*_WORST_FIRST, Was.HEALTHY, Was.RUNNING):
        if state in states:
            return state
    return Was.DONE


def _state(container: Container) -> Was:
    if container.is_done:
        return Was.DONE
    if container.status == "restarting":
        return Was.RESTARTING
    if container.status != "running":
        return Was.STOPPED
    return Was(container.health) if container.health else Was.RUNNING


@dataclass(frozen=True)
class Before:
    """How many containers a service had before, which, and how they were."""

    count: int
    was: str
    ids: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Waiting:
    """For what is waited, by service."""

    engine: Engine
    project: str
    services: Mapping[str, Before]
    demands: Mapping[str, Demands]
    look: Callable[[], None]

    def wait(self) -> None:
        """Return when all are as they should be. Raises Unhealthy where one is not."""
        watched = [
            _Watched(self.engine, name, before, self.demands.get(name, Demands()))
            for name, before in self.services.items()
        ]
        while watched:
            self.look()
            now = time.monotonic()
            for each in list(watched):
                try:
                    if each.is_well(self.engine.containers(self.project, each.service), now):
                        watched.remove(each)
                except _Bad as bad:
                    raise Unhealthy(str(bad), self._trouble(bad.container)) from None
            if watched:
                time.sleep(POLL)

    def _trouble(self, container: Container | None) -> Trouble | None:
        if container is None:
            return None
        lines = self.engine.last_lines(container.id)
        return Trouble(container.name, lines, container.health_log)


class _Bad(Exception):
    def __init__(self, words: str, container: Container | None = None) -> None:
        super().__init__(words)
        self.container = container


class _Watched:
    """One service while it is waited for."""

    def __init__(self, engine: Engine, service: str, before: Before, demands: Demands) -> None:
        self.service = service
        self._demands = demands
        self._probes = _Probes(engine, demands)
        self._count = max(1, before.count)
        # What served, and now ends at once, did not do its one task.
        self._may_end = before.was in (Was.DONE, Was.STOPPED, Was.ABSENT)
        # Those that are not made anew, because nothing changed for them, may have restarted before.
        self._old = before.ids
        self._restarts: dict[str, int] = {}
        self._began = time.monotonic()
        self._steady: dict[str, float] = {}
        self._seen: set[str] = set()

    def is_well(self, containers: list[Container], now: float) -> bool:
        """Raises _Bad as soon as it cannot become well any more."""
        there = {each.id for each in containers}
        if self._seen - there:
            raise _Bad(_("A container of %(name)s is gone.") % {"name": self.service})
        self._seen |= there
        wells = [self._is_well(each, now) for each in containers]
        if all(wells) and len(wells) >= self._count:
            return True
        if now - self._began > self._limit(containers):
            raise self._late(containers, wells)
        return False

    def _is_well(self, container: Container, now: float) -> bool:
        self._raise_if_bad(container)
        if container.status == "exited":
            return True
        if container.status != "running":
            return False
        if container.health not in ("", "healthy"):
            return False
        since = self._steady.setdefault(container.id, now)
        return self._probes.are_well(container, now) and now - since >= self._settle(container)

    def _settle(self, container: Container) -> float:
        return self._demands.settle or (0 if container.health else SETTLE)

    def _raise_if_bad(self, container: Container) -> None:
        named = {"name": container.name, "code": container.exit_code}
        if self._has_restarted(container) or container.status == "restarting":
            raise _Bad(
                _("%(name)s restarts again and again: it ended (%(code)d).") % named, container
            )
        is_fine = container.is_done and self._may_end
        if container.status in ("exited", "dead") and not is_fine:
            raise _Bad(_("%(name)s ended with exit code %(code)d.") % named, container)
        if container.health == "unhealthy":
            raise _Bad(_("%(name)s is unhealthy, as its healthcheck says.") % named, container)

    def _has_restarted(self, container: Container) -> bool:
        first = container.restarts if container.id in self._old else 0
        return container.restarts > self._restarts.setdefault(container.id, first)

    def _limit(self, containers: list[Container]) -> float:
        """By the healthchecks' own figures; those without one have the time to start and settle."""
        checks = [each.healthcheck for each in containers if each.healthcheck]
        own = [each.start_period + each.interval * each.retries + each.timeout for each in checks]
        limit = min(LONGEST, max(SHORTEST, *own)) if own else TO_START + SETTLE
        if self._demands.settle:
            limit = max(limit, TO_START + self._demands.settle)
        return limit + self._demands.margin

    def _late(self, containers: list[Container], wells: list[bool]) -> _Bad:
        bad = next((each for each, well in zip(containers, wells, strict=True) if not well), None)
        seconds = round(self._limit(containers))
        if bad is None:
            text = ngettext(
                "Of %(name)s %(there)d container runs after %(seconds)d s, and it was %(count)d.",
                "Of %(name)s %(there)d containers run after %(seconds)d s, and it was %(count)d.",
                len(wells),
            )
            named = {"name": self.service, "there": len(wells), "count": self._count}
            return _Bad(text % {**named, "seconds": seconds})
        if why := self._probes.failures.get(bad.id):
            text = _("%(name)s does not answer its probe after %(seconds)d s: %(why)s")
            return _Bad(text % {"name": bad.name, "seconds": seconds, "why": why}, bad)
        if bad.health:
            text = _("%(name)s did not become healthy within %(seconds)d s.")
        else:
            text = _("%(name)s did not start within %(seconds)d s.")
        return _Bad(text % {"name": bad.name, "seconds": seconds}, bad)


class _Probes:
    """The probes of one service: what answered once is not asked again."""

    def __init__(self, engine: Engine, demands: Demands) -> None:
        self._engine = engine
        self._demands = demands
        self._next: dict[str, float] = {}
        self.failures: dict[str, str] = {}  # by container, as it last failed

    def are_well(self, container: Container, now: float) -> bool:
        if not self._demands.has_probes or self.failures.get(container.id) == "":
            return True
        if now >= self._next.get(container.id, now):
            why = probing.why_not(self._engine, container, self._demands)
            self.failures[container.id] = why
            self._next[container.id] = time.monotonic() + PROBE_EVERY
        return not self.failures[container.id]
