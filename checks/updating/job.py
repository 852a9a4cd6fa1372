"""Jobs `update` and `rollback`: their kinds, what they hold, and how they are asked for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from django.utils.module_loading import import_string
from django.utils.translation import gettext as _

from checks import holds, hosts, queue
from checks.kinds import JobKind, Outcome
from checks.models import Job, Replaced, Service
from checks.run import Run
from checks.updating.giving_up import give_up_rollback, give_up_update
from checks.updating.plan import Plan

# By name: the web process registers the kinds, too, and never needs the Docker SDK.
APPLY = "checks.updating.apply.apply"
GO_BACK = "checks.updating.going_back.go_back"


class NoWayBack(Exception):
    """There is nothing to go back to; the text says why."""


def _update(run: Run) -> Outcome:
    apply: Callable[[Run], Outcome] = import_string(APPLY)
    return apply(run)


def _rollback(run: Run) -> Outcome:
    go_back: Callable[[Run], Outcome] = import_string(GO_BACK)
    return go_back(run)


def _held_by_update(job: Job) -> list[str]:
    plan = Plan.from_json(job.params["plan"])
    names = [name for change in plan.changes for name in change.with_it]
    beside = Service.objects.filter(stack=plan.stack_id, name__in=names)
    ids = {change.service_id for change in plan.changes} | set(beside.values_list("pk", flat=True))
    files = holds.files(edit.path for edit in plan.edits)
    return [*(holds.resource(each) for each in sorted(ids)), *sorted(files)]


def _held_by_rollback(job: Job) -> list[str]:
    row = Replaced.objects.filter(pk=job.params["replaced"]).first()
    change = row.planned if row else None
    names = change.with_it if change else ()
    beside = Service.objects.filter(stack=job.stack_id, name__in=names)
    ids = {job.service_id, *beside.values_list("pk", flat=True)}
    files = holds.files(edit.path for edit in change.edits) if change else set()
    return [*(holds.resource(each) for each in sorted(ids)), *sorted(files)]


UPDATE = JobKind(
    "update",
    cluster="long",
    repeatable=False,
    run=_update,
    resources=_held_by_update,
    resumes=True,
    given_up=give_up_update,
)
SELF_UPDATE = replace(UPDATE, name="self_update")
ROLLBACK = JobKind(
    "rollback",
    cluster="long",
    repeatable=False,
    run=_rollback,
    resources=_held_by_rollback,
    resumes=True,
    given_up=give_up_rollback,
)


def way_back(service: Service) -> Replaced:
    """What a rollback of a service would go back to. One query; raises NoWayBack."""
    last = Replaced.objects.filter(service=service).exclude(state=Replaced.State.UNDONE).first()
    if last is None:
        raise NoWayBack(_("Dockrev has not updated this service, so it knows of nothing before."))
    if last.state not in Replaced.WAYS_BACK:
        raise NoWayBack(_("Its last update is not over, or it did not end well; see its job."))
    if last.planned.itself:
        raise NoWayBack(
            _(
                "Dockrev itself goes back by hand only, because an older version refuses a newer "
                "database: put its backup and the old image's tag back (docs/backup.md)."
            )
        )
    if not last.leads_from(service.running_image_id):
        raise NoWayBack(_("It runs another image by now than the last update left."))
    if not last.kept and not last.planned.digest:
        raise NoWayBack(_("The image before is neither kept here nor in a registry."))
    return last


def ask_to_go_back(service: Service, username: str, *, reason: str = Job.Reason.UI) -> queue.Queued:
    """Raises NoWayBack. `service` comes with its stack."""
    active = Job.objects.active().filter(kind=ROLLBACK.name, service_id=service.pk).first()
    if active:
        return queue.Queued(active.pk, reused=True)
    if why := hosts.what_is_in_the_way(service.stack.host):
        raise NoWayBack(why)
    row = way_back(service)
    return queue.enqueue(
        queue.Request(
            kind=ROLLBACK.name,
            reason=reason,
            scope=Job.Scope.SERVICE,
            stack_id=service.stack_id,
            service_id=service.pk,
            subject=f"{service.stack.name} / {service.name}",
            params={"replaced": row.pk},
            created_by=username,
        )
    )
