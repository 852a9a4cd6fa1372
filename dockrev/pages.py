"""What every page needs."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.http import HttpRequest

from dockrev.permissions import Role, role_of


def frame(request: HttpRequest) -> dict[str, Any]:
    """Context of the frame: who looks, what they may do, which version this is."""
    role = role_of(request.user) if hasattr(request, "user") else Role.NONE
    return {
        "version": settings.VERSION,
        "may_act": role >= Role.OPERATOR,
        "may_configure": role >= Role.ADMIN,
    }
