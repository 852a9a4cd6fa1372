"""Settings, Schedules: what a clock starts, when, and starting it now."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods, require_POST

from dockrev import schedules
from dockrev.models import Schedule
from dockrev.pages import PageRequest
from dockrev.permissions import Role, requires
from dockrev.schedule_form import ScheduleForm
from dockrev.sections import Section


@require_http_methods(["GET", "HEAD", "POST"])
@requires(Role.VIEWER, writes=Role.ADMIN)
def show_schedule(request: PageRequest, name: str) -> HttpResponse:
    row = _schedule(name)
    if request.method != "POST":
        return _page(request, ScheduleForm(instance=row))
    form = ScheduleForm(request.POST, instance=row)
    wants_it = request.POST.get("act") == "save"
    if wants_it and form.is_valid():
        form.write()
        words = _("The schedule is saved: %(title)s.") % {"title": schedules.title_of(name)}
        messages.success(request, words)
        return redirect(reverse("settings") + "#schedules")
    return _page(request, form, refused=wants_it, status=422 if wants_it else 200)


@require_POST
@requires(Role.ADMIN)
def run_schedule(request: PageRequest, name: str) -> HttpResponse:
    schedules.run_now(_schedule(name), timezone.now())
    words = _("Started: %(title)s.") % {"title": schedules.title_of(name)}
    messages.success(request, words)
    return redirect(reverse("settings") + "#schedules")


def _schedule(name: str) -> Schedule:
    row = Schedule.objects.filter(pk=name).first() if name in schedules.DEFAULTS else None
    if row is None:
        raise Http404
    return row


def _page(
    request: PageRequest, form: ScheduleForm, *, status: int = 200, **more: Any
) -> HttpResponse:
    row = form.instance
    context = {
        "form": form,
        "schedule": row,
        "title": schedules.title_of(row.name),
        "default": schedules.DEFAULTS[row.name],
        "coming": form.coming(),
        "time_zone": settings.TIME_ZONE,
        **more,
    }
    return render(request, "dockrev/schedule.html", context, status=status)


def _section(request: HttpRequest) -> dict[str, Any]:
    rows = [row for row in Schedule.objects.all() if row.name in schedules.DEFAULTS]
    titled = [(row, schedules.title_of(row.name)) for row in rows]
    return {"schedules": titled, "time_zone": settings.TIME_ZONE}


SECTION = Section(
    slug="schedules",
    title=gettext_lazy("Schedules"),
    template="dockrev/settings_schedules.html",
    load=_section,
    place=60,
)
