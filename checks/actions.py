"""What buttons on the pages do: each queues work or changes one row, and goes back."""

from __future__ import annotations

from datetime import timedelta

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from checks import archiving, asking, ignoring, queue
from checks.automatic import pauses
from checks.kinds import KINDS
from checks.models import Candidate, IgnoreRule, Job, Service, Stack
from checks.updating.job import NoWayBack, ask_to_go_back
from dockrev.pages import PageRequest, acted
from dockrev.permissions import Role, requires, role_of

SNOOZE = timedelta(days=7)


@require_POST
@requires(Role.OPERATOR)
def check_all(request: PageRequest) -> HttpResponse:
    asking.check_everything(request.user.get_username())
    return acted(request, reverse("overview"))


@require_POST
@requires(Role.OPERATOR)
def check_stack(request: PageRequest, stack_id: str) -> HttpResponse:
    asking.check_stack(get_object_or_404(Stack, pk=stack_id), request.user.get_username())
    return acted(request, reverse("overview"))


@require_POST
@requires(Role.OPERATOR)
def check_service(request: PageRequest, stack_id: str, service_id: str) -> HttpResponse:
    service = _service(stack_id, service_id)
    asking.check_service(service, request.user.get_username())
    return acted(request, reverse("service", args=[stack_id, service_id]))


@require_POST
@requires(Role.OPERATOR)
def discover(request: PageRequest) -> HttpResponse:
    asking.look_again(request.user.get_username())
    return acted(request, reverse("overview"))


@require_POST
@requires(Role.OPERATOR)
def archive_service(request: PageRequest, stack_id: str, service_id: str) -> HttpResponse:
    service = _service(stack_id, service_id)
    archiving.archive(service, timezone.now())
    messages.success(request, _("%(name)s is archived.") % {"name": service.name})
    return redirect("service", stack_id, service_id)


@require_POST
@requires(Role.OPERATOR)
def restore_service(request: PageRequest, stack_id: str, service_id: str) -> HttpResponse:
    service = _service(stack_id, service_id)
    archiving.restore(service)
    messages.success(request, _("%(name)s is back.") % {"name": service.name})
    return redirect("service", stack_id, service_id)


@require_POST
@requires(Role.OPERATOR)
def roll_back(request: PageRequest, stack_id: str, service_id: str) -> HttpResponse:
    """Go back to what a service ran before its last update."""
    service = _service(stack_id, service_id)
    try:
        job = ask_to_go_back(service, request.user.get_username())
    except NoWayBack as error:
        messages.error(request, str(error))
        return redirect("service", stack_id, service_id)
    return redirect("job", job.job_id)


@require_POST
@requires(Role.OPERATOR)
def resume_service(request: PageRequest, stack_id: str, service_id: str) -> HttpResponse:
    """Have it update itself again, after a pause."""
    service = _service(stack_id, service_id)
    if pauses.resume(service):
        text = _("%(name)s updates itself again.")
        messages.success(request, text % {"name": service.name})
    return redirect("service", stack_id, service_id)


@require_POST
@requires(Role.OPERATOR)
def skip(request: PageRequest, stack_id: str, service_id: str, candidate_id: str) -> HttpResponse:
    """Hide this version of this service for good."""
    candidate = _candidate(stack_id, service_id, candidate_id)
    ignoring.hide(candidate, request.user.get_username(), timezone.now())
    return acted(request, reverse("service", args=[stack_id, service_id]))


@require_POST
@requires(Role.OPERATOR)
def snooze(request: PageRequest, stack_id: str, service_id: str, candidate_id: str) -> HttpResponse:
    """Hide this version of this service for a week."""
    now = timezone.now()
    candidate = _candidate(stack_id, service_id, candidate_id)
    ignoring.hide(candidate, request.user.get_username(), now, until=now + SNOOZE)
    return acted(request, reverse("service", args=[stack_id, service_id]))


@require_POST
@requires(Role.OPERATOR)
def show_again(request: PageRequest, stack_id: str, service_id: str, rule_id: str) -> HttpResponse:
    rules = IgnoreRule.objects.over(_service(stack_id, service_id))
    rule = get_object_or_404(rules, pk=rule_id)
    ignoring.show_again(rule, request.user.get_username(), timezone.now())
    return acted(request, reverse("service", args=[stack_id, service_id]))


@require_POST
@requires(Role.OPERATOR)
def archive_stack(request: PageRequest, stack_id: str) -> HttpResponse:
    stack = get_object_or_404(Stack, pk=stack_id)
    archiving.archive(stack, timezone.now())
    messages.success(request, _("Stack %(name)s is archived.") % {"name": stack.name})
    return acted(request, reverse("overview"))


@require_POST
@requires(Role.OPERATOR)
def restore_stack(request: PageRequest, stack_id: str) -> HttpResponse:
    stack = get_object_or_404(Stack, pk=stack_id)
    archiving.restore(stack)
    messages.success(request, _("Stack %(name)s is back.") % {"name": stack.name})
    return acted(request, reverse("overview"))


@require_POST
@requires(Role.OPERATOR)
def cancel_job(request: PageRequest, job_id: str) -> HttpResponse:
    get_object_or_404(Job, pk=job_id)
    queue.cancel(job_id)
    return acted(request, reverse("job", args=[job_id]))


@require_POST
@requires(Role.OPERATOR)
def repeat_job(request: PageRequest, job_id: str) -> HttpResponse:
    """Do the same work once more. An update is not simply repeated: it may have half happened."""
    job = get_object_or_404(Job, pk=job_id)
    kind = KINDS.get(job.kind)
    if kind is None or not kind.repeatable:
        messages.error(request, _("This job cannot be repeated."))
        return redirect("job", job_id)
    if role_of(request.user) < kind.role:
        raise PermissionDenied
    queued = asking.again(job, request.user.get_username())
    return redirect("job", queued.job_id)


def _candidate(stack_id: str, service_id: str, candidate_id: str) -> Candidate:
    """One that is offered: what is hidden already needs no second rule."""
    offered = Candidate.objects.offered().filter(service__stack=stack_id, service=service_id)
    return get_object_or_404(offered.select_related("service__stack"), pk=candidate_id)


def _service(stack_id: str, service_id: str) -> Service:
    services = Service.objects.select_related("stack")
    return get_object_or_404(services, pk=service_id, stack_id=stack_id)
