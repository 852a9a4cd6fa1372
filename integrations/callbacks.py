"""Where registries call us."""

from __future__ import annotations

from django.core.exceptions import ValidationError
from django.http import HttpRequest
from rest_framework.request import Request

from dockrev import preferences
from dockrev.fields import HIDDEN
from integrations.endpoints import check_endpoint
from integrations.models import HookAccount, Receiver
from integrations.paths import PREFIX
from integrations.receivers import CALLERS
from integrations.receivers.github import GitHubPackages


def url_of(kind: str, base: str) -> str:
    """Where the receivers of a kind are called, below a base URL without a slash at its end.

    Where the path ends in a token, that is not all: see `whole_url` and `shown_url`.
    """
    return f"{base}{PREFIX}{kind}"


def whole_url(receiver: Receiver, base: str) -> str:
    """Where a receiver is called. It holds the secret of those with a token in their path."""
    return with_token(receiver, url_of(receiver.kind, base))


def shown_url(receiver: Receiver, base: str) -> str:
    """Where a receiver is called, without its token."""
    url = url_of(receiver.kind, base)
    return f"{url}/{HIDDEN}" if CALLERS[receiver.kind].token_in_path else url


def with_token(receiver: Receiver, url: str) -> str:
    """The URL with the receiver's token behind it, if it has one in its path."""
    has_token = CALLERS[receiver.kind].token_in_path and receiver.secret
    return f"{url}/{receiver.secret}" if has_token else url


def base_url(request: Request | HttpRequest) -> str:
    """The public base URL, else where this request came to; without a slash at the end."""
    public = preferences.get("public_base_url")
    return (public or f"{request.scheme}://{request.get_host()}").rstrip("/")


def callback_of(account: HookAccount) -> str:
    """Where an account's hooks call; empty if there is no such URL.

    It holds the secret of receivers with a token in their path. Needs the account's receiver, and
    asks for a setting.
    """
    url = place_of(account)
    return with_token(account.receiver, url) if url else ""


def shown_callback(account: HookAccount, base: str | None = None) -> str:
    """The same, without its token; with the public URL given, no setting is asked for."""
    url = place_of(account, base)
    return f"{url}/{HIDDEN}" if url and CALLERS[account.receiver.kind].token_in_path else url


def place_of(account: HookAccount, base: str | None = None) -> str:
    """Where an account's hooks call, as it was set, else by the public URL; without a token."""
    base = preferences.get("public_base_url") if base is None else base
    return account.callback_url or default_callback(account.receiver.kind, base.rstrip("/"))


def default_callback(kind: str, base: str) -> str:
    """The callback URL below a base URL; empty where a provider would not take it.

    GitHub wants https; others may be on the same network.
    """
    url, may_be_plain = url_of(kind, base), kind != GitHubPackages.kind
    try:
        return check_endpoint(url, may_be_plain=may_be_plain) if base else ""
    except ValidationError:
        return ""
