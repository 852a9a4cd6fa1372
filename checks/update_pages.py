"""The page that shows what an update will do, and starts it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.module_loading import import_string
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from checks.models import Job, Service, Stack
from checks.updating import facts, orders
from checks.updating.choosing import Target
from checks.updating.orders import Order
from checks.updating.plan import Plan
from dockrev.errors import ApiError, Conflict
from dockrev.pages import PageRequest, given
from dockrev.permissions import Role, requires

# By name, as the plan itself: only this page reads YAML in the web process.
DIFFS = "checks.updating.diffs.diffs"


@require_http_methods(["GET", "HEAD", "POST"])
@requires(Role.OPERATOR)
def update_service(request: PageRequest, stack_id: str, service_id: str) -> HttpResponse:
    """One service, to the candidate that the address names, else to the best one."""
    services = Service.objects.select_related("stack__host", "image")
    service = get_object_or_404(services, pk=service_id, stack_id=stack_id)
    asked = given(request.POST if request.method == "POST" else request.GET, "candidate")
    order = Order(
        service=service,
        targets=(Target(service.pk, candidate_id=asked),) if asked else (),
        allow_arch_mismatch=_any_platform(request),
    )
    back = reverse("service", args=[stack_id, service_id])
    return _page(request, order, {"service": service, "candidate_id": asked, "back": back})


@require_http_methods(["GET", "HEAD", "POST"])
@requires(Role.OPERATOR)
def update_stack(request: PageRequest, stack_id: str) -> HttpResponse:
    """All services of a stack that have an update."""
    stack = get_object_or_404(Stack.objects.select_related("host"), pk=stack_id)
    order = Order(stack=stack)
    return _page(request, order, {"stack": stack, "back": reverse("overview")})


def _any_platform(request: PageRequest) -> bool:
    values = request.POST if request.method == "POST" else request.GET
    return values.get("platform") == "any"


def _page(request: PageRequest, order: Order, context: dict[str, Any]) -> HttpResponse:
    """Show the plan; a POST that saw this very plan queues it. Where it is another one by now, that
    is shown, and nothing is done."""
    context = {**context, "any_platform": order.allow_arch_mismatch}
    if request.method == "POST":
        try:
            username, seen = request.user.get_username(), given(request.POST, "fingerprint")
            queued = orders.update(order, username, reason=Job.Reason.UI, fingerprint=seen or "-")
            return redirect("job", queued[0].job_id)
        except Conflict as error:
            context |= _told(error)
        except ApiError as error:
            context["refusal"] = error
    if "refusal" not in context:
        context |= _planned(order)
    status = 200 if request.method != "POST" else 409
    return render(request, "checks/update.html", context, status=status)


def _told(error: Conflict) -> dict[str, Any]:
    """What the page says of a plan that was not queued."""
    match error.details.get("reason"):
        case "plan_changed":
            return {"has_changed": True}
        case "being_changed":
            return {"busy": error, "busy_job": error.details["existingJobId"]}
        case _reason:
            return {"refusal": error}


def _planned(order: Order) -> dict[str, Any]:
    try:
        [plan] = orders.plan(order).plans.values()
    except ApiError as error:
        return {"refusal": error}
    diffs: Callable[[Any], list[Any]] = import_string(DIFFS)
    return {
        "plan": plan,
        "changes": [(each, facts.tag_words(each)) for each in plan.changes],
        "cautions": _cautions(plan),
        "data": [(each, facts.data_words(each)) for each in plan.data],
        "saves": any(each.is_saved for each in plan.data),
        "diffs": diffs(plan.edits),
        "commands": "\n".join(facts.commands(plan)),
        "restarts": sum(1 + len(each.with_it) for each in plan.changes),
    }


def _cautions(plan: Plan) -> list[str]:
    """Of a plan for several services each with the name that it is about."""
    if len(plan.changes) == 1:
        return [*plan.warnings, *plan.changes[0].warnings]
    about = _("%(name)s: %(text)s")
    named = [
        about % {"name": each.service_name, "text": text}
        for each in plan.changes
        for text in each.warnings
    ]
    return [*plan.warnings, *named]
