"""What every page needs: the frame, and how an action answers."""

from __future__ import annotations

from typing import Any, NamedTuple, TypeVar

from django.conf import settings
from django.core.paginator import Page, Paginator
from django.db.models import Model, QuerySet
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import redirect
from django.utils.functional import Promise
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext_lazy as _
from django_htmx.middleware import HtmxDetails

from dockrev.permissions import Role, role_of

M = TypeVar("M", bound=Model)

PER_PAGE = 50
THEME_COOKIE = "dockrev_theme"
THEMES = {"light": _("Light"), "dark": _("Dark"), "system": _("As the system")}


class PageRequest(HttpRequest):
    """A request as the middleware leaves it."""

    htmx: HtmxDetails


class Entry(NamedTuple):
    """One of the four entries of the frame. `pages` are the pages that belong to it."""

    name: str
    label: str | Promise
    pages: frozenset[str]


_SETTINGS = frozenset(
    {
        "settings",
        "password",
        "github_packages",
        "hook_accounts",
        "hook_account",
        "add_hook_account",
        "channels",
        "new_channel",
        "add_channel",
        "channel",
        "test_channel",
        "channel_examples",
        "change_channels",
        "receivers",
        "receiver",
        "test_receiver",
        "explain_payload",
        "caller",
        "add_caller",
        "policy_for_all",
        "backup_settings",
        "docker_hosts",
        "docker_host",
        "add_docker_host",
        "registries",
        "registry",
        "add_registry",
        "ignores",
        "add_ignore",
        "ignore",
        "schedule",
        "notifications",
        "notification",
        "events",
        "event_template",
    }
)
_OVERVIEW = frozenset(
    {
        "overview",
        "service",
        "change_policy",
        "stack_policy",
        "history",
        "notes",
        "backups",
        "backup",
        "lifecycle_of_service",
        "lifecycle_of_stack",
        "logs",
        "update_service",
        "update_stack",
    }
)
NAVIGATION = (
    Entry("overview", _("Overview"), _OVERVIEW),
    Entry("queue", _("Queue"), frozenset({"queue", "job"})),
    Entry("deliveries", _("Deliveries"), frozenset({"deliveries", "delivery"})),
    Entry("settings", _("Settings"), _SETTINGS),
)


def frame(request: HttpRequest) -> dict[str, Any]:
    """Context of the frame: who looks, what they may do, where they are, in which colours."""
    role = role_of(request.user) if hasattr(request, "user") else Role.NONE
    match = request.resolver_match
    theme = request.COOKIES.get(THEME_COOKIE, "")
    return {
        "version": settings.VERSION,
        "may_look": role >= Role.VIEWER,
        "may_act": role >= Role.OPERATOR,
        "may_configure": role >= Role.ADMIN,
        "navigation": NAVIGATION,
        "page_name": match.url_name if match else "",
        "theme": theme if theme in THEMES else "system",
    }


def acted(request: PageRequest, back: str) -> HttpResponse:
    """Answer an action. htmx then looks again at what it shows; a plain form goes back."""
    if request.htmx:
        return HttpResponse(status=204, headers={"HX-Trigger": "changed"})
    came_from = request.POST.get("next", "")
    if url_has_allowed_host_and_scheme(came_from, allowed_hosts={request.get_host()}):
        return redirect(came_from)
    return redirect(back)


def given(values: QueryDict, name: str) -> str:
    """What came under a name, if anything. PostgreSQL takes no NUL, and nobody types one."""
    return values.get(name, "").replace("\0", "")


def words_of(request: HttpRequest) -> str:
    """What somebody searches for."""
    return given(request.GET, "q").strip()[:200]


def page_of(request: HttpRequest, rows: QuerySet[M]) -> Page[M]:
    """The page that the address asks for; one that is not there is the nearest that is."""
    return Paginator(rows, PER_PAGE).get_page(request.GET.get("page"))
