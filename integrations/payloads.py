"""A stored body as a person can read it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from dockrev.fields import HIDDEN

MOST = 256 * 1024  # bytes that a page shows
SECRETS = {"secret", "token", "access_token", "password", "authorization"}


@dataclass(frozen=True)
class Readable:
    text: str
    size: int
    cut: bool


def readable(body: bytes | memoryview) -> Readable:
    """JSON with its members on lines of their own and its secrets hidden; anything else, or too
    much, as it came."""
    raw = bytes(body)
    if len(raw) > MOST:
        return Readable(raw[:MOST].decode("utf-8", "replace"), len(raw), cut=True)
    try:
        written = json.dumps(
            json.loads(raw, object_hook=_without_secrets), indent=2, ensure_ascii=False
        )
        # JSON can name half a surrogate pair, which no answer could hold.
        text = written.encode("utf-8", "backslashreplace").decode()
    except (ValueError, RecursionError):
        text = raw.decode("utf-8", "replace")
    return Readable(text, len(raw), cut=False)


def pasteable(body: bytes | memoryview, most: int) -> str:
    """The text as it came, for somebody to try again; as people read it where it has secrets."""
    raw = bytes(body)
    shown = readable(raw)
    if HIDDEN in shown.text or shown.cut:
        return shown.text
    return raw[:most].decode("utf-8", "replace")


def _without_secrets(members: dict[str, Any]) -> dict[str, Any]:
    return {
        name: HIDDEN if value and isinstance(value, str) and name.lower() in SECRETS else value
        for name, value in members.items()
    }
