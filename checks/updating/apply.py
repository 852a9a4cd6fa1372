"""Job `update`: does what a plan says, one service after the other, forward or back.

What a service ran is written down before anything is touched, and every step may be done again,
so a worker that takes over from a dead one needs only to look at what is there.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from django.conf import settings
from django.utils import timezone
from django.utils.translation import gettext as _

from checks import policies
from checks.automatic.state import is_wanted_now
from checks.backups.saving import save
from checks.discovery.job import place_of
from checks.discovery.projects import EngineUnavailable
from checks.kinds import Outcome
from checks.models import Candidate, Job, JobLog, Replaced, Service, Stack
from checks.run import Cancelled, Run
from checks.tasks import JobFailed
from checks.updating import commands, edits, ourselves, telling
from checks.updating.committing import keep_in_git
from checks.updating.failing import EngineAway, LeftSo, Unhealthy, UpdateFailed, WorldMoved
from checks.updating.itself.following import Following
from checks.updating.itself.papers import is_handed_over
from checks.updating.keeping import KEEP, name_for
from checks.updating.plan import Change, Plan
from checks.updating.rollback import keep, let_go, put_back, what_runs
from checks.updating.site import Site, runs_now, site_of, wait_for_engine
from checks.updating.steps import Steps, TakenAway
from checks.updating.telling import FAILED, ROLLED_BACK, UNTOUCHED, UPDATED
from dockrev.fields import UnreadableSecret

logger = logging.getLogger(__name__)

GO_BACK_AFTER = 2  # workers lost: who dies twice on the way forward goes back

State = Replaced.State


def apply(run: Run) -> Outcome:
    plan = Plan.from_json(run.job.params["plan"])
    stack = Stack.objects.select_related("host").filter(pk=plan.stack_id).first()
    if stack is None:
        raise JobFailed(_("The stack is not there any more."))
    steps = Steps(run, len(plan.changes))
    resumes = Replaced.objects.filter(job_id=run.job.pk).exists()
    try:
        with site_of(stack, plan.project, steps, patient=resumes) as site:
            return _Applying(run, plan, site).outcome()
    except (UpdateFailed, UnreadableSecret) as error:
        return _not_begun(run, plan, steps, error)


def _not_begun(run: Run, plan: Plan, steps: Steps, error: Exception) -> Outcome:
    """Where engine or Compose are away. What a lost worker had half done is left so."""
    why = str(error)
    half_done = Replaced.objects.filter(job_id=run.job.pk, state__in=Replaced.HALF_DONE)
    names = set(half_done.values_list("service", flat=True))
    half_done.update(state=State.UNCLEAR, ended_at=timezone.now())
    steps.log(why, level=JobLog.Level.ERROR)
    for change in plan.changes:
        if not steps.outcome_of(change.service_id):
            outcome = FAILED if change.service_id in names else UNTOUCHED
            later = _later(error) if outcome == UNTOUCHED else {}
            facts = {**telling.facts(change), "error": why, "runs": "", **later}
            steps.became(change.service_id, change.service_name, outcome, **facts)
    return telling.outcome(plan.changes, steps)


def _later(error: Exception) -> dict[str, str]:
    """Nothing is wrong with an update whose engine is away: it is for another time."""
    return {"late": "yes"} if isinstance(error, EngineAway) else {}


class _Applying:
    def __init__(self, run: Run, plan: Plan, site: Site) -> None:
        self._run, self._plan, self._site = run, plan, site
        self._steps = site.steps
        self._edits = [edit for change in plan.changes for edit in change.edits]
        self._cancelled = self._late = False

    def outcome(self) -> Outcome:
        for change in self._plan.changes:
            if self._steps.outcome_of(change.service_id):
                continue  # before its worker was lost
            if not self._is_handed_over(change):
                self._cancelled = self._cancelled or self._steps.are_to_stop()
            if self._is_too_late(change):
                self._late = True
                error = _(
                    "It may not update itself to that any more by now: a policy or a rule says so."
                )
                self._became(change, UNTOUCHED, error=error, late="yes")
            elif why := self._why_not(change):
                self._became(change, UNTOUCHED, error=why, **self._late_too(change))
            else:
                self._change(change)
        became = {each["outcome"] for each in self._steps.summary["services"]}
        # What was put back is told, also where another was too late.
        cancelled = self._cancelled or (self._late and ROLLED_BACK not in became)
        return telling.outcome(self._plan.changes, self._steps, cancelled=cancelled)

    def _is_too_late(self, change: Change) -> bool:
        """Of what nobody asked for and was not begun: the job waited for its turn. Policies alone
        never ask twice: who joined one of theirs is a person."""
        job = self._run.job
        if job.reason != Job.Reason.POLICY or job.joined or self._row(change) is not None:
            return False
        found = Service.objects.with_policies().select_related("stack")
        service = found.filter(pk=change.service_id).first()
        offered = Candidate.objects.offered().filter(pk=change.candidate_id).first()
        return service is not None and not is_wanted_now(
            policies.of_service(service), offered, timezone.now()
        )

    def _why_not(self, change: Change) -> str:
        """One that is half done goes on, whatever happened to others."""
        if self._row(change) is not None:
            return ""
        if self._cancelled:
            return _("Somebody cancelled the job before its turn.")
        wrong = self._wrong(change)
        text = _("It needs %(names)s, which was not updated.")
        return text % {"names": ", ".join(wrong)} if wrong else ""

    def _wrong(self, change: Change) -> list[str]:
        """What it needs, and what was not updated."""
        names = {each.service_name: each.service_id for each in self._plan.changes}
        return [
            name
            for name in change.needs
            if name in names and self._steps.outcome_of(names[name]) != UPDATED
        ]

    def _late_too(self, change: Change) -> dict[str, str]:
        """Nothing is wrong with one that needs nothing but what is for another time."""
        became = self._steps.summary["services"]
        late = {each["service"] for each in became if each.get("late")}
        return {} if self._cancelled or {*self._wrong(change)} - late else {"late": "yes"}

    def _row(self, change: Change) -> Replaced | None:
        rows = Replaced.objects.select_related("service")
        return rows.filter(job_id=self._run.job.pk, service=change.service_id).first()

    def _change(self, change: Change) -> None:
        if (row := self._row(change)) is not None:
            self._go_on(row, change)
        else:
            self._begin(change)
        if change.itself:
            Following(self._site, self._run.job).clear()

    def _begin(self, change: Change) -> None:
        try:
            row = self._note(change)
        except UpdateFailed as error:
            self._became(change, UNTOUCHED, error=str(error), **_later(error))
        else:
            self._forward(row, change)

    def _go_on(self, row: Replaced, change: Change) -> None:
        """After a worker was lost."""
        words = _("The worker ended in the middle of it.")
        goes_back = self._run.job.losses >= GO_BACK_AFTER or self._cancelled
        if row.state not in Replaced.HALF_DONE:
            self._tell_ended(row, change)
        elif row.state == State.CHANGING and self._is_handed_over(change):
            self._steps.log(_("Dockrev %(version)s is here.") % {"version": settings.VERSION})
            self._forward(row, change)
        elif row.state == State.UNDOING or goes_back:
            self._back(row, change, words)
        else:
            self._steps.log(f"{words} {_('Going on from there.')}", level=JobLog.Level.WARN)
            self._forward(row, change)

    def _note(self, change: Change) -> Replaced:
        """Write down what runs. Raises UpdateFailed where the plan is not for that."""
        with self._steps.step("note", change.service_name):
            service = Service.objects.filter(pk=change.service_id).first()
            if service is None:
                raise WorldMoved(_("The service is not there any more."))
            image_id = self._image_before(change)
            names = (change.service_name, *change.with_it)
            for name in names:
                containers = self._site.containers(name)
                ourselves.refuse(self._site.engine, containers, itself=change.itself)
            before = self._site.before(names)
            _refuse_other_count(change, before)
            return Replaced.objects.create(
                service=service,
                job_id=self._run.job.pk,
                change=change.as_json(),
                project=self._plan.project.as_json(),
                image_id=image_id,
                kept=name_for(service.pk, self._run.job.pk),
                before=before,
                noted_at=timezone.now(),
            )

    def _image_before(self, change: Change) -> str:
        containers = self._site.containers(change.service_name)
        if not containers:
            raise WorldMoved(_("No container of it is there any more."))
        runs = {each.image_id for each in containers}
        image_id = change.image_id or containers[-1].image_id
        if image_id not in runs:
            text = _("It does not run any more what the plan was made for: %(runs)s.")
            raise WorldMoved(text % {"runs": runs_now(containers)})
        return image_id

    def _forward(self, row: Replaced, change: Change) -> None:
        try:
            if not self._is_handed_over(change):
                keep(self._site, row)
                save(self._site, row, change)
                self._edit(row, change)
                self._pull(row, change)
            self._make_anew(row, change)
            self._settle(row, change)
        except TakenAway:
            raise
        except Cancelled:
            self._cancelled = True
            self._back(row, change, _("Somebody cancelled it while it was pulled."))
        except Unhealthy as error:
            if error.trouble:
                self._steps.trouble(change.service_name, error.trouble)
            self._back(row, change, str(error))
        except LeftSo as error:
            _save(row, state=State.UNCLEAR, ended_at=timezone.now())
            self._became(change, FAILED, error=str(error), runs=what_runs(self._site, row))
        except UpdateFailed as error:
            self._back(row, change, str(error))
        except Exception:
            logger.exception("an update failed", extra={"service": change.service_id})
            self._back(row, change, _("An error inside Dockrev; its log has it."))
        else:
            keep_in_git(self._site, change)
            self._became(change, UPDATED, runs=what_runs(self._site, row))
            self._let_go_of_older(row)

    def _is_handed_over(self, change: Change) -> bool:
        """Whether somebody outside makes our container anew already."""
        return change.itself and is_handed_over(self._run.job.pk)

    def _make_anew(self, row: Replaced, change: Change) -> None:
        if change.itself:
            Following(self._site, self._run.job).replace(row)
        else:
            self._site.up(row)
            self._site.wait(row)

    def _edit(self, row: Replaced, change: Change) -> None:
        if not change.edits:
            return
        with self._steps.step("edit", change.service_name):
            before = row.edits_made
            _save(row, edits_made=True)
            try:
                edits.apply(change.edits, among=self._edits)
            except (edits.Conflict, edits.NotWritten) as error:
                _save(row, edits_made=before)
                raise UpdateFailed(str(error)) from error

    def _pull(self, row: Replaced, change: Change) -> None:
        engine = self._site.engine
        with self._steps.step("pull", change.service_name):
            self._site.compose.pull(commands.pulled(change), self._steps.look_for_cancel)
            new = engine.image_id(change.target_image)
            if not new:
                text = _("%(image)s was pulled, but the engine does not have it.")
                raise UpdateFailed(text % {"image": change.target_image})
            if change.target_digest and change.target_digest not in engine.digests(new):
                text = _("%(image)s is another image now than the plan says (%(digest)s).")
                named = {"image": change.target_image, "digest": change.target_digest}
                raise UpdateFailed(text % named)
            _save(row, new_image_id=new)

    def _settle(self, row: Replaced, change: Change) -> None:
        with self._steps.step("settle", change.service_name):
            containers = self._site.containers(change.service_name)
            if {each.image_id for each in containers} != {row.new_image_id}:
                text = _("It was made anew, but does not run the new image: %(runs)s.")
                raise UpdateFailed(text % {"runs": runs_now(containers)})
            self._site.note_what_runs(row.before)
            _save(row, state=State.APPLIED, ended_at=timezone.now())

    def _back(self, row: Replaced, change: Change, why: str) -> None:
        if self._stays(row, change):
            self._leave(row, change, why)
            return
        text = _("%(name)s is put back. %(why)s")
        words = text % {"name": change.service_name, "why": why}
        self._steps.log(words, level=JobLog.Level.ERROR)
        outcome = UNTOUCHED if self._is_as_before(row) else ROLLED_BACK
        if failure := put_back(self._site, row, self._edits, leaves_stopped=True):
            outcome = FAILED
            both = _("%(why)s It could not be put back: %(failure)s")
            why = both % {"why": why, "failure": failure}
        self._became(change, outcome, error=why, runs=what_runs(self._site, row))

    def _stays(self, row: Replaced, change: Change) -> bool:
        """Whether it is not to be rolled back. Where no container was touched it always is: it
        runs what it ran, and the files are to say so."""
        # Dockrev itself always is, from outside: nobody else is there to put it right.
        if row.state == State.UNDOING or change.itself:
            return False
        if self._site.rolls_back(change.service_name):
            return False
        with suppress(UpdateFailed):
            wait_for_engine(place_of(self._site.stack.host), self._steps.look)
        try:
            return not self._site.is_untouched(row)
        except UpdateFailed:
            return True  # nobody knows

    def _leave(self, row: Replaced, change: Change, why: str) -> None:
        _save(row, state=State.LEFT, ended_at=timezone.now())
        with suppress(UpdateFailed, EngineUnavailable):
            self._site.note_what_runs(row.before)
        text = _("%(why)s It is left as it is: its policy says not to roll back.")
        self._became(change, FAILED, error=text % {"why": why}, runs=what_runs(self._site, row))

    def _is_as_before(self, row: Replaced) -> bool:
        try:
            return self._site.is_as_before(row)
        except UpdateFailed:
            return False  # nobody knows

    def _tell_ended(self, row: Replaced, change: Change) -> None:
        """The worker was lost after this service was done with, before that was told."""
        outcomes = {State.APPLIED: UPDATED, State.UNDONE: ROLLED_BACK}
        outcome = outcomes.get(State(row.state), FAILED)
        if outcome == UPDATED:
            keep_in_git(self._site, change)
        error = "" if outcome == UPDATED else _("The worker ended in the middle of it.")
        self._became(change, outcome, error=error, runs=what_runs(self._site, row))

    def _became(
        self, change: Change, outcome: str, *, error: str = "", runs: str = "", **more: str
    ) -> None:
        facts = {**telling.facts(change), "error": error, "runs": runs, **more}
        self._steps.became(change.service_id, change.service_name, outcome, **facts)
        if error:
            level = JobLog.Level.WARN if outcome == UNTOUCHED else JobLog.Level.ERROR
            self._steps.log(f"{change.service_name}: {error}", level=level)

    def _let_go_of_older(self, row: Replaced) -> None:
        over = Replaced.objects.filter(service=row.service, state__in=Replaced.WAYS_BACK)
        for old in over.exclude(kept="").order_by("-pk")[KEEP:]:
            let_go(self._site, old)


def _refuse_other_count(change: Change, before: Mapping[str, Mapping[str, Any]]) -> None:
    """What is called was shown with it. Raises WorldMoved."""
    for name, count in commands.replicas(change).items():
        if before[name]["count"] != count:
            text = _("%(name)s has another number of containers than the plan says.")
            raise WorldMoved(text % {"name": name})


def _save(row: Replaced, **values: Any) -> None:
    for name, value in values.items():
        setattr(row, name, value)
    row.save(update_fields=list(values))
