"""What a browser needs to be pushed to: the part of the settings, and the service worker."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.template.loader import render_to_string
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_POST, require_safe

from dockrev.pages import PageRequest, acted
from dockrev.permissions import Role, requires
from dockrev.sections import Section
from notifications import push_keys, push_subscribing
from notifications.models import Channel

SHOWN = 50  # browsers of one's own, at most


def browser_state(request: HttpRequest) -> dict[str, Any]:
    """The channels that a browser can subscribe to, and one's own that did."""
    channels = push_subscribing.channels()
    keys = {channel.id: channel.public_key for channel in channels}
    own = push_subscribing.of(request.user).select_related("channel").defer("channel__config")
    return {
        "channels": channels,
        "rows": [(row, keys.get(row.channel_id) == row.server_key) for row in own[:SHOWN]],
    }


@require_safe
@requires(Role.VIEWER)
def show_browsers(request: PageRequest) -> HttpResponse:
    """The list alone, for when it has changed. Whoever comes here by its address sees the page."""
    if not request.htmx:
        return redirect("settings")
    return render(request, "notifications/push_browsers.html", {"state": browser_state(request)})


@require_POST
@requires(Role.VIEWER)
def remove_browser(request: PageRequest, subscription_id: str) -> HttpResponse:
    get_object_or_404(push_subscribing.visible_to(request.user), pk=subscription_id).delete()
    return acted(request, "settings")


@require_POST
@requires(Role.ADMIN)
def make_keys(request: PageRequest, channel_id: str) -> HttpResponse:
    """Give a channel new keys. What subscribed with the old ones is of no use any more."""
    channel = get_object_or_404(Channel, pk=channel_id, kind=push_subscribing.KIND)
    push_subscribing.give_new_keys(channel, push_keys.generated())
    messages.success(request, _("The channel has new keys. Each browser has to subscribe again."))
    return acted(request, "settings")


@login_not_required
@require_safe
def service_worker(request: HttpRequest) -> HttpResponse:
    """The same for all, signed in or not. A browser looks again whether it has changed."""
    script = render_to_string("notifications/sw.js")
    return HttpResponse(
        script, content_type="text/javascript; charset=utf-8", headers={"Cache-Control": "no-cache"}
    )


SECTION = Section(
    slug="this-browser",
    title=gettext_lazy("This browser"),
    template="notifications/settings_browser.html",
    load=browser_state,
    place=22,
)
