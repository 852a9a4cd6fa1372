"""Who calls: a bearer of a token, a person named by a trusted proxy, or one with a session."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from django.utils import timezone
from rest_framework import authentication
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request

from dockrev.models import ApiToken, hash_token

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
            raise AuthenticationFailed("This API token is unknown, expired or switched off.")
        if row.last_used_at is None or row.last_used_at < now - USED_EVERY:
            ApiToken.objects.filter(pk=row.pk).update(last_used_at=now)
        return row.user, row

    def authenticate_header(self, request: Request) -> str:
        return "Bearer"


class SessionAuthentication(authentication.SessionAuthentication):
    """Django's session, with CSRF for everything that changes something."""


def client_address(environ: Mapping[str, Any]) -> str:
    """The address that a request came from."""
    return str(environ.get("REMOTE_ADDR", ""))
