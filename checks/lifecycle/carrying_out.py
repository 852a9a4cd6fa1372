"""Job `lifecycle`: starts, stops or restarts services by Compose, one after the other.

How they were is noted before any is touched. A worker that takes over from a dead one looks at
what runs, and does only what is not done yet.
"""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext as _

from checks.discovery.projects import EngineUnavailable
from checks.kinds import Outcome
from checks.lifecycle.course import Action, Course, Turn
from checks.models import JobLog, Stack
from checks.run import Run
from checks.tasks import JobFailed
from checks.updating import ourselves, telling
from checks.updating.containers import Container
from checks.updating.demands import demands_of
from checks.updating.failing import Unhealthy, UpdateFailed
from checks.updating.health import Before, Waiting, Was, state_of
from checks.updating.site import Site, runs_now, site_of
from checks.updating.steps import Steps, TakenAway
from checks.updating.telling import FAILED, MAX_ERROR, UNTOUCHED
from dockrev.fields import UnreadableSecret

DONE = {Action.START: "started", Action.STOP: "stopped", Action.RESTART: "restarted"}
NOTED = "noted"  # in the summary: by service, how it was, and when its containers had started


class _LeftAsItWas(Exception):
    """Nothing was done to a service; the text says why."""


def carry_out(run: Run) -> Outcome:
    course = Course.from_params(run.job.params)
    stack = Stack.objects.select_related("host").filter(pk=run.job.stack_id).first()
    if stack is None:
        raise JobFailed(_("The stack is not there any more."))
    steps = Steps(run, len(course.turns))
    try:
        with site_of(stack, course.project, steps, patient=run.job.losses > 0) as site:
            return _CarryingOut(run, course, site).outcome()
    except (UpdateFailed, UnreadableSecret) as error:
        return _given_up(course, steps, str(error))


def _given_up(course: Course, steps: Steps, why: str) -> Outcome:
    """Where engine or Compose are away. What was under way is not known to have ended."""
    steps.log(why, level=JobLog.Level.ERROR)
    begun = {each["service"] for each in steps.summary["steps"]}
    for turn in course.turns:
        if not steps.outcome_of(turn.service_id):
            outcome = FAILED if turn.service_name in begun else UNTOUCHED
            steps.became(turn.service_id, turn.service_name, outcome, error=why, runs="")
    return _outcome(steps, cancelled=False)


def _outcome(steps: Steps, *, cancelled: bool) -> Outcome:
    became: list[dict[str, str]] = steps.summary["services"]
    errors = [f"{each['service']}: {each['error']}" for each in became if each["error"]]
    error = "cancelled" if cancelled else "\n".join(errors)[:MAX_ERROR]
    status = telling.status({each["outcome"] for each in became}, cancelled=cancelled, wrong=errors)
    return Outcome({**steps.summary, "error": error}, status=status)


class _CarryingOut:
    def __init__(self, run: Run, course: Course, site: Site) -> None:
        self._run, self._course, self._site = run, course, site
        self._steps = site.steps
        self._cancelled = False

    def outcome(self) -> Outcome:
        self._note()
        for turn in self._course.turns:
            if not self._steps.outcome_of(turn.service_id):
                self._cancelled = self._cancelled or self._steps.are_to_stop()
                self._take(turn)
        return _outcome(self._steps, cancelled=self._cancelled)

    def _note(self) -> None:
        """How all of them are, before any is touched; once, whatever becomes of the worker."""
        noted = self._steps.summary.setdefault(NOTED, {})
        for turn in self._course.turns:
            if turn.service_name not in noted:
                found = self._site.containers(turn.service_name)
                started = {each.id: each.started_at for each in found}
                noted[turn.service_name] = {"was": str(state_of(found)), "started": started}
        self._steps.write()

    def _take(self, turn: Turn) -> None:
        try:
            containers = self._site.containers(turn.service_name)
            if not self._is_done(turn, containers):
                self._refuse(turn, containers)
                self._act(turn, containers)
            self._prove(turn, containers)
        except TakenAway:
            raise
        except _LeftAsItWas as error:
            self._became(turn, UNTOUCHED, error=str(error))
        except UpdateFailed as error:
            if isinstance(error, Unhealthy) and error.trouble:
                self._steps.trouble(turn.service_name, error.trouble)
            self._became(turn, FAILED, error=str(error))
        else:
            self._became(turn, DONE[self._course.action])

    def _refuse(self, turn: Turn, containers: list[Container]) -> None:
        """Raises _LeftAsItWas."""
        if self._cancelled:
            raise _LeftAsItWas(_("Somebody cancelled the job before its turn."))
        ids = {each.service_name: each.service_id for each in self._course.turns}
        done = DONE[self._course.action]
        wrong = [name for name in turn.after if self._steps.outcome_of(ids[name]) != done]
        if wrong:
            text = _("%(names)s had to be done first, and did not go well.")
            raise _LeftAsItWas(text % {"names": ", ".join(wrong)})
        if not containers:
            raise _LeftAsItWas(_("No container of it is there any more."))
        if self._course.action != Action.START:
            self._refuse_ours(containers)

    def _refuse_ours(self, containers: list[Container]) -> None:
        values = {"action": str(self._course.action)}
        if ourselves.are_ours(self._site.engine, containers):
            text = _(
                "This is Dockrev itself, which cannot do this to its own container and live to "
                "see the end. Do it by hand: docker compose %(action)s."
            )
            raise _LeftAsItWas(text % values)
        if ourselves.carry_us(self._site.engine, containers):
            text = _(
                "Dockrev reaches the Docker Engine or its own database through this, and would "
                "lose it on the way. Do it by hand: docker compose %(action)s."
            )
            raise _LeftAsItWas(text % values)

    def _act(self, turn: Turn, containers: list[Container]) -> None:
        name = turn.service_name
        compose, look = self._site.compose, self._steps.look
        with self._steps.step(str(self._course.action), name):
            match self._course.action:
                case Action.START:
                    compose.start(name, look, count=len(containers))
                case Action.STOP:
                    compose.stop(name, look)
                case Action.RESTART:
                    compose.restart(name, look)

    def _is_done(self, turn: Turn, containers: list[Container]) -> bool:
        """Whether Compose did it along with what it comes after, or a worker that was lost.

        One that ended when that went away, and that the engine started again by its policy, is not
        restarted yet: the engine counts such starts, and begins anew where somebody restarts it.
        """
        if not containers or not (turn.after or self._run.job.losses):
            return False
        serving = [each for each in containers if each.is_serving]
        if self._course.action == Action.STOP:
            return not serving
        if self._course.action == Action.START:
            return len(serving) == len(containers)
        started = self._noted(turn.service_name)["started"]
        return all(
            each.started_at != started.get(each.id) and not each.restarts for each in containers
        )

    def _prove(self, turn: Turn, seen: list[Container]) -> None:
        """Raises UpdateFailed, Unhealthy where it is not as it was asked to be. `seen` are its
        containers before anything was done: of those that a start leaves alone, as they ran, it
        does not count how often they had restarted by then."""
        name = turn.service_name
        containers = self._site.containers(name)
        is_start = self._course.action == Action.START
        old = frozenset(each.id for each in seen if each.is_serving and is_start)
        try:
            if self._course.action != Action.STOP:
                was = self._noted(name)["was"]
                may_end = Was.STOPPED if is_start else was
                before = {name: Before(len(containers), may_end, old)}
                with self._steps.step("wait", name):
                    demands = demands_of(self._site.stack, before)
                    project, engine = self._course.project.name, self._site.engine
                    Waiting(engine, project, before, demands, self._steps.look).wait()
            elif any(each.is_serving for each in containers):
                text = _("It still runs: %(runs)s.")
                raise UpdateFailed(text % {"runs": runs_now(containers)})
        finally:
            self._note_what_runs(name)

    def _note_what_runs(self, name: str) -> None:
        """Discovery does so anyway, but later."""
        try:
            self._site.note_what_runs({name})
        except EngineUnavailable as error:
            self._steps.log(str(error), level=JobLog.Level.WARN)

    def _noted(self, name: str) -> dict[str, Any]:
        noted: dict[str, Any] = self._steps.summary[NOTED][name]
        return noted

    def _became(self, turn: Turn, outcome: str, *, error: str = "") -> None:
        facts = {"error": error, "runs": self._runs(turn)}
        self._steps.became(turn.service_id, turn.service_name, outcome, **facts)
        if error:
            level = JobLog.Level.WARN if outcome == UNTOUCHED else JobLog.Level.ERROR
            self._steps.log(f"{turn.service_name}: {error}", level=level)

    def _runs(self, turn: Turn) -> str:
        """Empty where the engine does not say."""
        try:
            return runs_now(self._site.containers(turn.service_name))
        except UpdateFailed:
            return ""
