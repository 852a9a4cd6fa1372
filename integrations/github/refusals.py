"""What GitHub means by an answer that is no success.

Followed: "Troubleshooting the REST API", "Rate limits for the REST API" and "About authentication
with single sign-on" in GitHub's documentation.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
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
from integrations.hooks.refusals import LONGEST_PAUSE, PAUSE, because, date_of, number, words_of

MAX_SSO_URL = 1000
MAX_SCOPES = 20
_TOO_OFTEN = ("rate limit", "abuse")
# Refusals that concern the repository as it is, whatever the token may do.
_NOT_NOW = ("archived", "blocked", "suspended", "disabled")


def error_of(answer: Response, hidden: tuple[str, ...]) -> ProviderError:
    """The error that the answer stands for. What is `hidden` never appears in its text."""
    said = words_of(answer, hidden)
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
            return Rejected(because(_("GitHub refuses this"), said, status))
        case status:
            return Unavailable(because(_("GitHub cannot answer at the moment"), said, status))


def rest_until(headers: Mapping[str, str]) -> datetime | None:
    """When GitHub may be asked again, if it says so; by our clock.

    GitHub names a time of its own clock, which its Date tells: what counts is how long it is off.
    """
    now = timezone.now()
    if after := number(headers.get("Retry-After", "")):
        return now + min(timedelta(seconds=after), LONGEST_PAUSE)
    if headers.get("X-RateLimit-Remaining", "").strip() != "0":
        return None
    reset = number(headers.get("X-RateLimit-Reset", ""))
    if not reset:
        return now + PAUSE
    wait = timedelta(seconds=reset - (date_of(headers) or now).timestamp())
    return now + min(max(wait, timedelta(seconds=1)), LONGEST_PAUSE)


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
        return Rejected(because(_("GitHub refuses this"), said, answer.status))
    return Refused(
        because(_("The token may not do this at GitHub"), said, answer.status),
        accepted_scopes=_accepted(headers),
    )


def _accepted(headers: Mapping[str, str]) -> tuple[str, ...]:
    """The scopes, or for a fine-grained token the permissions, of which one would do."""
    scopes = headers.get("X-Accepted-OAuth-Scopes", "").split(",")
    permissions = headers.get("X-Accepted-GitHub-Permissions", "").replace(";", ",").split(",")
    known = [name.strip() for name in (*scopes, *permissions)]
    return tuple(n for n in known if n and n.isprintable() and len(n) <= 100)[:MAX_SCOPES]
