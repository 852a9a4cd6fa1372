"""What GitHub means by an answer that is no success.

Followed: "Troubleshooting the REST API", "Rate limits for the REST API" and "About authentication
with single sign-on" in GitHub's documentation.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urlsplit

from django.utils import timezone
from django.utils.translation import gettext as _

from dockrev.http import Response
from integrations.hooks.errors import (
    CredentialInvalid,
    NotSeen,
    ProviderError,
    RateLimited,
    Refused,
    Rejected,
    Unavailable,
)
from integrations.receivers.base import member

MAX_WORDS = 300
MAX_SSO_URL = 1000
MAX_SCOPES = 20
# What GitHub asks for where it says that it was asked too often, but not for how long to rest.
PAUSE = timedelta(minutes=1)
LONGEST_PAUSE = timedelta(hours=24)
_TOO_OFTEN = ("rate limit", "abuse")
# Refusals that concern the repository as it is, whatever the token may do.
_NOT_NOW = ("archived", "blocked", "suspended", "disabled")


def error_of(answer: Response, hidden: tuple[str, ...]) -> ProviderError:
    """The error that the answer stands for. What is `hidden` never appears in its text."""
    said = _words(answer, hidden)
    match answer.status:
        case 401:
            return CredentialInvalid(
                _("GitHub does not accept the token: it is wrong, has expired or was revoked.")
            )
        case 403 | 429:
            return _forbidden(answer, said)
        case 404 | 410:
            return NotSeen(
                _(
                    "GitHub shows nothing here: there is no such repository, the token cannot "
                    "see it, or it may not manage its webhooks."
                )
            )
        case 301 | 302 | 307 | 308:
            return Rejected(
                _("GitHub says that this repository was renamed or moved: add it by its new name.")
            )
        case status if 400 <= status < 500 and status != 408:
            return Rejected(_because(_("GitHub refuses this"), said, status))
        case status:
            return Unavailable(_because(_("GitHub cannot answer at the moment"), said, status))


def rest_until(headers: Mapping[str, str]) -> datetime | None:
    """When GitHub may be asked again, if it says so; by our clock.

    GitHub names a time of its own clock, which its Date tells: what counts is how long it is off.
    """
    now = timezone.now()
    if after := _number(headers.get("Retry-After", "")):
        return now + min(timedelta(seconds=after), LONGEST_PAUSE)
    if headers.get("X-RateLimit-Remaining", "").strip() != "0":
        return None
    reset = _number(headers.get("X-RateLimit-Reset", ""))
    if not reset:
        return now + PAUSE
    wait = timedelta(seconds=reset - (date_of(headers) or now).timestamp())
    return now + min(max(wait, timedelta(seconds=1)), LONGEST_PAUSE)


def date_of(headers: Mapping[str, str]) -> datetime | None:
    """The time by GitHub's clock, where it says so."""
    try:
        return in_our_time(parsedate_to_datetime(headers.get("Date", "")))
    except (ValueError, OverflowError):
        return None


def in_our_time(moment: datetime) -> datetime | None:
    """A moment of theirs in UTC; None for one that can be neither shown nor reckoned with."""
    return moment.astimezone(UTC) if moment.tzinfo and 1970 <= moment.year < 3000 else None


def sso_url(headers: Mapping[str, str], host: str) -> str:
    """Where a person authorises the token for an organisation; empty if it is no link of GitHub's.

    `host` is that of the API. It leads a person somewhere, so nothing else is taken.
    """
    _required, _semicolon, rest = headers.get("X-GitHub-SSO", "").partition(";")
    name, _equals, url = rest.strip().partition("=")
    if name != "url" or len(url) > MAX_SSO_URL or not url.isascii() or not url.isprintable():
        return ""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return ""
    known = {"github.com", host, host.removeprefix("api.")}
    ours = parts.hostname in known and not (parts.username or port)
    return url if parts.scheme == "https" and ours and not set(url) & set(" \"'<>\\") else ""


def _forbidden(answer: Response, said: str) -> ProviderError:
    headers, lower = answer.headers, said.lower()
    if headers.get("X-GitHub-SSO", "").startswith("required"):
        return Refused(
            _("The organisation demands single sign-on: authorise the token for it at GitHub."),
            "sso_required",
            sso_url=sso_url(headers, urlsplit(answer.url).hostname or ""),
        )
    until = rest_until(headers)
    if until is None and (answer.status == 429 or any(word in lower for word in _TOO_OFTEN)):
        until = timezone.now() + PAUSE
    if until is not None:
        return RateLimited(_("GitHub was asked too often and wants a rest."), until)
    if any(word in lower for word in _NOT_NOW):
        return Rejected(_because(_("GitHub refuses this"), said, answer.status))
    return Refused(
        _because(_("The token may not do this at GitHub"), said, answer.status),
        accepted_scopes=_accepted(headers),
    )


def _accepted(headers: Mapping[str, str]) -> tuple[str, ...]:
    """The scopes, or for a fine-grained token the permissions, of which one would do."""
    scopes = headers.get("X-Accepted-OAuth-Scopes", "").split(",")
    permissions = headers.get("X-Accepted-GitHub-Permissions", "").replace(";", ",").split(",")
    known = [name.strip() for name in (*scopes, *permissions)]
    return tuple(n for n in known if n and n.isprintable() and len(n) <= 100)[:MAX_SCOPES]


def _words(answer: Response, hidden: tuple[str, ...]) -> str:
    """GitHub's own words: those of its errors, else its message."""
    try:
        body = json.loads(answer.body)
    except (ValueError, RecursionError):
        return ""
    errors = member(body, "errors")
    each = [_one(error) for error in errors[:10]] if isinstance(errors, list) else []
    message = member(body, "message")
    said = "; ".join(filter(None, each)) or (message if isinstance(message, str) else "")
    return clean(said, hidden)


def clean(words: str, hidden: tuple[str, ...] = (), *, limit: int = MAX_WORDS) -> str:
    """Words of theirs as they may be shown: printable, cut, and without what is hidden."""
    for secret in filter(None, hidden):
        words = words.replace(secret, "••••")
    printable = "".join(char if char.isprintable() else " " for char in words[: limit * 4])
    shown = " ".join(printable.split())
    return shown if len(shown) <= limit else f"{shown[: limit - 1]}…"


def _one(error: Any) -> str:
    """An entry of `errors`: words, or a resource's field and what is wrong with it."""
    if isinstance(error, str):
        return error
    if isinstance(said := member(error, "message"), str):
        return said
    parts = [member(error, name) for name in ("resource", "field", "code")]
    return " ".join(part for part in parts if isinstance(part, str))


def _because(text: str, said: str, status: int) -> str:
    return f"{text}: {said}" if said else f"{text} ({status})."


def _number(text: str) -> int:
    text = text.strip()
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 12 else 0
