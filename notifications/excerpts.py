"""Parts of what programs wrote, fit to be read."""

from __future__ import annotations

import re
from collections.abc import Iterable

# Colours and cursor movements of terminals; what else steers instead of being read; halves of
# characters, which no encoding takes.
_SEQUENCES = re.compile(r"\x1b(?:\[[0-9;:?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?)")
_UNREADABLE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


def cut(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[: most - 1]}…"


def readable(text: str) -> str:
    """A program's words without what is not to be read; of lines and tabs nothing is lost."""
    return _UNREADABLE.sub("", _SEQUENCES.sub("", text.replace("\r\n", "\n")))


def last_lines(texts: Iterable[str], *, lines: int, characters: int) -> list[str]:
    """The end of a log: as many of its last lines as fit, the line breaks counted."""
    whole = [line.rstrip() for text in texts for line in readable(text).split("\n")]
    kept: list[str] = []
    left = characters
    for line in reversed(whole[-lines:]):
        if kept and len(line) > left:
            break
        kept.append(cut(line, left))
        left -= len(kept[-1]) + 1
    return kept[::-1]
