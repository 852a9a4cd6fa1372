"""The page that shows what the containers of a service wrote."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from django.http import HttpResponse
from django.shortcuts import get_object_or_404, render
from django.views.decorators.http import require_safe

from checks.container_logs.lines import BadSince, Since, logs_of
from checks.discovery.projects import EngineUnavailable
from checks.models import Service
from dockrev.pages import PageRequest, given
from dockrev.permissions import Role, requires

TAILS = (100, 200, 500, 2000)
TAIL = 200
# A page that is followed for long begins anew, before the browser gets slow.
MOST_SHOWN = 5000


@require_safe
@requires(Role.OPERATOR)
def show_logs(request: PageRequest, stack_id: str, service_id: str) -> HttpResponse:
    """The last lines; for htmx, those after the ones that the reader has."""
    services = Service.objects.select_related("stack__host")
    service = get_object_or_404(services, pk=service_id, stack_id=stack_id)
    shown = _shown(request)
    if shown > MOST_SHOWN:
        return HttpResponse(headers={"HX-Refresh": "true"})
    template = "container_log_lines.html" if request.htmx else "container_logs.html"
    return render(request, f"checks/{template}", _context(request, service, shown))


def _shown(request: PageRequest) -> int:
    """How many lines the reader has."""
    given_as = given(request.GET, "shown") if request.htmx else ""
    return int(given_as) if given_as.isdecimal() and len(given_as) < 9 else 0


def _since(request: PageRequest) -> str:
    text = given(request.GET, "since") if request.htmx else ""
    try:
        Since.read(text)
    except BadSince:
        return ""
    return text


def _context(request: PageRequest, service: Service, shown: int) -> dict[str, Any]:
    asked, since = given(request.GET, "tail"), _since(request)
    tail = int(asked) if asked in map(str, TAILS) else TAIL
    container = given(request.GET, "container")
    context: dict[str, Any] = {
        "service": service,
        "tails": TAILS,
        "tail": tail,
        "container": container,
        "follows": request.GET.get("follow") != "no",
    }
    try:
        logs = logs_of(service, tail=tail, since=Since.read(since), container=container)
    except EngineUnavailable as error:
        context["trouble"] = error
    else:
        context["logs"] = logs
        since, shown = logs.since or since, shown + len(logs.lines)
    following = {"tail": tail, "container": container, "since": since, "shown": shown}
    return {**context, "shown": shown, "following": urlencode(following)}
