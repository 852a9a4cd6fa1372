"""Django's admin, for the role admin, behind the sign-in page that everybody uses."""

from __future__ import annotations

from typing import Any

from django.contrib.admin import AdminSite
from django.contrib.auth.decorators import login_not_required
from django.contrib.auth.views import redirect_to_login
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.decorators import method_decorator
from django.utils.translation import gettext_lazy as _

from dockrev.permissions import Role, requires, role_of


class Site(AdminSite):
    site_header = _("Dockrev")
    site_title = _("Dockrev")
    index_title = _("Back room")

    def has_permission(self, request: HttpRequest) -> bool:
        return role_of(request.user) >= Role.ADMIN

    def admin_view(self, view: Any, cacheable: bool = False) -> Any:
        """Turn away at once who is signed in and may not come here; signing in again is no use."""
        return requires(Role.ADMIN)(super().admin_view(view, cacheable))

    @method_decorator(login_not_required)
    def login(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Send strangers to the sign-in page."""
        if not request.user.is_authenticated:
            return redirect_to_login(request.GET.get("next") or reverse("admin:index"))
        if not self.has_permission(request):
            raise PermissionDenied
        return redirect("admin:index")
