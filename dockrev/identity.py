"""Who calls: a bearer of a token, a person named by a trusted proxy, or one with a session."""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from typing import Any

from django.contrib.auth import get_user_model
from django.contrib.auth.hashers import make_password
from django.contrib.auth.models import AnonymousUser
from django.core.exceptions import ValidationError
from django.db import OperationalError
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.functional import SimpleLazyObject
from django.utils.translation import gettext
from rest_framework import authentication
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request

from dockrev.errors import CsrfFailed
from dockrev.models import ApiToken, hash_token
from dockrev.permissions import Role, grant
from dockrev.proxies import forwarded_groups, forwarded_name

logger = logging.getLogger(__name__)
User = get_user_model()
USED_EVERY = timedelta(minutes=1)  # how often "last used" is written


class BearerAuthentication(authentication.BaseAuthentication):
    """`Authorization: Bearer <API token>`."""

    def authenticate(self, request: Request) -> tuple[Any, ApiToken] | None:
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() != "bearer":
            return None
        row = (
            ApiToken.objects.select_related("user").filter(token_hash=hash_token(token.strip()))
        ).first()
        now = timezone.now()
        if row is None or not row.user.is_active or (row.expires_at and row.expires_at <= now):
            raise AuthenticationFailed(
                gettext("This API token is unknown, expired or switched off.")
            )
        if row.last_used_at is None or row.last_used_at < now - USED_EVERY:
            # A note of use is not worth refusing a call for while the database is busy.
            with suppress(OperationalError):
                ApiToken.objects.filter(pk=row.pk).update(last_used_at=now)
        return row.user, row

    def authenticate_header(self, request: Request) -> str:
        return "Bearer"


class SessionAuthentication(authentication.SessionAuthentication):
    """Django's session, with CSRF for everything that changes something."""

    def enforce_csrf(self, request: Request) -> None:
        check = authentication.CSRFCheck(lambda _: HttpResponse())
        check.process_request(request)
        reason = check.process_view(request, None, (), {})  # type: ignore[arg-type]  # no view is called
        if reason:
            raise CsrfFailed


class ForwardedAuthentication(SessionAuthentication):
    """A person whom a trusted proxy names. The browser sends that proof by itself, as it does a
    session, so CSRF applies here too; programs use a token."""

    def authenticate(self, request: Request) -> tuple[Any, None] | None:
        if not forwarded_name(request.META):
            return None
        user = forwarded_user(request.META)
        if user is None:
            raise AuthenticationFailed(gettext("The proxy names nobody who may sign in here."))
        self.enforce_csrf(request)
        return user, None


class ForwardedIdentity:
    """Middleware that gives the pages the person whom a trusted proxy names, without a session."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if forwarded_name(request.META):
            request.user = SimpleLazyObject(  # type: ignore[assignment]  # stands for a user
                lambda: forwarded_user(request.META) or AnonymousUser()
            )
        return self.get_response(request)


def forwarded_user(environ: dict[str, Any]) -> Any:
    """The user whom a trusted proxy names, made without a role if new; None if there is none.

    Groups named viewer, operator and admin give that role, for this call and beside what the
    person was given here: whoever leaves such a group at the proxy has lost it at once.
    """
    user = _user_named(forwarded_name(environ))
    if user is None or not user.is_active:
        return None
    groups = forwarded_groups(environ)
    grant(user, max((role for role in Role if role.name.lower() in groups), default=Role.NONE))
    return user


def token_used(request: Request) -> bool:
    """Whether a program calls, rather than a person in a browser."""
    return isinstance(request.auth, ApiToken)


def _user_named(name: str) -> Any:
    if not name:
        return None
    try:
        User._meta.get_field("username").run_validators(name)
    except ValidationError:
        logger.warning("the proxy's user name cannot be used", extra={"length": len(name)})
        return None
    user, created = User.objects.get_or_create(
        username=name, defaults={"password": make_password(None)}
    )
    if created:
        logger.info("user made for a forwarded identity", extra={"user": user.pk})
    return user
