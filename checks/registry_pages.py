"""Settings, Registries: the section, the list, and the page of one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_safe

from checks import registries, trying
from checks.models import Registry
from checks.registry.presets import PRESETS
from checks.registry.reference import is_host_name, normal_host
from checks.registry_form import RegistryForm
from checks.registry_links import LINKS
from dockrev.errors import ApiError
from dockrev.fields import UnreadableSecret
from dockrev.pages import PER_PAGE, PageRequest
from dockrev.permissions import Role, requires
from dockrev.sections import Section


@require_safe
@requires(Role.VIEWER)
def show_registries(request: PageRequest) -> HttpResponse:
    known = registries.look()
    context = {
        "health": registries.Health(known),
        "page": Paginator(known, PER_PAGE).get_page(request.GET.get("page")),
        "links": LINKS,
    }
    return render(request, "checks/registries.html", context)


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@requires(Role.ADMIN)
def add_registry(request: PageRequest) -> HttpResponse:
    """A new entry. The host may be one that services use already, and can be tested as it is."""
    host = normal_host(request.GET.get("host", "").strip())
    host = host if is_host_name(host) else ""
    known = Registry.objects.filter(host=host).only("pk").first() if host else None
    if known is not None:
        return redirect("registry", known.pk)
    return _show(request, Registry(host=host), {"save": _save, "test": _test})


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@requires(Role.ADMIN)
def show_registry(request: PageRequest, registry_id: str) -> HttpResponse:
    """The page of one, and what its own buttons do."""
    row = get_object_or_404(Registry.objects.defer("password"), pk=registry_id)
    return _show(request, row, {"save": _save, "test": _test, "remove": _remove})


Act = Callable[[PageRequest, Registry], HttpResponse]


def _show(request: PageRequest, row: Registry, acts: dict[str, Act]) -> HttpResponse:
    if request.method != "POST":
        return _page(request, row)
    act = acts.get(request.POST.get("act", ""))
    return act(request, row) if act else redirect("registries")


def _save(request: PageRequest, row: Registry) -> HttpResponse:
    form = RegistryForm(request.POST, instance=row)
    if not form.is_valid():
        return _page(request, row, form=form, status=422)
    try:
        form.write()
    except ApiError as error:
        form.add_error(None, error.message)
        return _page(request, row, form=form, status=409)
    messages.success(request, _("%(host)s is saved. Test it.") % {"host": row.host})
    return redirect("registry", row.pk)


def _test(request: PageRequest, row: Registry) -> HttpResponse:
    """What is kept is tested, not what stands in the form."""
    if row._state.adding and not registries.look_at(row.host, None).services:
        raise Http404
    try:
        return _page(request, row, tried=trying.try_out(row.host))
    except (ApiError, UnreadableSecret) as error:
        messages.error(request, str(error))
        return redirect(request.get_full_path())


def _remove(request: PageRequest, row: Registry) -> HttpResponse:
    host = row.host
    row.delete()
    messages.success(request, _("What was entered for %(host)s is removed.") % {"host": host})
    return redirect("registries")


def _page(
    request: PageRequest,
    row: Registry,
    *,
    form: RegistryForm | None = None,
    status: int = 200,
    **more: Any,
) -> HttpResponse:
    stored = row if row._state.adding else Registry.objects.defer("password").get(pk=row.pk)
    known = registries.look_at(stored.host, None if row._state.adding else stored)
    context = {
        "known": known,
        "row": stored,
        "form": form or RegistryForm(instance=stored),
        "place": request.get_full_path(),
        "fitting": next((each for each in PRESETS if each.is_for(stored.host)), None),
        "presets": PRESETS,
        "may_test": known.is_kept or bool(known.services),
        **more,
    }
    return render(request, "checks/registry.html", context, status=status)


def _state(request: HttpRequest) -> dict[str, Any]:
    return {"health": registries.Health(registries.look()), "links": LINKS}


SECTION = Section(
    slug="registries",
    title=gettext_lazy("Registries"),
    template="checks/settings_registries.html",
    load=_state,
    place=30,
)
