"""What a provider means by an answer that is no success, as far as all mean the same."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any

from django.utils import timezone
from django.utils.translation import gettext as _

from dockrev.fields import HIDDEN
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
# What is rested where a provider says that it was asked too often, but not for how long.
PAUSE = timedelta(minutes=1)
LONGEST_PAUSE = timedelta(hours=24)
# Members in which providers say why, the best first.
_SAYING = ("message", "error_message", "detail", "error", "error_description")


def error_of(name: str, answer: Response, hidden: tuple[str, ...]) -> ProviderError:
    """The error that an answer of this provider stands for. What is `hidden` is not in its text."""
    said = words_of(answer, hidden)
    match answer.status:
        case 401:
            return CredentialInvalid(
                _("%(provider)s does not accept the user name or the token.") % {"provider": name}
            )
        case 403:
            text = _("The account may not do this at %(provider)s") % {"provider": name}
            return Refused(because(text, said, 403))
        case 404 | 410:
            text = _("%(provider)s shows nothing here: there is no such thing, or it is hidden.")
            return NotSeen(text % {"provider": name})
        case 429:
            text = _("%(provider)s was asked too often and wants a rest.") % {"provider": name}
            return RateLimited(text, rest_until(answer.headers) or timezone.now() + PAUSE)
        case status if 300 <= status < 400:
            text = _("%(provider)s leads elsewhere: its address may be another.")
            return Rejected(text % {"provider": name})
        case status if 400 <= status < 500 and status != 408:
            text = _("%(provider)s refuses this") % {"provider": name}
            return Rejected(because(text, said, status))
        case status:
            text = _("%(provider)s cannot answer at the moment") % {"provider": name}
            return Unavailable(because(text, said, status))


def rest_until(headers: Mapping[str, str]) -> datetime | None:
    """When it may be asked again, if it says so in seconds; by our clock."""
    after = number(headers.get("Retry-After", ""))
    return timezone.now() + min(timedelta(seconds=after), LONGEST_PAUSE) if after else None


def date_of(headers: Mapping[str, str]) -> datetime | None:
    """The time by the provider's clock, where it says so."""
    try:
        return in_our_time(parsedate_to_datetime(headers.get("Date", "")))
    except (ValueError, OverflowError):
        return None


def in_our_time(moment: datetime) -> datetime | None:
    """A moment of theirs in UTC; None for one that can be neither shown nor reckoned with."""
    return moment.astimezone(UTC) if moment.tzinfo and 1970 <= moment.year < 3000 else None


def moment_of(value: Any) -> datetime | None:
    """A time that a provider wrote down; without a zone it is UTC."""
    try:
        moment = datetime.fromisoformat(value)
    except (TypeError, ValueError):
        return None
    return in_our_time(moment if moment.tzinfo else moment.replace(tzinfo=UTC))


def words_of(answer: Response, hidden: tuple[str, ...]) -> str:
    """A provider's own words: those of its errors, else what it says in one."""
    try:
        body = json.loads(answer.body)
    except (ValueError, RecursionError):
        return ""
    errors = member(body, "errors")
    each = [_one(error) for error in errors[:10]] if isinstance(errors, list) else []
    messages = [member(body, name) for name in _SAYING]
    message = next((word for word in messages if isinstance(word, str) and word), "")
    return clean("; ".join(filter(None, each)) or message, hidden)


def clean(words: str, hidden: tuple[str, ...] = (), *, limit: int = MAX_WORDS) -> str:
    """Words of theirs as they may be shown: printable, cut, and without what is hidden."""
    for secret in filter(None, hidden):
        words = words.replace(secret, HIDDEN)
    printable = "".join(char if char.isprintable() else " " for char in words[: limit * 4])
    shown = " ".join(printable.split())
    return shown if len(shown) <= limit else f"{shown[: limit - 1]}…"


def because(text: str, said: str, status: int) -> str:
    return f"{text}: {said}" if said else f"{text} ({status})."


def number(text: str) -> int:
    text = text.strip()
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 12 else 0


def _one(error: Any) -> str:
    """An entry of `errors`: words, or a resource's field and what is wrong with it."""
    if isinstance(error, str):
        return error
    if isinstance(said := member(error, "message"), str):
        return said
    parts = [member(error, name) for name in ("resource", "field", "code")]
    return " ".join(part for part in parts if isinstance(part, str))
