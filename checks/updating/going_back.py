"""Job `rollback`: back to what a service ran before its last update, by a person's wish."""

from __future__ import annotations

from django.utils import timezone
from django.utils.translation import gettext as _

from checks.kinds import Outcome
from checks.models import JobLog, Replaced
from checks.run import Run
from checks.tasks import JobFailed
from checks.updating import ourselves, telling
from checks.updating.committing import keep_in_git
from checks.updating.failing import UpdateFailed
from checks.updating.rollback import put_back, what_runs
from checks.updating.site import Site, runs_now, site_of
from checks.updating.steps import Steps
from dockrev.fields import UnreadableSecret

State = Replaced.State


def go_back(run: Run) -> Outcome:
    rows = Replaced.objects.select_related("service__stack__host")
    row = rows.filter(pk=run.job.params["replaced"]).first()
    if row is None:
        raise JobFailed(_("What it ran before is not known any more."))
    steps = Steps(run, 1)
    resumes = row.state == State.UNDOING
    try:
        project = row.compose_project
        with site_of(row.service.stack, project, steps, patient=resumes) as site:
            return _go_back(site, row, steps)
    except (UpdateFailed, UnreadableSecret) as error:
        return _not_begun(row, steps, str(error))


def _not_begun(row: Replaced, steps: Steps, why: str) -> Outcome:
    """Where engine or Compose are away, or something else runs. What a lost worker had half done
    is left so."""
    half_done = row.state == State.UNDOING
    if half_done:
        unclear = {"state": State.UNCLEAR, "ended_at": timezone.now()}
        Replaced.objects.filter(pk=row.pk).update(**unclear)
    steps.log(why, level=JobLog.Level.ERROR)
    outcome = telling.FAILED if half_done else telling.UNTOUCHED
    return _ended(row, steps, outcome, error=why, runs="")


def _ended(row: Replaced, steps: Steps, outcome: str, *, error: str, runs: str) -> Outcome:
    change = row.planned
    facts = {**telling.facts(change, back=True), "error": error, "runs": runs}
    steps.became(change.service_id, change.service_name, outcome, **facts)
    return telling.outcome([change], steps)


def _go_back(site: Site, row: Replaced, steps: Steps) -> Outcome:
    change = row.planned
    # Not where a lost worker began, or had all done and did not come to say so.
    if row.state in Replaced.WAYS_BACK:
        _check(site, row)
    if error := put_back(site, row, change.edits):
        steps.log(error, level=JobLog.Level.ERROR)
    else:
        keep_in_git(site, change, back=True)
    outcome = telling.FAILED if error else telling.ROLLED_BACK
    return _ended(row, steps, outcome, error=error, runs=what_runs(site, row))


def _check(site: Site, row: Replaced) -> None:
    """Raises UpdateFailed before anything is touched."""
    containers = site.containers(row.planned.service_name)
    ourselves.refuse(site.engine, containers)
    runs = {each.image_id for each in containers}
    if not any(map(row.leads_from, runs or {""})):
        text = _("It does not run any more what the update left: %(runs)s.")
        raise UpdateFailed(text % {"runs": runs_now(containers)})
