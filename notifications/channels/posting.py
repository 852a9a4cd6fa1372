"""One POST of JSON, and what its answer means for the message."""

from __future__ import annotations

import unicodedata
from base64 import b64encode
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from urllib.parse import unquote, urlsplit

from django.utils import timezone
from django.utils.translation import gettext as _

from dockrev import http
from notifications.channels.base import SendError
from notifications.channels.trust import EVERYBODYS, Trust

# Twenty-five seconds in all, the answer's body too.
CONNECT_SECONDS, ANSWER_SECONDS = 5.0, 20.0
MAX_ANSWER = 64 * 1024
MAX_EXCERPT = 200
SHORTEST_SECRET = 6  # of a part: a shorter one is in many a word
LATER = {408, 425, 429}  # refusals that are only for now, as all from 500 on are
MAX_RETRY_AFTER = timedelta(days=1)


def post(
    url: str,
    body: bytes,
    headers: Mapping[str, str],
    *,
    trust: Trust = EVERYBODYS,
    secrets: Iterable[str] = (),
) -> int:
    """Send, and return the status of an answer that took it. Raises SendError for any other.

    What was answered may be shown, unless one of our `secrets` is in it.
    """
    sent = {**headers, "Content-Type": "application/json"}
    try:
        answer = http.request(
            "POST",
            url,
            body=body,
            headers=sent,
            timeout=(CONNECT_SECONDS, ANSWER_SECONDS),
            longest_body=ANSWER_SECONDS,
            max_bytes=MAX_ANSWER,
            verify=trust.verify,
            trusted=trust.ca,
        )
    except http.Unreachable as error:
        raise SendError(str(error)) from error
    if not 200 <= answer.status < 300:
        raise refusal(answer, secrets, timezone.now())
    return answer.status


def refusal(answer: http.Response, secrets: Iterable[str], now: datetime) -> SendError:
    """What an answer that is none of success means."""
    status = answer.status
    later = status in LATER or status >= 500
    words = _("It answered %(status)d.")
    if 300 <= status < 400:
        words = _("It answered %(status)d, which leads elsewhere; redirects are not followed.")
    elif status == 410:
        words = _("It answered %(status)d Gone.")
    return SendError(
        words % {"status": status},
        status=status,
        final=not later,
        gone=status == 410,
        retry_after=retry_after(answer.headers.get("Retry-After", ""), now) if later else None,
        excerpt=excerpt(answer.body, secrets),
    )


def retry_after(text: str, now: datetime) -> timedelta | None:
    """When to come again, in seconds or as a date; None for what is neither. A day at most."""
    text = text.strip()
    if text.isascii() and text.isdecimal():
        return timedelta(seconds=min(int(text[:9]), MAX_RETRY_AFTER.total_seconds()))
    try:
        moment = parsedate_to_datetime(text)
    except ValueError:
        return None
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return min(max(moment - now, timedelta()), MAX_RETRY_AFTER)


def excerpt(body: bytes, secrets: Iterable[str]) -> str:
    """The beginning of an answer as one line of plain text; nothing where it holds a secret."""
    text = body.decode("utf-8", errors="replace")
    if any(secret and secret in text for secret in secrets):
        return ""
    kept = (" " if c.isspace() else c for c in text if c.isspace() or _is_shown(c))
    return " ".join("".join(kept).split())[:MAX_EXCERPT]


def secrets_of(url: str, *others: str) -> set[str]:
    """What must not be shown: the parts of an address that may be tokens, as they are written, as
    they are meant and as they are sent, and the others, whole and by their words."""
    parts = urlsplit(url)
    of_address = [*parts.path.split("/"), *parts.query.replace("&", "=").split("="), parts.fragment]
    user, password = parts.username or "", parts.password or ""
    signed_in = b64encode(f"{unquote(user)}:{unquote(password)}".encode()).decode()
    words = [*of_address, user, password, *(word for text in others for word in text.split())]
    meant = [unquote(word) for word in words]
    return {
        *others,
        *(word for word in (*words, *meant, signed_in) if len(word) >= SHORTEST_SECRET),
    }


def _is_shown(character: str) -> bool:
    """No control characters, nor those that turn the direction of what follows."""
    return not unicodedata.category(character).startswith("C")
