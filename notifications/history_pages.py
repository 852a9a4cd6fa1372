"""The pages of what was sent, and of what waits."""

from __future__ import annotations

import json
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from dockrev.pages import PageRequest, given, page_of, words_of
from dockrev.permissions import Role, requires
from notifications import history, outbox
from notifications.models import Notification


@require_safe
@requires(Role.VIEWER)
def show_notifications(request: PageRequest) -> HttpResponse:
    looked = history.look(
        history.Wanted(
            show=given(request.GET, "show"),
            channel=given(request.GET, "channel"),
            kind=given(request.GET, "kind"),
            words=words_of(request),
        )
    )
    page = page_of(request, looked.rows)
    shown = [(row, history.label(row.kind), history.comes(row)) for row in page]
    context = {"looked": looked, "page": page, "shown": shown}
    return render(request, "notifications/history.html", context)


@require_safe
@requires(Role.VIEWER)
def show_notification(request: PageRequest, notification_id: str) -> HttpResponse:
    rows = Notification.objects.select_related("channel").defer("channel__config")
    row = get_object_or_404(rows, pk=notification_id)
    context = {
        "row": row,
        "kind": history.label(row.kind),
        "comes": history.comes(row),
        "tries": list(row.tries.order_by("-number")[: history.MOST_TRIES]),
        **_said(row.said),
    }
    return render(request, "notifications/notification.html", context)


@require_POST
@requires(Role.ADMIN)
def send_again(request: HttpRequest, notification_id: str) -> HttpResponse:
    row = get_object_or_404(
        Notification.objects.select_related("channel").defer("channel__config"), pk=notification_id
    )
    if outbox.send_again(row.pk, timezone.now()):
        words = _("It is sent to %(channel)s once more, under the same id.")
        messages.success(request, words % {"channel": row.channel.name})
    elif row.channel.enabled:
        messages.warning(request, _("It is on its way already."))
    else:
        words = _("%(channel)s is off. Switch it on, then send this again.")
        messages.warning(request, words % {"channel": row.channel.name})
    return redirect("notification", notification_id)


def _said(payload: dict[str, Any] | None) -> dict[str, Any]:
    """What people read of a payload, and the payload."""
    if payload is None:
        return {}
    human = payload.get("human", {})
    return {
        "text": human.get("detail") or human.get("summary", ""),
        "url": payload.get("links", {}).get("primaryUrl", ""),
        "log": "\n".join(payload.get("log", ())),
        "payload": json.dumps(payload, indent=2, ensure_ascii=False),
    }
