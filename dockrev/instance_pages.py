"""Settings, This Dockrev: what is about the instance as a whole."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods

from dockrev import preferences
from dockrev.instance_form import InstanceForm
from dockrev.pages import PageRequest
from dockrev.permissions import Role, requires
from dockrev.sections import Section


@require_http_methods(["GET", "HEAD", "POST"])
@requires(Role.ADMIN)
def show_instance(request: PageRequest) -> HttpResponse:
    form = InstanceForm(request.POST if request.method == "POST" else None)
    if form.is_valid():
        form.write()
        messages.success(request, _("The settings of this Dockrev are saved."))
        return redirect(reverse("settings") + "#instance")
    status = 422 if form.is_bound else 200
    return render(request, "dockrev/instance.html", {"form": form}, status=status)


def _section(request: HttpRequest) -> dict[str, Any]:
    known = preferences.load()
    return {"known": known, "language": dict(settings.LANGUAGES).get(known.language)}


SECTION = Section(
    slug="instance",
    title=gettext_lazy("This Dockrev"),
    template="dockrev/settings_instance.html",
    load=_section,
    place=5,
)
