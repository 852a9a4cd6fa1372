"""A stored body as a person can read it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from dockrev.fields import HIDDEN

MOST = 256 * 1024  # bytes that a page shows
LONGEST = 4 * MOST  # characters that they may become, set out on lines
SECRETS = {"secret", "token", "access_token", "password", "authorization"}


@dataclass(frozen=True)
class Readable:
    text: str
    size: int
    cut: bool


def readable(body: bytes | memoryview) -> Readable:
    """JSON with its members on lines of their own, where that does not make it very long, and its
    secrets hidden; anything else, or too much, as it came."""
    raw = bytes(body)
    if len(raw) > MOST:
        return Readable(raw[:MOST].decode("utf-8", "replace"), len(raw), cut=True)
    try:
        written = _set_out(json.loads(raw, object_hook=_without_secrets))
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


def _set_out(data: Any) -> str:
    """On lines; or on one, where it is nested so deep that the lines would be mostly blanks: what
    a sender wrote in little must not become a hundred times as much here."""
    parts, length = [], 0
    for part in json.JSONEncoder(indent=2, ensure_ascii=False).iterencode(data):
        length += len(part)
        if length > LONGEST:
            return json.dumps(data, ensure_ascii=False, separators=(",", ":"))
        parts.append(part)
    return "".join(parts)


def _without_secrets(members: dict[str, Any]) -> dict[str, Any]:
    return {
        name: HIDDEN if value and isinstance(value, str) and name.lower() in SECRETS else value
        for name, value in members.items()
    }
