"""Settings, Old images: what removes them, a look at which would go, and a button."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_POST

from checks.models import Job
from checks.pruning import job
from checks.results import Results
from dockrev.models import Schedule
from dockrev.pages import PageRequest
from dockrev.permissions import Role, requires
from dockrev.sections import Section


@require_POST
@requires(Role.ADMIN)
def prune(request: PageRequest) -> HttpResponse:
    """Anything but a clear word only looks."""
    mode = job.APPLY if request.POST.get("mode") == job.APPLY else job.DRY_RUN
    return redirect("job", job.ask(mode, request.user.get_username()).job_id)


def _shown(request: HttpRequest, of: Job) -> dict[str, Any]:
    images = of.summary.get("images", ())
    return {
        "going": [each for each in images if each["outcome"] != "stays"],
        "staying": [each for each in images if each["outcome"] == "stays"],
        "is_dry_run": of.params["mode"] == job.DRY_RUN,
    }


RESULTS = Results("checks/prune_results.html", _shown)


def _state(request: HttpRequest) -> dict[str, Any]:
    return {"schedule": Schedule.objects.filter(name=job.KIND.name).first()}


SECTION = Section(
    slug="old-images",
    title=_("Old images"),
    template="checks/settings_pruning.html",
    load=_state,
    place=65,
)
