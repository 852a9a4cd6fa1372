"""Text as chats take it: without what steers a terminal, and cut where it is too long. Pure."""

from __future__ import annotations

import re

CUT = "…"
# What begins with ESC: colours, movements of the cursor, titles of windows.
_ESCAPES = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|[ -/]*[0-~])")
_UNWRITABLE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")
MAX_READ = 100_000  # characters looked at; no chat takes that many


def readable(text: str, *, end: bool = False) -> str:
    """Lines of plain text. Of one that is endless the beginning counts, or the `end`."""
    part = text[-MAX_READ:] if end else text[:MAX_READ]
    lines = _ESCAPES.sub("", part).replace("\r\n", "\n").replace("\r", "\n")
    return _UNWRITABLE.sub("", lines).strip()


def units(text: str) -> int:
    """The length of a text in UTF-16, which Telegram and others count."""
    return len(text) + sum(character > "\uffff" for character in text)


def beginning(text: str, most: int) -> str:
    """At most so many units of a text, with a mark where something was cut off."""
    if units(text) <= most:
        return text
    return f"{_decoded(_encoded(text)[: 2 * (most - 1)])}{CUT}" if most > 0 else ""


def ending(text: str, most: int) -> str:
    """The same from its end: the last lines of a log say why."""
    if units(text) <= most:
        return text
    return f"{CUT}{_decoded(_encoded(text)[-2 * (most - 1) :])}" if most > 1 else ""


def _encoded(text: str) -> bytes:
    return text.encode("utf-16-le")


def _decoded(data: bytes) -> str:
    return data.decode("utf-16-le", errors="ignore")  # halves of a pair fall away
