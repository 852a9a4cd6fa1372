"""Where an update happens: one project on one engine, with Compose at hand there."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

from django.utils import timezone
from django.utils.translation import gettext as _

from checks.discovery.engine import look_at_engine
from checks.discovery.job import place_of
from checks.discovery.places import Place
from checks.discovery.projects import FoundHost
from checks.discovery.reconcile import reconcile
from checks.discovery.unreachable import DEFAULT_PLACE, explain
from checks.discovery.ways import Way, way_to
from checks.hosts import what_is_in_the_way
from checks.models import JobLog, Replaced, Service, Stack
from checks.updating import commands, compose_cli, probing
from checks.updating.compose_cli import Compose
from checks.updating.containers import Container, half_made
from checks.updating.demands import Demands, demands_of
from checks.updating.docker_login import private_config
from checks.updating.engines import Engine, engine_at
from checks.updating.failing import EngineAway, UpdateFailed
from checks.updating.health import Before, Waiting, state_of
from checks.updating.plan import Project
from checks.updating.steps import Steps

PATIENCE = 300.0  # seconds for an engine that went away in the middle to come back
PAUSE = 1.0


@dataclass(frozen=True)
class Site:
    stack: Stack
    project: Project
    engine: Engine
    compose: Compose
    steps: Steps

    def containers(self, service: str) -> list[Container]:
        return self.engine.containers(self.project.name, service)

    def before(self, services: tuple[str, ...]) -> dict[str, dict[str, Any]]:
        """How these are now, as it is kept of what was replaced."""
        told: dict[str, dict[str, Any]] = {}
        demands = demands_of(self.stack, services)
        for name in services:
            found = self.containers(name)
            serving = [each.id for each in found if each.is_serving]
            told[name] = {
                "ids": [each.id for each in found],
                "serving": serving,
                "images": sorted({each.image_id for each in found}),
                "count": len(serving) or len(found),
                "was": str(state_of(found)),
                "answered": self._answers(name, found, demands.get(name, Demands())),
            }
        return told

    def _answers(self, service: str, containers: list[Container], demands: Demands) -> bool:
        """Whether its probes are content before anything is done: only then must they be so again
        after a rollback."""
        running = [each for each in containers if each.status == "running"]
        for each in running if demands.has_probes else ():
            if why := probing.why_not(self.engine, each, demands):
                text = _("%(name)s does not answer its probe now, before the update: %(why)s")
                words = text % {"name": service, "why": why}
                self.steps.log(words, level=JobLog.Level.WARN)
                return False
        return bool(running)

    def is_untouched(self, row: Replaced) -> bool:
        """Whether the containers are the ones of before."""
        return all(
            {each.id for each in self.containers(name)} == set(before["ids"])
            for name, before in row.before.items()
        )

    def is_as_before(self, row: Replaced) -> bool:
        """Whether they are, and what served then serves: a Compose that was killed may have stopped
        it already. What is stopped for a backup is started again by whoever stopped it."""
        stopped_by_us = self.steps.summary.get("stopped", [])
        served = {each for before in row.before.values() for each in before.get("serving", ())}
        return self.is_untouched(row) and all(
            each.is_serving or each.is_done or each.id in stopped_by_us
            for name in row.before
            for each in self.containers(name)
            if each.id in served
        )

    def up(self, row: Replaced, *, leaves: str = "") -> None:
        """Make the containers anew where they are not what the files and images say; those of the
        service that `leaves` names are not started."""
        change = row.planned
        self._clear(row.before)
        scale = {name: int(each["count"]) for name, each in row.before.items()}
        with self.steps.step("up", change.service_name):
            for services, anew in commands.ups(change):
                starts = leaves not in services
                self.compose.up(services, self.steps.look, scale=scale, anew=anew, starts=starts)

    def _clear(self, services: Iterable[str]) -> None:
        """Take away what would be in Compose's way, of a call of it that was killed."""
        for name in services:
            for each in half_made(self.containers(name)):
                self.engine.remove_container(each.id)
                words = _("Removed %(name)s, which was left half made.") % {"name": each.name}
                self.steps.log(words, level=JobLog.Level.WARN)

    def rolls_back(self, service: str) -> bool:
        """Whether what failed is put back without being asked."""
        return demands_of(self.stack, [service]).get(service, Demands()).rolls_back

    def wait(self, row: Replaced, *, is_back: bool = False, leaves: str = "") -> None:
        """Raises Unhealthy. What is put back must answer its probes if it did before. The service
        that `leaves` names is not waited for."""
        demands = demands_of(self.stack, row.before)
        if is_back:
            demands = {
                name: each if row.before[name].get("answered") else each.without_probes
                for name, each in demands.items()
            }
        services = {
            name: Before(each["count"], each["was"], frozenset(each["ids"]))
            for name, each in row.before.items()
            if name != leaves
        }
        if not services:
            return
        with self.steps.step("wait", row.planned.service_name):
            Waiting(self.engine, self.project.name, services, demands, self.steps.look).wait()

    def note_what_runs(self, services: Collection[str]) -> None:
        """Bring the rows of these in line with what runs; candidates follow."""
        host = self.stack.host
        found = look_at_engine(place_of(host), self.project.name)
        others = Service.objects.filter(stack__host=host).exclude(
            stack=self.stack, name__in=list(services)
        )
        seen = FoundHost(found.platform, found.projects, error=host.error, is_part=True)
        leave = set(others.values_list("pk", flat=True))
        reconcile(host, seen, timezone.now(), leave=leave)


@contextmanager
def site_of(
    stack: Stack, project: Project, steps: Steps, *, patient: bool = False
) -> Iterator[Site]:
    """With `patient`, wait for an engine that is away. Raises UpdateFailed, UnreadableSecret."""
    place = place_of(stack.host)
    if why := what_is_in_the_way(stack.host):
        raise UpdateFailed(why)
    program = compose_cli.find()
    if patient:
        wait_for_engine(place, steps.look)
    with private_config(_registries(stack)) as config, _way(place) as way, engine_at(place) as it:
        docker_host = way.url or os.environ.get("DOCKER_HOST", "") or DEFAULT_PLACE
        log = steps.log_lines
        compose = Compose(program, project, docker_host, config, log, way.environment)
        yield Site(stack, project, it, compose, steps)


@contextmanager
def _way(place: Place) -> Iterator[Way]:
    """Raises UpdateFailed."""
    with ExitStack() as opened:
        try:
            way = opened.enter_context(way_to(place))
        except OSError as error:
            raise EngineAway(explain(error, place)) from error
        yield way


def wait_for_engine(place: Place, look: Callable[[], None]) -> None:
    """Raises UpdateFailed where it stays away."""
    until = time.monotonic() + PATIENCE
    while True:
        look()
        try:
            with engine_at(place):
                return
        except UpdateFailed:
            if time.monotonic() > until:
                raise
        time.sleep(PAUSE)


def runs_now(containers: list[Container]) -> str:
    """What a service's containers are, in words for people."""
    if not containers:
        return _("no container of it is there")
    words = _("%(name)s is %(state)s with the image id %(image)s")
    return ", ".join(
        words
        % {
            "name": each.name,
            "state": f"{each.status} ({each.health})" if each.health else each.status,
            "image": each.image_id[:19],
        }
        for each in containers
    )


def _registries(stack: Stack) -> set[str]:
    """Of all its services: Compose may look at others than the one that is changed."""
    return set(stack.services.exclude(registry="").values_list("registry", flat=True))
