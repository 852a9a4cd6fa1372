"""Where registries call us."""

from __future__ import annotations

from django.core.exceptions import ValidationError
from django.http import HttpRequest
from rest_framework.request import Request

from dockrev import preferences
from integrations.endpoints import check_endpoint
from integrations.models import HookAccount


def url_of(kind: str, base: str) -> str:
    """Where the receivers of a kind are called, below a base URL without a slash at its end."""
    return f"{base}/api/webhooks/{kind}"


def base_url(request: Request | HttpRequest) -> str:
    """The public base URL, else where this request came to; without a slash at the end."""
    public = preferences.get("public_base_url")
    return (public or f"{request.scheme}://{request.get_host()}").rstrip("/")


def callback_of(account: HookAccount) -> str:
    """Where an account's hooks call: as it was set, else by the public URL; empty if there is none.

    Needs the account's receiver, and asks for a setting.
    """
    base = preferences.get("public_base_url").rstrip("/")
    return account.callback_url or default_callback(account.receiver.kind, base)


def default_callback(kind: str, base: str) -> str:
    """The callback URL below a base URL; empty where a provider would not take it."""
    try:
        return check_endpoint(url_of(kind, base)) if base else ""
    except ValidationError:
        return ""
