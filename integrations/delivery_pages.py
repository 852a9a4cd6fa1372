"""The pages of deliveries."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from checks.models import Job, Service
from dockrev.errors import ApiError
from dockrev.pages import PageRequest, page_of, words_of
from dockrev.permissions import Role, requires
from integrations import delivery_list, replaying
from integrations.github.pages import connection_of
from integrations.ingest import Answer
from integrations.models import Delivery
from integrations.payloads import readable
from integrations.receivers.trigger import Trigger


@require_safe
@requires(Role.VIEWER)
def show_deliveries(request: PageRequest) -> HttpResponse:
    looked = delivery_list.look(show=request.GET.get("show", "all"), words=words_of(request))
    context = {"looked": looked, "page": page_of(request, looked.deliveries)}
    if not looked.total:
        context |= connection_of(request)
    return render(request, "integrations/deliveries.html", context)


@require_safe
@requires(Role.VIEWER)
def show_delivery(request: PageRequest, delivery_id: str) -> HttpResponse:
    deliveries = Delivery.objects.select_related("receiver", "caller").defer(
        "receiver__secret", "receiver__previous_secret"
    )
    delivery = get_object_or_404(deliveries, pk=delivery_id)
    job_ids = [*delivery.job_ids, *delivery.reused_job_ids]
    context = {
        "delivery": delivery,
        "is_call": delivery.receiver.kind == Trigger.kind,
        "no_replay": replaying.why_not(delivery),
        "payload": readable(delivery.payload),
        "jobs": Job.objects.filter(pk__in=job_ids[:100]).defer("params"),
        "services": Service.objects.filter(
            pk__in=delivery.matched_service_ids[:100]
        ).select_related("stack"),
    }
    return render(request, "integrations/delivery.html", context)


@require_POST
@requires(Role.OPERATOR)
def replay_delivery(request: PageRequest, delivery_id: str) -> HttpResponse:
    rows = Delivery.objects.select_related("receiver", "caller")
    delivery = get_object_or_404(rows, pk=delivery_id)
    try:
        answer = replaying.replay(delivery)
    except ApiError as error:
        messages.error(request, error.message)
        return redirect("delivery", delivery_id)
    if delivery.receiver.kind == Trigger.kind:
        _tell_of_call(request, answer)
    elif answer.job_ids or answer.reused_job_ids:
        messages.success(request, _("Replayed: its services are being checked."))
    else:
        messages.success(request, _("Replayed: there was nothing to check."))
    return redirect("delivery", delivery_id)


def _tell_of_call(request: PageRequest, answer: Answer) -> None:
    if answer.decision == Delivery.Decision.PROCESSED:
        messages.success(request, _("Replayed: it was asked for again."))
    else:
        messages.error(request, _("Replayed, and refused."))
