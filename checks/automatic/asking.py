"""Asks for the updates that policies want: looks at the engine, plans, and queues.

Importing this loads the Docker SDK: only workers do.
"""

from __future__ import annotations

import random
import time
from collections.abc import Sequence
from itertools import groupby

from django.utils import timezone
from django.utils.translation import gettext as _

from checks import policies
from checks.automatic import pauses, ready
from checks.automatic.ready import Due
from checks.automatic.state import allows
from checks.automatic.words import because
from checks.discovery.job import place_of
from checks.kinds import Outcome
from checks.models import Job, JobLog, Service, Stack
from checks.run import Run
from checks.updating import orders, ourselves
from checks.updating.choosing import NotPossible, Target
from checks.updating.containers import Container
from checks.updating.engines import Engine, engine_at
from checks.updating.failing import Untouchable, UpdateFailed
from checks.updating.orders import Order
from checks.updating.plan import Plan
from checks.versions.policies import OFF
from dockrev.errors import Conflict, UpstreamUnavailable

LONGEST = 30.0  # seconds; the next minute goes on, in another order
MOVED = "target_moved"  # a reason for no plan that is over by the next time


def ask(run: Run) -> Outcome:
    asking = _Asking(run)
    asking.all()
    return Outcome(
        {"jobs": asking.jobs, "refused": asking.refused},
        quiet=not asking.jobs and not asking.refused,
    )


class _Asking:
    def __init__(self, run: Run) -> None:
        self._run = run
        self._free = ready.free_places()
        self._silent: set[str] = set()  # hosts that did not answer
        self.jobs: list[str] = []
        self.refused: list[str] = []

    def all(self) -> None:
        """Stack by stack, as long as there are places; in another order each time, so that one
        which cannot be done keeps no other from its turn."""
        found = ready.due(timezone.now())
        stacks = [list(of) for _id, of in groupby(found, key=lambda due: due.service.stack_id)]
        random.shuffle(stacks)
        until = time.monotonic() + LONGEST
        for each in stacks:
            self._run.stop_if_cancelled()
            if self._free > 0 and time.monotonic() < until:
                self._stack(each[0].service.stack, each)

    def _stack(self, stack: Stack, wanted: Sequence[Due]) -> None:
        if stack.host_id in self._silent:
            return
        try:
            with engine_at(place_of(stack.host)) as engine:
                fit = [due for due in wanted if self._is_fit(engine, due)]
            if fit:
                self._order(stack, fit)
        except (UpdateFailed, UpstreamUnavailable) as error:
            self._silent.add(stack.host_id)
            self._run.log(f"{stack.name}: {error}", level=JobLog.Level.WARN)

    def _is_fit(self, engine: Engine, due: Due) -> bool:
        """Raises UpdateFailed where the engine does not answer."""
        containers = engine.containers(due.service.stack.name, due.service.name)
        try:
            ourselves.refuse(engine, containers)
        except Untouchable as error:
            self._refuse(due, str(error))
            return False
        return not due.state.only_healthy or _is_healthy(containers)

    def _order(self, stack: Stack, wanted: Sequence[Due]) -> None:
        order = Order(
            stack=stack,
            service=wanted[0].service if len(wanted) == 1 else None,
            targets=tuple(Target(due.service.pk, due.candidate.pk) for due in wanted),
            because=because(wanted),
        )
        try:
            [queued] = orders.update(order, "", reason=Job.Reason.POLICY, agrees=_agree)
        except NotPossible as error:
            if len(wanted) > 1:
                for due in wanted:
                    self._order(stack, [due])
            elif error.reason != MOVED:
                self._refuse(wanted[0], error.message)
        except Conflict as error:
            self._run.log(f"{stack.name}: {error.message}")
        else:
            self._free -= 1
            self.jobs.append(queued.job_id)
            self._run.log(f"{stack.name}: {queued.job_id}")

    def _refuse(self, due: Due, why: str) -> None:
        pauses.refuse(due.service, due.candidate, why)
        name = f"{due.service.stack.name} / {due.service.name}"
        self.refused.append(name)
        self._run.log(f"{name}: {why}", level=JobLog.Level.WARN)


def _agree(stack: Stack, plan: Plan) -> None:
    """Others that get another image by the same change have to update themselves, too, and as far:
    nobody looks at the plan. Raises NotPossible."""
    given = [(name, change.step) for change in plan.changes for name in change.also]
    names = {name for name, _step in given}
    found = Service.objects.with_policies().filter(stack=stack, name__in=names) if names else ()
    limits = {each.name: policies.of_service(each).held["autoUpdate"].value for each in found}
    if others := {name for name, step in given if not allows(limits.get(name, OFF), step)}:
        text = _(
            "%(names)s would get another image by the same change, and does not update itself so "
            "far."
        )
        raise NotPossible("others_change", text % {"names": ", ".join(sorted(others))})


def _is_healthy(containers: Sequence[Container]) -> bool:
    return bool(containers) and all(
        each.status == "running" and each.health in ("", "healthy") for each in containers
    )
