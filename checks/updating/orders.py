"""An update that somebody asks for: planned at once, then shown, or queued as it was planned."""

from __future__ import annotations

from collections.abc import Callable, Sequence, Set
from dataclasses import dataclass, field, replace
from typing import Any

from django.utils import timezone
from django.utils.module_loading import import_string
from django.utils.translation import gettext as _

from checks import queue
from checks.backups.targets import INHERIT, Sayings, sayings_of
from checks.holds import CHANGING
from checks.kinds import Outcome
from checks.models import Job, JobLog, Service, Stack
from checks.queue import Queued, Request
from checks.run import MAX_MESSAGE
from checks.updating import facts
from checks.updating.choosing import NotPossible, Target, Wanted, choose, services_of
from checks.updating.plan import Plan
from dockrev.errors import ApiError, Conflict, UpstreamUnavailable

KIND, ITSELF = "update", "self_update"
# By name: the web process only needs the Docker SDK and PyYAML once somebody wants a plan.
PLAN_FOR = "checks.updating.planning.plan_for"


@dataclass(frozen=True)
class Order:
    """Without a stack and a service it is for everything. A service comes with stack and host.

    `because` says which policy wants it.
    """

    stack: Stack | None = None
    service: Service | None = None
    targets: tuple[Target, ...] = ()
    allow_arch_mismatch: bool = False
    backup_mode: str = INHERIT
    because: str = ""

    @property
    def scope(self) -> str:
        if self.service:
            return Job.Scope.SERVICE
        return Job.Scope.STACK if self.stack else Job.Scope.ALL


@dataclass
class Planned:
    """The plans, one for each stack, and of an order for everything why a stack has none."""

    plans: dict[Stack, Plan] = field(default_factory=dict)
    refused: dict[Stack, ApiError] = field(default_factory=dict)


def plan(order: Order) -> Planned:
    """Plan what is ordered. Five queries, and one call to the engine for each stack;
    where data is backed up, some more to measure it.

    Raises what `choosing.choose` and `planning.plan_for` do; for everything only where no stack
    has a plan.
    """
    services = _services(order)
    wanted = choose(services, order.targets, allow_arch_mismatch=order.allow_arch_mismatch)
    by_stack: dict[Stack, list[Wanted]] = {}
    for each in wanted:
        by_stack.setdefault(each.service.stack, []).append(each)
    sayings = sayings_of([stack.pk for stack in by_stack], order.backup_mode)
    if order.scope != Job.Scope.ALL:
        return Planned({stack: _plan_for(stack, of, sayings) for stack, of in by_stack.items()})
    planned = _plan_all(by_stack, sayings)
    if not planned.plans:
        raise next(iter(planned.refused.values()))
    return planned


def dry_run(order: Order, username: str, *, reason: str) -> str:
    """Plan, and keep the plan as the summary of a job that is over. Raises what `plan` does."""
    planned = plan(order)
    told = [facts.as_facts(each) for each in planned.plans.values()]
    if order.scope == Job.Scope.ALL:
        summary: dict[str, Any] = {"plans": told, "refused": _refusals(planned)}
    else:
        summary = told[0]
    params = {"mode": "dry-run", "plans": [each["fingerprint"] for each in told]}
    request = _request(order, planned.plans, params, username, reason=reason)
    subject = request.subject or _("everything")
    request = replace(request, subject=_("%(subject)s (dry run)") % {"subject": subject})
    outcome = Outcome({"mode": "dry-run", **summary}, write=lambda job: _log(job, planned))
    return queue.record(request, outcome)


def update(
    order: Order,
    username: str,
    *,
    reason: str,
    fingerprint: str = "",
    agrees: Callable[[Stack, Plan], None] | None = None,
) -> list[Queued]:
    """Plan, and queue each plan. With a fingerprint only the very plan that somebody saw. `agrees`
    raises NotPossible for one that is not wanted so.

    Raises what `plan` does, and Conflict where the plan is another by now or where one of the
    services is being changed by another job.
    """
    planned = plan(order)
    if agrees:
        for stack, each in planned.plans.items():
            agrees(stack, each)
    prints = [each.fingerprint for each in planned.plans.values()]
    if fingerprint and prints != [fingerprint]:
        text = _("What the update would do has changed since the plan was made. Look at it again.")
        raise Conflict(text, reason="plan_changed", fingerprint=prints[0])
    requests = [
        # Its warnings are in the language of whoever asks, and its data grows all the time.
        replace(
            _request(order, {stack: each}, {"plan": each.as_json()}, username, reason=reason),
            same=each.fingerprint,
        )
        for stack, each in planned.plans.items()
    ]
    for request, each in zip(requests, planned.plans.values(), strict=True):
        refuse_while_changed(request, _touched(each))
    return [queue.enqueue(request) for request in requests]


def _log(job: Job, planned: Planned) -> None:
    now = timezone.now()
    told = [line for plan in planned.plans.values() for line in facts.lines(plan)]
    told += [
        (JobLog.Level.WARN, f"{stack.name}: {error.message}")
        for stack, error in planned.refused.items()
    ]
    JobLog.objects.bulk_create(
        JobLog(job=job, at=now, level=level, message=text[:MAX_MESSAGE]) for level, text in told
    )


def _services(order: Order) -> list[Service]:
    if order.service:
        return [order.service]
    if order.stack:
        return services_of(order.stack)
    services = Service.objects.present().select_related("stack__host", "image")
    return list(services.order_by("stack__name", "stack", "name"))


def _plan_for(stack: Stack, wanted: Sequence[Wanted], sayings: Sayings) -> Plan:
    plan_for: Callable[[Stack, Sequence[Wanted], Sayings], Plan] = import_string(PLAN_FOR)
    return plan_for(stack, wanted, sayings)


def _plan_all(by_stack: dict[Stack, list[Wanted]], sayings: Sayings) -> Planned:
    """A host that does not answer is asked once, not for each of its stacks."""
    planned = Planned()
    silent: dict[str, ApiError] = {}
    for stack, of in by_stack.items():
        try:
            if stack.host_id in silent:
                planned.refused[stack] = silent[stack.host_id]
            else:
                planned.plans[stack] = _plan_for(stack, of, sayings)
        except UpstreamUnavailable as error:
            silent[stack.host_id] = planned.refused[stack] = error
        except NotPossible as error:
            planned.refused[stack] = error
    return planned


def _refusals(planned: Planned) -> list[dict[str, Any]]:
    return [
        {"stackId": stack.pk, "message": error.message, **error.details}
        for stack, error in planned.refused.items()
    ]


def _request(
    order: Order, plans: dict[Stack, Plan], params: dict[str, Any], username: str, *, reason: str
) -> Request:
    """For one stack, or of a dry run for everything."""
    request = Request(
        kind=KIND, reason=reason, params=params, created_by=username, because=order.because
    )
    if len(plans) > 1:
        return request
    [(stack, of)] = plans.items()
    return replace(
        request,
        kind=ITSELF if of.itself else KIND,
        scope=Job.Scope.SERVICE if order.service else Job.Scope.STACK,
        stack_id=stack.pk,
        service_id=order.service.pk if order.service else "",
        subject=facts.subject(of, stack.name),
    )


def refuse_while_changed(request: Request, services: Set[str]) -> None:
    """The same request is joined; another for one of these, by their names, must wait for the
    first to end. Raises Conflict."""
    active = Job.objects.active().filter(kind__in=CHANGING, stack_id=request.stack_id)
    for job in active.exclude(dedupe_key=request.dedupe_key):
        theirs = _touched_by(job)
        if theirs is None or services & theirs:
            text = _("Another job changes this already: %(subject)s.")
            raise Conflict(
                text % {"subject": job.subject}, reason="being_changed", existingJobId=job.pk
            )


def _touched_by(job: Job) -> set[str] | None:
    """None where that is not in its parameters."""
    if "plan" in job.params:
        return _touched(Plan.from_json(job.params["plan"]))
    turns = job.params.get("turns")
    return {each["service_name"] for each in turns} if turns else None


def _touched(plan: Plan) -> set[str]:
    """The names of the services that a plan makes anew."""
    return {name for each in plan.changes for name in (each.service_name, *each.with_it)}
