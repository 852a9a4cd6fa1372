"""The pages that say what starting, stopping or restarting does, and do it."""

from __future__ import annotations

from typing import Any

from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.views.decorators.http import require_http_methods

from checks.lifecycle import orders
from checks.lifecycle.course import Action
from checks.lifecycle.orders import Order
from checks.models import Service, Stack
from dockrev.errors import ApiError
from dockrev.pages import PageRequest
from dockrev.permissions import Role, requires


@require_http_methods(["GET", "HEAD", "POST"])
@requires(Role.OPERATOR)
def of_service(request: PageRequest, stack_id: str, service_id: str, action: str) -> HttpResponse:
    services = Service.objects.select_related("stack__host")
    service = get_object_or_404(services, pk=service_id, stack_id=stack_id)
    order = Order(_action(action), service.stack, service)
    return _page(request, order, reverse("service", args=[stack_id, service_id]))


@require_http_methods(["GET", "HEAD", "POST"])
@requires(Role.OPERATOR)
def of_stack(request: PageRequest, stack_id: str, action: str) -> HttpResponse:
    stack = get_object_or_404(Stack.objects.select_related("host"), pk=stack_id)
    return _page(request, Order(_action(action), stack), reverse("overview"))


def _action(named: str) -> Action:
    if named not in set(Action):
        raise Http404
    return Action(named)


def _page(request: PageRequest, order: Order, back: str) -> HttpResponse:
    """Show what it comes to; a POST queues that, or shows why not."""
    context: dict[str, Any] = {"order": order, "service": order.service, "back": back}
    try:
        if request.method == "POST":
            queued = orders.ask(order, request.user.get_username())
            return redirect("job", queued.job_id)
        context["course"] = orders.course_of(order)
    except ApiError as error:
        context |= {"refusal": error, "busy_job": error.details.get("existingJobId")}
    status = 200 if request.method != "POST" else 409
    return render(request, "checks/lifecycle.html", context, status=status)
