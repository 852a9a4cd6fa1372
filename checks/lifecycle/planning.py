"""Says which services of a stack are started, stopped or restarted, and in which order.

Nothing is changed by it. Importing this loads the Docker SDK and PyYAML.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from django.utils.translation import gettext as _

from checks.discovery.composition import Part
from checks.discovery.files import compose, environment_of_projects
from checks.discovery.labels import what_is_missing
from checks.lifecycle.course import Action, Course, Turn
from checks.models import Service, Stack
from checks.updating import needs
from checks.updating.choosing import NotPossible
from checks.updating.planning import ask_engine, project_of
from checks.updating.runs import Running, Runs

Needs = Mapping[str, Mapping[str, bool]]
"""By service: those that it depends on, and whether it restarts with them."""


def course_of(action: Action, stack: Stack, service: Service | None) -> Course:
    """What to do for a service, or for a whole stack. One query; `stack` comes with its host.

    Raises NotPossible, and UpstreamUnavailable where the engine does not answer.
    """
    if service is not None and service.archived_at:
        raise NotPossible("archived", _("It is archived; restore it first."))
    runs = ask_engine(stack)
    if service is not None and service.name not in runs.services:
        text = _("%(name)s has no container. Start it once: docker compose up -d %(name)s")
        raise NotPossible("not_running", text % {"name": service.name})
    if not runs.services:
        text = _("The engine has no containers of %(name)s. Start it once.")
        raise NotPossible("not_running", text % {"name": stack.name})
    if missing := what_is_missing(runs.origin):
        raise NotPossible("files_unreachable", missing)
    return _Planning(action, stack, runs).course(service)


class _Planning:
    def __init__(self, action: Action, stack: Stack, runs: Running) -> None:
        self._action = action
        self._stack = stack
        self._runs = runs
        self._written = _written(runs)
        self._needs = _needs(runs, self._written)
        self._ids = dict(stack.services.values_list("name", "pk"))

    def course(self, service: Service | None) -> Course:
        named = {service.name} if service else set(self._runs.services)
        wanted = {name for name in named & self._ids.keys() if self._is_due(name, alone=service)}
        if not wanted:
            raise self._nothing_to_do(service)
        chosen = wanted | (self._along(wanted) & self._ids.keys())
        return Course(
            action=self._action,
            project=project_of(self._stack, self._runs.origin, self._profiles()),
            turns=tuple(self._turns(chosen, wanted)),
            bereft=tuple(sorted(self._bereft(chosen))),
        )

    def _profiles(self) -> list[str]:
        """Those that Compose has to be told of: of the services that have containers."""
        return needs.profiles(self._runs.services, self._written, self._needed_as_written)

    def _needed_as_written(self, name: str) -> Iterable[str]:
        return needs.needed_as_written(self._written.get(name, {}))

    def _is_due(self, name: str, *, alone: Service | None) -> bool:
        """Of a whole stack, what stopped is not started by a restart."""
        runs = self._runs.services[name]
        match self._action:
            case Action.START:
                return runs.stopped > 0 or not runs.is_running
            case Action.STOP:
                return runs.is_running
            case Action.RESTART:
                return runs.is_running or alone is not None

    def _nothing_to_do(self, service: Service | None) -> NotPossible:
        values = {"name": service.name if service else self._stack.name}
        if self._action == Action.START:
            return NotPossible("nothing_to_do", _("%(name)s runs already.") % values)
        return NotPossible("nothing_to_do", _("Nothing of %(name)s runs.") % values)

    def _along(self, wanted: Iterable[str]) -> set[str]:
        """What Compose itself restarts with these; what has to be started for these to run."""
        match self._action:
            case Action.START:
                needed = needs.closure(wanted, lambda name: self._needs.get(name, {}))
                there = needed & self._runs.services.keys()
                return {name for name in there if not self._runs.services[name].is_running}
            case Action.RESTART:
                return needs.closure(wanted, self._restarting_with)
            case Action.STOP:
                return set()

    def _restarting_with(self, name: str) -> Iterator[str]:
        return (each for each, theirs in self._needs.items() if theirs.get(name))

    def _bereft(self, stopped: set[str]) -> set[str]:
        if self._action != Action.STOP:
            return set()
        left = {name for name, each in self._runs.services.items() if each.is_running} - stopped
        return {name for name in left if self._needs[name].keys() & stopped}

    def _turns(self, chosen: set[str], wanted: set[str]) -> Iterator[Turn]:
        before = {name: chosen & self._needs[name].keys() - {name} for name in chosen}
        if self._action == Action.STOP:
            before = {name: {other for other in chosen if name in before[other]} for name in chosen}
        for name in needs.in_order(before, before.__getitem__):
            after = tuple(sorted(before[name]))
            yield Turn(self._ids[name], name, after=after, along=name not in wanted)


def _needs(runs: Running, written: Mapping[str, Part]) -> Needs:
    """As the containers were started; where Compose did not note that, as the files say. It notes
    nothing where it was told to look at one service alone, as it is by updates."""
    return {
        name: {**_noted(each, written.get(name, {})), **_of_network(each)}
        for name, each in runs.services.items()
    }


def _noted(runs: Runs, written: Part) -> Mapping[str, bool]:
    return runs.depends_on or written.get("depends_on") or {}


def _of_network(runs: Runs) -> Mapping[str, bool]:
    return {runs.network_of: True} if runs.network_of else {}


def _written(runs: Running) -> Mapping[str, Part]:
    origin = runs.origin
    folder = origin.working_dir or origin.config_files[0].parent
    environment = environment_of_projects()
    files = (origin.config_files, folder, origin.environment_files)
    return compose(*files, environment)[0].services
