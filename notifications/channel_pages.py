"""Settings, Notification channels: the section, the list, and the pages of one."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.contrib import messages as notes
from django.db.models import QuerySet
from django.db.models.functions import Lower
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from dockrev.errors import RateLimited
from dockrev.pages import PER_PAGE, PageRequest, given, page_of
from dockrev.permissions import Role, requires
from dockrev.sections import Section
from notifications import (
    announce,
    configuration,
    example_messages,
    messages,
    outcomes,
    several,
    trying,
)
from notifications.channel_editor import Editor
from notifications.channel_list import Listed, listed
from notifications.channels import TRANSPORTS
from notifications.forms import stored_config
from notifications.models import Channel, Notification

SHORT = 5  # channels that the settings page names


@require_safe
@requires(Role.VIEWER)
def show_channels(request: PageRequest) -> HttpResponse:
    page = page_of(request, _known())
    context = {"page": page, "channels": listed(page.object_list), "kinds": TRANSPORTS.values()}
    return render(request, "notifications/channels.html", context)


@require_safe
@requires(Role.ADMIN)
def choose_kind(request: PageRequest) -> HttpResponse:
    return render(request, "notifications/new_channel.html", {"kinds": TRANSPORTS.values()})


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@requires(Role.ADMIN)
def add_channel(request: PageRequest, kind: str) -> HttpResponse:
    if kind not in TRANSPORTS:
        raise Http404
    row = Channel(kind=kind)
    row.events = announce.first_events(one_image_each=row.takes_one_image)
    return _edit(request, row)


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@requires(Role.ADMIN)
def show_channel(request: PageRequest, channel_id: str) -> HttpResponse:
    return _edit(request, _find(channel_id))


@never_cache
@require_POST
@requires(Role.ADMIN)
def test_channel(request: PageRequest, channel_id: str) -> HttpResponse:
    """Not redirected: what came of it is kept nowhere."""
    row = _find(channel_id)
    kind = given(request.POST, "kind")
    if kind and kind not in announce.EVENTS:
        raise Http404
    try:
        tried: Any = trying.try_out(row, kind or messages.TEST)
    except RateLimited as error:
        tried = {"limited": error.message}
    if kind:
        return _examples(request, row, kind, tried=tried)
    return _page(request, Editor(row), tried=tried)


@require_safe
@requires(Role.ADMIN)
def show_examples(request: PageRequest, channel_id: str) -> HttpResponse:
    row = _find(channel_id)
    first = next(iter(row.events), announce.NEW_VERSION)
    kind = given(request.GET, "kind")
    return _examples(request, row, kind if kind in announce.EVENTS else first)


@never_cache
@require_POST
@requires(Role.ADMIN)
def change_channels(request: PageRequest) -> HttpResponse:
    """Switch those that are ticked, or delete them; that is asked about first."""
    ids = [each.replace("\0", "") for each in request.POST.getlist("channel")[:PER_PAGE]]
    chosen = list(_known().filter(pk__in=ids))
    act = given(request.POST, "act")
    if not chosen or act not in several.ACTIONS:
        notes.error(request, _("Tick the channels first."))
    elif act == "delete" and request.POST.get("sure") != "yes":
        return _ask(request, chosen)
    else:
        done = several.ACTIONS[act]([row.pk for row in chosen])
        notes.success(request, _done(act, chosen, done))
    return redirect("channels")


def _edit(request: PageRequest, row: Channel) -> HttpResponse:
    variant = given(request.GET, "service")
    if request.method != "POST":
        return _page(request, Editor(row, variant=variant))
    editor = Editor(row, request.POST, variant=variant)
    if not editor.is_valid:
        return _page(request, editor, status=422)
    is_new = row._state.adding
    editor.save()
    text = _("%(name)s is saved. Send it a test.") if is_new else _("%(name)s is saved.")
    notes.success(request, text % {"name": row.name})
    return redirect("channel", row.pk)


def _page(request: PageRequest, editor: Editor, *, status: int = 200, **more: Any) -> HttpResponse:
    """A form that was refused has changed the object, so that what is stored is read again."""
    row = editor.row
    context = {
        "editor": editor,
        "form": editor.form,
        "transport": editor.transport,
        "time_zone": settings.TIME_ZONE,
        **more,
    }
    if not row._state.adding:
        stored = _find(row.pk) if editor.form.is_bound else row
        context |= {
            "channel": stored,
            "listed": listed([stored])[0],
            "last": outcomes.of(stored),
        }
    return render(request, "notifications/channel.html", context, status=status)


def _examples(request: PageRequest, row: Channel, kind: str, **more: Any) -> HttpResponse:
    config = configuration.masked(row.kind, stored_config(row))
    only = announce.OF_IMAGES if row.takes_one_image else set(announce.EVENTS)
    context = {
        "channel": row,
        "kind": kind,
        "word": announce.EVENTS[kind],
        "kinds": [(each, word) for each, word in announce.EVENTS.items() if each in only],
        "shown": example_messages.shown(kind, row, config),
        **more,
    }
    return render(request, "notifications/examples.html", context)


def _ask(request: PageRequest, chosen: list[Channel]) -> HttpResponse:
    own = Notification.objects.filter(channel__in=chosen)
    context = {
        "channels": listed(chosen),
        "written": own.count(),
        "waiting": own.exclude(next_attempt_at=None).count(),
    }
    return render(request, "notifications/delete_channels.html", context)


def _done(act: str, chosen: list[Channel], count: int) -> str:
    if count == 1:
        texts = {
            "enable": _("%(name)s is on."),
            "disable": _("%(name)s is off."),
            "delete": _("%(name)s is deleted."),
        }
        return texts[act] % {"name": chosen[0].name}
    texts = {
        "enable": ngettext("%(count)d channel is on.", "%(count)d channels are on.", count),
        "disable": ngettext("%(count)d channel is off.", "%(count)d channels are off.", count),
        "delete": ngettext(
            "%(count)d channel is deleted.", "%(count)d channels are deleted.", count
        ),
    }
    return texts[act] % {"count": count}


def _known() -> QuerySet[Channel]:
    known = Channel.objects.filter(kind__in=list(TRANSPORTS)).defer("config")
    return known.order_by(Lower("name"), "pk")


def _find(channel_id: str) -> Channel:
    return get_object_or_404(_known(), pk=channel_id)


def _state(request: HttpRequest) -> dict[str, Any]:
    """The channels and how they are, without what they are configured with."""
    rows: list[Listed] = listed(_known())
    return {"channels": rows[:SHORT], "more": len(rows) - SHORT}


SECTION = Section(
    slug="channels",
    title=gettext_lazy("Notification channels"),
    template="notifications/settings_channels.html",
    load=_state,
    place=20,
)
