"""Roles: viewer reads, operator acts, admin configures. The same for pages, API and admin."""

from __future__ import annotations

from collections.abc import Callable
from enum import IntEnum
from functools import wraps
from typing import TYPE_CHECKING, Any

from django.contrib.auth.backends import BaseBackend
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponseBase
from rest_framework.permissions import BasePermission
from rest_framework.request import Request

if TYPE_CHECKING:
    # DRF's views load their default permissions, this module, while they are being loaded.
    from rest_framework.views import APIView


READING = frozenset({"GET", "HEAD", "OPTIONS"})


class Role(IntEnum):
    """Each may do what the ones before it may. The names are those of the groups."""

    NONE = 0
    VIEWER = 1
    OPERATOR = 2
    ADMIN = 3


def role_of(user: Any) -> Role:
    """The highest role among the person's groups; a superuser is an admin."""
    if not getattr(user, "is_active", False) or not user.is_authenticated:
        return Role.NONE
    if getattr(user, "is_superuser", False):
        return Role.ADMIN
    cached: Role | None = getattr(user, "_dockrev_role", None)
    if cached is None:
        names = {name.upper() for name in user.groups.values_list("name", flat=True)}
        cached = max((role for role in Role if role.name in names), default=Role.NONE)
        user._dockrev_role = cached
    return cached


def grant(user: Any, role: Role) -> None:
    """Let a person act in a role, too, for as long as this object lives."""
    user._dockrev_role = max(role_of(user), role)


class AdminsMayAll(BaseBackend):
    """Django's own permissions, which its admin asks for: the role admin has every one."""

    def has_perm(self, user_obj: Any, perm: str, obj: Any = None) -> bool:
        return role_of(user_obj) >= Role.ADMIN

    def has_module_perms(self, user_obj: Any, app_label: str) -> bool:
        return role_of(user_obj) >= Role.ADMIN


class ByRole(BasePermission):
    """A view names the role for reading in `reads` and for everything else in `writes`.

    A view that names none may be read by viewers and changed by admins.
    """

    def has_permission(self, request: Request, view: APIView) -> bool:
        if request.method in READING:
            needed: Role = getattr(view, "reads", Role.VIEWER)
        else:
            needed = getattr(view, "writes", Role.ADMIN)
        return role_of(request.user) >= needed


View = Callable[..., HttpResponseBase]


def requires(role: Role, *, writes: Role | None = None) -> Callable[[View], View]:
    """Let only this role and higher ones see a page; where `writes` is given, send it forms too."""

    def decorate(view: View) -> View:
        @wraps(view)
        def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
            needed = role if writes is None or request.method in READING else writes
            if role_of(request.user) < needed:
                raise PermissionDenied
            return view(request, *args, **kwargs)

        return guarded

    return decorate
