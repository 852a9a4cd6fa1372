"""The page of one who may call a trigger: made there, limited, given another secret, revoked."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import groupby
from typing import Any

from django.contrib import messages
from django.http import HttpResponse, QueryDict
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from dockrev.errors import ApiError
from dockrev.pages import PageRequest, given
from dockrev.permissions import Role, requires
from integrations import caller_list, callers
from integrations.callbacks import base_url, shown_url
from integrations.caller_form import CallerForm
from integrations.callers import Action
from integrations.models import Receiver, TriggerCaller
from integrations.receivers.trigger import HEADER, Trigger
from notifications import stacks
from notifications.stacks import StackChoice

RECENT = 5  # calls on its page
MAX_ID = 32


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@requires(Role.ADMIN)
def add_caller(request: PageRequest, receiver_id: str) -> HttpResponse:
    """Not redirected once it is made: its secret is in this answer, and nowhere else in clear."""
    row = TriggerCaller(receiver=_receiver(receiver_id), actions=[Action.CHECK])
    if request.method != "POST":
        return _page(request, row)
    form = _form(request.POST, row)
    if response := _refused(request, row, form):
        return response
    return _page(request, form.instance, new_secret=form.secret)


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@requires(Role.ADMIN)
def show_caller(request: PageRequest, receiver_id: str, caller_id: str) -> HttpResponse:
    """The page of one, and what its own buttons do."""
    receiver = _receiver(receiver_id)
    row = get_object_or_404(receiver.callers, pk=caller_id)
    if request.method != "POST":
        return _page(request, row)
    act = _ACTS.get(request.POST.get("act", ""))
    return act(request, row) if act else redirect(_place(row))


def _save(request: PageRequest, row: TriggerCaller) -> HttpResponse:
    form = _form(request.POST, row)
    if response := _refused(request, row, form):
        return response
    messages.success(request, _("%(name)s is saved.") % {"name": row.name})
    return redirect(_place(row))


def _rotate(request: PageRequest, row: TriggerCaller) -> HttpResponse:
    return _with_new_secret(request, row, keeps_old=True)


def _replace(request: PageRequest, row: TriggerCaller) -> HttpResponse:
    return _with_new_secret(request, row, keeps_old=False)


def _with_new_secret(request: PageRequest, row: TriggerCaller, *, keeps_old: bool) -> HttpResponse:
    """Not redirected: the secret is in this answer, and nowhere else in clear."""
    secret = callers.new_secret(row, timezone.now(), keeps_old=keeps_old)
    row.save(update_fields=callers.SECRET_COLUMNS)
    return _page(request, row, new_secret=secret)


def _revoke(request: PageRequest, row: TriggerCaller) -> HttpResponse:
    row.delete()
    messages.success(request, _("%(name)s is revoked.") % {"name": row.name})
    return redirect("receiver", row.receiver_id)


_ACTS: dict[str, Callable[[PageRequest, TriggerCaller], HttpResponse]] = {
    "save": _save,
    "rotate": _rotate,
    "replace": _replace,
    "revoke": _revoke,
}


def _receiver(receiver_id: str) -> Receiver:
    rows = Receiver.objects.filter(kind=Trigger.kind).defer("secret", "previous_secret")
    return get_object_or_404(rows, pk=receiver_id)


def _form(typed: QueryDict, row: TriggerCaller) -> CallerForm:
    ids = [each.replace("\0", "")[:MAX_ID] for each in typed.getlist("stack")]
    data = {
        "name": given(typed, "name"),
        "enabled": typed.get("enabled") == "on",
        "actions": typed.getlist("actions"),
        "every_stack": typed.get("stacks") == "all",
        "stacks": ids[: callers.MAX_STACKS + 1],
        "calls_per_minute": given(typed, "calls_per_minute"),
    }
    form = CallerForm(data, instance=row)
    if not data["every_stack"] and not ids:
        form.add_error("stacks", _("Choose a stack, or all of them."))
    if not data["actions"]:
        form.add_error("actions", _("Choose what it may do; or switch it off."))
    return form


def _refused(request: PageRequest, row: TriggerCaller, form: CallerForm) -> HttpResponse | None:
    """Write it, or say why not."""
    is_new = row._state.adding
    if not form.is_valid():
        return _page(request, row, form=form, status=422)
    try:
        form.write()
    except ApiError as error:
        form.add_error(None, error.message)
        row._state.adding = is_new
        return _page(request, row, form=form, status=409)
    return None


@dataclass(frozen=True)
class StackChooser:
    """The stacks to choose from, by host; the archived ones only where they are chosen."""

    stack_ids: Sequence[str]

    @cached_property
    def hosts(self) -> list[tuple[str, list[StackChoice]]]:
        there = [
            each
            for each in stacks.known().values()
            if not each.is_archived or each.id in self.stack_ids
        ]
        return [(host, list(each)) for host, each in groupby(there, lambda stack: stack.host)]

    @property
    def stack_count(self) -> int:
        return sum(len(each) for _host, each in self.hosts)


def _page(
    request: PageRequest,
    row: TriggerCaller,
    *,
    form: CallerForm | None = None,
    status: int = 200,
    **more: Any,
) -> HttpResponse:
    is_new = row._state.adding
    stored = row if is_new or not form else TriggerCaller.objects.get(pk=row.pk)
    form = form or _unbound(stored)
    deliveries = stored.deliveries.select_related("receiver").defer("payload", "headers")
    context = {
        "row": stored,
        "is_new": is_new,
        "receiver": row.receiver,
        "listed": None if is_new else caller_list.look_at(stored),
        "form": form,
        "place": request.path if is_new else _place(stored),
        "chooser": StackChooser([str(each) for each in form["stacks"].value() or ()]),
        "url": shown_url(row.receiver, base_url(request)),
        "header": HEADER,
        "overlaps": bool(stored.previous_until and stored.previous_until > timezone.now()),
        "recent": [] if is_new else deliveries.order_by("-id")[:RECENT],
        **more,
    }
    return render(request, "integrations/callers/page.html", context, status=status)


def _unbound(row: TriggerCaller) -> CallerForm:
    chosen = [] if row._state.adding else [stack.pk for stack in row.stacks.all()]
    return CallerForm(instance=row, initial={"stacks": chosen})


def _place(row: TriggerCaller) -> str:
    return reverse("caller", args=[row.receiver_id, row.pk])
