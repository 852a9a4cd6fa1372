"""Makes a plan: reads the compose files, asks the engine once, and says what will be done.

Nothing is changed by it. Importing this loads the Docker SDK and PyYAML.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from django.utils.translation import gettext as _

from checks import hosts
from checks.backups import sizes
from checks.backups.targets import Sayings
from checks.discovery.files import environment_of_projects
from checks.discovery.job import place_of
from checks.discovery.labels import Origin, what_is_missing
from checks.discovery.projects import EngineUnavailable
from checks.models import Candidate, Stack
from checks.registry.reference import BadReference, Reference, parse
from checks.updating import cautions, needs, ourselves, running
from checks.updating.choosing import NotPossible, Wanted
from checks.updating.demands import Demands, demands_of
from checks.updating.image_names import Goal, changed
from checks.updating.images import Files, Found, NotEditable
from checks.updating.plan import Change, Data, Plan, Project
from checks.updating.runs import Running, Runs
from checks.versions.policies import SKIP
from dockrev.errors import UpstreamUnavailable

UNPULLED = ("never", "build")  # policies by which Compose pulls nothing, whatever it is told


def plan_for(stack: Stack, wanted: Sequence[Wanted], sayings: Sayings) -> Plan:
    """What an update of these services of a stack will do. One query, and one for the key of
    its host, with which `stack` comes.

    Of several services those that cannot be updated are left out, and the plan says why. Raises
    NotPossible where none is left, and UpstreamUnavailable where the engine does not answer.
    """
    planning = _Planning(stack, ask_engine(stack), wanted, sayings)
    changes = planning.changes()
    plan = Plan(
        stack_id=stack.pk,
        host_id=stack.host_id,
        project=project_of(stack, planning.origin, planning.profiles()),
        changes=tuple(changes),
        warnings=tuple(planning.warnings),
    )
    return sizes.measured(plan, place_of(stack.host))


def ask_engine(stack: Stack) -> Running:
    """What runs of a stack now. Raises NotPossible, and UpstreamUnavailable."""
    if stack.archived_at:
        raise NotPossible("archived", _("It is archived; restore it first."))
    if stack.source == Stack.Source.FILES:
        text = _("No Docker Engine knows %(name)s: only its files were found. Start it once.")
        raise NotPossible("not_running", text % {"name": stack.name})
    if reason := hosts.reason_not_to_change(stack.host):
        raise NotPossible(reason, hosts.what_is_in_the_way(stack.host))
    try:
        return running.ask(place_of(stack.host), stack.name)
    except EngineUnavailable as error:
        raise UpstreamUnavailable(str(error), reason="engine") from error


def project_of(stack: Stack, origin: Origin, profiles: Sequence[str]) -> Project:
    """How Compose is called for a stack that was started so."""
    return Project(
        name=stack.name,
        working_dir=str(_folder(origin)),
        config_files=tuple(str(path) for path in origin.config_files),
        environment_files=tuple(str(path) for path in origin.environment_files),
        profiles=tuple(profiles),
    )


def _folder(origin: Origin) -> Path:
    return origin.working_dir or origin.config_files[0].parent


class _Planning:
    """One stack: its files, what runs of it, and what is wanted."""

    def __init__(
        self, stack: Stack, runs: Running, wanted: Sequence[Wanted], sayings: Sayings
    ) -> None:
        self._stack = stack
        self._sayings = sayings
        self._runs = runs
        self._wanted = {each.service.name: each for each in wanted}
        self._demands = demands_of(stack, self._wanted)
        # What stopped is not started because of others.
        self._serving = {name for name, each in runs.services.items() if each.is_running}
        self.warnings: list[str] = []
        self.origin = runs.origin
        if not runs.services:
            text = _("The engine has no containers of %(name)s. Start it once.")
            raise NotPossible("not_running", text % {"name": stack.name})
        if missing := what_is_missing(self.origin, mode=""):
            raise NotPossible("files_unreachable", missing)
        self._files = Files(
            self.origin.config_files,
            working_dir=_folder(self.origin),
            environment_files=self.origin.environment_files,
            environment=environment_of_projects(),
        )
        goals = {name: _goal(each) for name, each in self._wanted.items()}
        self._edits: dict[str, Found] = self._files.edit_together(goals)

    def changes(self) -> list[Change]:
        """In the order in which they are made."""
        made: dict[str, Change] = {}
        refused: list[NotPossible] = []
        for name in self._order():
            if self._comes_along(name, made):
                continue
            try:
                made[name] = self._change(self._wanted[name], made)
            except NotPossible as error:
                refused.append(error)
                text = _("%(name)s is left out: %(why)s")
                self.warnings.append(text % {"name": name, "why": error})
        if not made:
            raise refused[0]
        return list(made.values())

    def profiles(self) -> list[str]:
        """Those that Compose has to be told of: of the services that have containers."""
        written = self._files.composition.services
        return needs.profiles(self._runs.services, written, self._needed)

    def _comes_along(self, name: str, made: Mapping[str, Change]) -> bool:
        """Whether another change of the plan gives a service the very image that it is to get."""
        for change in made.values():
            if name in change.pulls:
                image = self._also(change)[name]
                goal = self._goal(self._wanted[name])
                if image == goal:
                    text = _("%(name)s is updated together with %(other)s.")
                else:
                    text = _("%(name)s gets %(image)s, because the same value says its image.")
                values = {"name": name, "other": change.service_name, "image": image}
                self.warnings.append(text % values)
                return True
        return False

    def _also(self, change: Change) -> Mapping[str, str]:
        wanted = self._wanted[change.service_name]
        return self._found(wanted).also

    def _goal(self, wanted: Wanted) -> str:
        return changed(self._image(wanted), **_goal(wanted)._asdict())

    def _change(self, wanted: Wanted, made: Mapping[str, Change]) -> Change:
        service, candidate = wanted.service, wanted.candidate
        runs = self._require_updatable(wanted)
        found = self._found(wanted)
        pulls = tuple(name for name in found.also if name in self._serving)
        beside = self._sharing({service.name, *pulls})
        itself = ourselves.is_among(runs.ids)
        if itself:
            self._refuse_itself(wanted, (*pulls, *beside))
        names = (service.name, *pulls, *beside)
        return Change(
            service_id=service.pk,
            service_name=service.name,
            step=candidate.step,
            image=self._image(wanted),
            digest=next(iter(service.digests), ""),
            image_id=runs.image_id,
            target_image=self._goal(wanted),
            target_digest=candidate.digest,
            candidate_id=candidate.pk,
            with_it=names[1:],
            pulls=pulls,
            replicas=tuple(self._runs.services[name].replicas for name in names),
            # Ours is copied while nobody writes to it.
            data=() if itself else tuple(self._data((service.name, *pulls))),
            needs=tuple(name for name in self._needed(service.name) if name in made),
            edits=found.edits,
            warnings=tuple(self._cautions(wanted, found)),
            itself=itself,
            also=tuple(found.also),
        )

    def _require_updatable(self, wanted: Wanted) -> Runs:
        """What runs of a service. Raises NotPossible where its files cannot make that anew."""
        service = wanted.service
        runs = self._runs.services.get(service.name)
        if runs is None:
            text = _("%(name)s has no container. Start it once, then it can be updated.")
            raise self._refused(wanted, "not_running", text % {"name": service.name})
        if service.archived_at:
            raise self._refused(wanted, "archived", _("It is archived; restore it first."))
        if service.missing_since:
            text = _("%(name)s was not there any more when Dockrev last looked.")
            raise self._refused(wanted, "missing", text % {"name": service.name})
        self._refuse_other_image(wanted, self._image(wanted))
        self._refuse_unpulled(wanted)
        return runs

    def _data(self, names: Iterable[str]) -> Iterator[Data]:
        """What the services keep that get another image. A target of several is saved once."""
        known: set[tuple[str, str]] = set()
        for name in names:
            mounts = self._runs.services[name].mounts
            for each in self._sayings.data(self._stack.pk, name, mounts):
                if (each.kind, each.name) not in known:
                    known.add((each.kind, each.name))
                    yield each

    def _cautions(self, wanted: Wanted, found: Found) -> Iterator[str]:
        name = wanted.service.name
        written = self._files.composition.services
        ours = _parsed(str(written[name].get("image") or ""))
        same = [
            other
            for other, part in sorted(written.items())
            if other in self._runs.services.keys() - self._wanted.keys() - found.also.keys()
            and ours == _parsed(str(part.get("image") or ""))
        ]
        if ourselves.is_among(self._runs.services[name].ids):
            yield from ourselves.cautions()
        is_saved = any(each.how != SKIP for each in self._data((name,)))
        yield from cautions.of_the_image(wanted, is_saved=is_saved)
        is_built = bool(written[name].get("build"))
        demands = self._demands.get(name, Demands())
        yield from cautions.of_what_runs(self._runs.services[name], demands, is_built=is_built)
        yield from cautions.of_others(wanted.candidate, found, self._serving, same)

    def _image(self, wanted: Wanted) -> str:
        try:
            return self._files.image_of(wanted.service.name)
        except NotEditable as error:
            raise self._refused(wanted, "not_editable", str(error)) from error

    def _found(self, wanted: Wanted) -> Found:
        name = wanted.service.name
        if name not in self._edits:
            try:
                found = self._files.edit(name, **_goal(wanted)._asdict())
            except NotEditable as error:
                raise self._refused(wanted, "not_editable", str(error)) from error
            self._edits[name] = found
        return self._edits[name]

    def _refuse_other_image(self, wanted: Wanted, image: str) -> None:
        """Refuse where starting it would start something else than what runs, made newer."""
        service = wanted.service
        if _parsed(image) != _parsed(service.image_ref):
            text = _(
                "The compose files say %(image)s for %(name)s, and it was started as %(runs)s. "
                "Start it once from its files, docker compose up -d %(name)s, or set there what "
                "came from the shell."
            )
            values = {"image": image, "name": service.name, "runs": service.image_ref}
            raise self._refused(wanted, "files_differ", text % values)
        if _parsed(wanted.candidate.image_ref) != _parsed(service.image_ref):
            text = _("%(name)s has another image since it was checked. Check it again.")
            raise self._refused(wanted, "target_moved", text % {"name": service.name})

    def _refuse_unpulled(self, wanted: Wanted) -> None:
        name = wanted.service.name
        policy = self._files.composition.services[name].get("pull_policy")
        if policy in UNPULLED:
            text = _(
                "The compose files say pull_policy: %(policy)s for %(name)s, so Compose pulls no "
                "image for it. Take that out, or bring the image here and start it by hand."
            )
            raise self._refused(wanted, "not_pulled", text % {"policy": policy, "name": name})

    def _refuse_itself(self, wanted: Wanted, others: Sequence[str]) -> None:
        name = wanted.service.name
        if len(self._wanted) > 1:
            text = _("%(name)s is Dockrev itself, which is updated alone, from its own page.")
            raise self._refused(wanted, "itself", text % {"name": name})
        if why := ourselves.why_not_itself(
            self._runs.services[name], others, place_of(self._stack.host)
        ):
            raise self._refused(wanted, "itself", why)

    def _refused(self, wanted: Wanted, reason: str, text: str) -> NotPossible:
        return NotPossible(reason, text, serviceId=wanted.service.pk)

    # What belongs together -----------------------------------------------------------------------

    def _order(self) -> list[str]:
        """What others need comes first; else by name."""
        order = needs.in_order(self._wanted, self._needed)
        return [name for name in order if name in self._wanted]

    def _needed(self, name: str) -> list[str]:
        part = self._files.composition.services.get(name, {})
        host = self._network_host(name)
        return [*part.get("depends_on", ()), *([host] if host else ())]

    def _network_host(self, name: str) -> str:
        """The service whose network another uses: by the files, else by its container."""
        if host := needs.network_host(self._files.composition.services.get(name, {})):
            return host
        runs = self._runs.services.get(name)
        return runs.network_of if runs else ""

    def _sharing(self, names: set[str]) -> list[str]:
        """Services that run in the network of one of these, and those in theirs."""
        found: list[str] = []
        hosts = set(names)
        for _round in self._serving:
            new = [
                each
                for each in sorted(self._serving)
                if each not in hosts and self._network_host(each) in hosts
            ]
            if not new:
                break
            found += new
            hosts.update(new)
        return found


def _goal(wanted: Wanted) -> Goal:
    """The tag to write, none where the tag stays, and the digest, for where one is pinned."""
    candidate = wanted.candidate
    tag = "" if candidate.step == Candidate.Step.REBUILT else candidate.tag
    return Goal(tag, candidate.digest)


def _parsed(image: str) -> Reference | None:
    try:
        return parse(image)
    except BadReference:
        return None
