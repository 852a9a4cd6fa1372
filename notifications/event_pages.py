"""Settings, Events: which kinds of message there are, on or off for all, and in whose words."""

from __future__ import annotations

from typing import Any, NamedTuple

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods

from dockrev import switches
from dockrev.pages import PageRequest
from dockrev.permissions import Role, requires
from dockrev.sections import Section
from notifications import announce
from notifications.models import Channel, MessageTemplate
from notifications.template_form import TemplateForm


class Event(NamedTuple):
    """A kind of message. `channels` are on and hear of it; `template` is what people wrote."""

    kind: str
    word: str | Promise
    when: str | Promise
    is_on: bool
    channels: int
    template: MessageTemplate | None


@require_http_methods(["GET", "HEAD", "POST"])
@requires(Role.VIEWER, writes=Role.ADMIN)
def show_events(request: PageRequest) -> HttpResponse:
    if request.method == "POST":
        ticked = set(request.POST.getlist("on"))
        switches.change({kind: kind in ticked for kind in announce.EVENTS})
        messages.success(request, _("The events are saved."))
        return redirect("events")
    return render(request, "notifications/events.html", {"events": _events()})


@require_http_methods(["GET", "HEAD", "POST"])
@requires(Role.ADMIN)
def show_template(request: PageRequest, kind: str) -> HttpResponse:
    if kind not in announce.EVENTS:
        raise Http404
    row = MessageTemplate.objects.filter(pk=kind).first()
    act = request.POST.get("act", "")
    if act == "reset":
        MessageTemplate.objects.filter(pk=kind).delete()
        messages.success(request, _("Dockrev's own words are used again."))
        return redirect("event_template", kind)
    is_sent = request.method == "POST"
    form = TemplateForm(row or MessageTemplate(kind=kind), request.POST if is_sent else None)
    if not is_sent:
        form.show_initial()
    wants_it = act == "save"
    if form.is_valid() and wants_it:
        form.write(request.user.get_username())
        messages.success(request, _("The words are saved."))
        return redirect("event_template", kind)
    context = {
        "form": form,
        "row": row,
        "word": announce.EVENTS[kind],
        "when": announce.WHEN[kind],
        "refused": wants_it,
    }
    status = 422 if wants_it else 200
    return render(request, "notifications/template.html", context, status=status)


def _events() -> list[Event]:
    """Three queries."""
    on = switches.states()
    hear = list(Channel.objects.filter(enabled=True).values_list("events", flat=True))
    templates = MessageTemplate.objects.in_bulk()
    return [
        Event(
            kind,
            word,
            announce.WHEN[kind],
            on[kind],
            sum(kind in events for events in hear),
            templates.get(kind),
        )
        for kind, word in announce.EVENTS.items()
    ]


def _section(request: HttpRequest) -> dict[str, Any]:
    events = _events()
    return {
        "off": [each for each in events if not each.is_on],
        "own": sum(each.template is not None for each in events),
        "broken": [each for each in events if each.template and each.template.error],
        "count": len(events),
    }


SECTION = Section(
    slug="events",
    title=gettext_lazy("Events"),
    template="notifications/settings_events.html",
    load=_section,
    place=21,
)
