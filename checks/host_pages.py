"""Settings, Docker hosts: the section, the list, and the page of one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_safe

from checks import asking, host_trying, hosts
from checks.host_form import HostForm
from checks.models import Host
from dockrev.errors import ApiError
from dockrev.pages import PageRequest
from dockrev.permissions import Role, requires
from dockrev.sections import Section


@require_safe
@requires(Role.VIEWER)
def show_hosts(request: PageRequest) -> HttpResponse:
    known = hosts.look()
    rows = [(host, hosts.mark(host), hosts.word(host)) for host in known]
    context = {"rows": rows, "health": hosts.Health(known)}
    return render(request, "checks/hosts.html", context)


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@requires(Role.ADMIN)
def add_host(request: PageRequest) -> HttpResponse:
    return _show(request, Host(), {"save": _save, "try": _try})


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@requires(Role.ADMIN)
def show_host(request: PageRequest, host_id: str) -> HttpResponse:
    """The page of one, and what its own buttons do."""
    row = get_object_or_404(Host.objects.kept().counted(), pk=host_id)
    return _show(request, row, {"save": _save, "try": _try, "remove": _remove})


Act = Callable[[PageRequest, Host], HttpResponse]


def _show(request: PageRequest, row: Host, acts: dict[str, Act]) -> HttpResponse:
    if request.method != "POST":
        return _page(request, row, HostForm(instance=row))
    act = acts.get(request.POST.get("act", ""))
    return act(request, row) if act else redirect("docker_hosts")


def _save(request: PageRequest, row: Host) -> HttpResponse:
    form = HostForm(request.POST, instance=row)
    if not form.is_valid():
        return _page(request, row, form, status=422)
    try:
        form.write()
    except ApiError as error:
        form.add_error(None, error.message)
        return _page(request, row, form, status=409)
    asking.look_again(request.user.get_username())
    messages.success(request, _("%(name)s is saved, and looked at now.") % {"name": row.name})
    return redirect("docker_host", row.pk)


def _try(request: PageRequest, row: Host) -> HttpResponse:
    """What stands in the form is tried, and nothing of it is kept."""
    form = HostForm(request.POST, instance=row)
    if not form.is_valid():
        return _page(request, row, form, status=422)
    try:
        return _page(request, row, form, tried=host_trying.try_out(form.place()))
    except ApiError as error:
        messages.error(request, error.message)
        return redirect(request.get_full_path())


def _remove(request: PageRequest, row: Host) -> HttpResponse:
    name, services = row.name, request.POST.get("services", "")
    try:
        hosts.remove(row, services, timezone.now())
    except ApiError as error:
        messages.error(request, error.message)
        return redirect("docker_host", row.pk)
    messages.success(request, _("%(name)s is removed.") % {"name": name})
    return redirect("docker_hosts")


def _page(
    request: PageRequest, row: Host, form: HostForm, *, status: int = 200, **more: Any
) -> HttpResponse:
    stored = row if row._state.adding else Host.objects.counted().get(pk=row.pk)
    context = {
        "row": stored,
        "form": form,
        "is_kept": not stored._state.adding,
        "mark": hosts.mark(stored),
        "word": hosts.word(stored),
        "in_the_way": hosts.what_is_in_the_way(stored),
        "place": request.get_full_path(),
        **more,
    }
    return render(request, "checks/host.html", context, status=status)


def _state(request: HttpRequest) -> dict[str, Any]:
    return {"health": hosts.Health(hosts.look())}


SECTION = Section(
    slug="hosts",
    title=gettext_lazy("Docker hosts"),
    template="checks/settings_hosts.html",
    load=_state,
    place=25,
)
