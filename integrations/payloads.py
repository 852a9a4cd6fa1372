"""A stored body as a person can read it."""

from __future__ import annotations

import json
from dataclasses import dataclass

MOST = 256 * 1024  # bytes that a page shows


@dataclass(frozen=True)
class Readable:
    text: str
    size: int
    cut: bool


def readable(body: bytes | memoryview) -> Readable:
    """JSON with its members on lines of their own; anything else, or too much, as it came."""
    raw = bytes(body)
    if len(raw) > MOST:
        return Readable(raw[:MOST].decode("utf-8", "replace"), len(raw), cut=True)
    try:
        written = json.dumps(json.loads(raw), indent=2, ensure_ascii=False)
        # JSON can name half a surrogate pair, which no answer could hold.
        text = written.encode("utf-8", "backslashreplace").decode()
    except (ValueError, RecursionError):
        text = raw.decode("utf-8", "replace")
    return Readable(text, len(raw), cut=False)
