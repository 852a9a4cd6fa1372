"""Pages of the policies that are for more than one service, and their section of the settings."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods

from checks import policies
from checks.models import Stack
from checks.policies import Level
from checks.policy_form import PolicyForm
from dockrev.pages import PageRequest
from dockrev.permissions import Role, requires, role_of
from dockrev.sections import Section


@require_http_methods(["GET", "HEAD", "POST"])
@requires(Role.VIEWER, writes=Role.OPERATOR)
def show_stack_policy(request: PageRequest, stack_id: str) -> HttpResponse:
    """What holds in a stack; operators say it."""
    stack = get_object_or_404(Stack.objects.select_related("host"), pk=stack_id)
    return _page(request, policies.of_stack(stack), Role.OPERATOR)


@require_http_methods(["GET", "HEAD", "POST"])
@requires(Role.VIEWER, writes=Role.ADMIN)
def show_policy_for_all(request: PageRequest) -> HttpResponse:
    """What holds everywhere; admins say it."""
    return _page(request, policies.of_all(), Role.ADMIN)


def _page(request: PageRequest, level: Level, writes: Role) -> HttpResponse:
    """Show a policy, or keep one; where it cannot be read, what was typed comes back."""
    form = PolicyForm(level, request.POST if request.method == "POST" else None)
    if form.is_valid():
        form.write(request.user.get_username())
        messages.success(request, _("The policy is saved."))
        return redirect(request.path)
    reached, services = policies.reach(level)
    context = {
        "stack": level.row,
        "form": form,
        "rows": form.rows(reached),
        "services": services,
        "may_say": role_of(request.user) >= writes,
    }
    return render(request, "checks/policy.html", context)


def _said_for_all(request: HttpRequest) -> dict[str, Any]:
    rows = PolicyForm(policies.of_all()).rows()
    return {"rows": [row for row in rows if row.own is not None]}


SECTION = Section(
    slug="policy",
    title=gettext_lazy("Policy for all services"),
    template="checks/settings_policy.html",
    load=_said_for_all,
    place=40,
)
