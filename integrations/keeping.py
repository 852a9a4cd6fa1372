"""What is kept of a call: nothing that proves anything, and nothing without a bound."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from hashlib import sha256
from typing import Any

from dockrev.fields import HIDDEN
from integrations.receivers.base import Incoming, Reading

MAX_KEY = 200  # the length of its column
_HIDDEN_NAMES = (
    "authorization",
    "cookie",
    "signature",
    "secret",
    "token",
    "password",
    "credential",
    "assertion",  # of who signed in at a proxy before us
    "jwt",
    "oidc",
    "client-cert",
    "apikey",
    "-key",
    "-auth",
)
_KEPT_HEADERS, _KEPT_LENGTH = 40, 300


def key_of(reading: Reading, incoming: Incoming) -> str:
    """What recognises the call. What does not fit is told by its hash, and what names nothing by
    its body."""
    return short_key(reading.dedupe_key) or sha256(incoming.body).hexdigest()


def short_key(key: str) -> str:
    return key if len(key) <= MAX_KEY else sha256(key.encode("utf-8", "replace")).hexdigest()


def columns(reading: Reading, incoming: Incoming) -> dict[str, Any]:
    """The columns of a delivery that say what came."""
    return {
        "sender_id": reading.sender_id[:200],
        "event": reading.event[:60],
        "action": reading.action[:60],
        "hook_id": reading.hook_id[:60],
        "repository": reading.repository[:300],
        "headers": shown_headers(incoming.headers, incoming.token),
        "payload": _without(incoming.token, incoming.body),
    }


def shown_headers(headers: Mapping[str, str], token: str = "") -> dict[str, str]:
    """Headers as they may be kept and shown: without what proves anything, and of bounded size.

    Proxies write the path into some of them, and with it the token.
    """
    return {
        _storable(name[:100]): HIDDEN
        if _is_hidden(name) or (token and token in value)
        else _storable(value[:_KEPT_LENGTH])
        for name, value in list(headers.items())[:_KEPT_HEADERS]
    }


def _storable(text: str) -> str:
    """Without the NUL that a server may let through, and that PostgreSQL keeps nowhere."""
    return text.replace("\0", "\N{REPLACEMENT CHARACTER}")


def _without(token: str, body: bytes) -> bytes:
    """The body without the token, which a sender writes into it that names its own settings."""
    return body.replace(token.encode(), HIDDEN.encode()) if token else body


@lru_cache(maxsize=500)
def _is_hidden(name: str) -> bool:
    return any(word in name for word in _HIDDEN_NAMES)
