"""Regular expressions that people type. Pure.

They are run by RE2, whose time grows with the length of the text and whose memory is bounded, so
that none can stand still. What would need more, looking ahead and back references, is refused.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any

import re2
from django.utils.translation import gettext as _

MAX_LENGTH = 256
_MEMORY = 1 << 20  # bytes for one expression


class BadPattern(ValueError):
    """What was typed cannot be read; `position` is the character where it goes wrong, from 0."""

    def __init__(self, message: str, position: int) -> None:
        super().__init__(message)
        self.position = position


def pattern(text: str) -> Callable[[str], bool]:
    """A test whether a tag has a match for an expression anywhere. Raises BadPattern."""
    search = compiled(text).search
    return lambda tag: search(tag) is not None


def compiled(text: str) -> Any:  # Any: untyped in RE2
    """An expression of RE2's, which is used as one of `re` is. Raises BadPattern."""
    if len(text) > MAX_LENGTH:
        message = _("A pattern may have %(count)d characters.") % {"count": MAX_LENGTH}
        raise BadPattern(message, MAX_LENGTH)
    try:
        return _compiled(text)
    except re2.error:
        position = _fault(text)
        message = _("This pattern cannot be read from character %(number)d on: %(rest)s") % {
            "number": position + 1,
            "rest": text[position : position + 20] or text,
        }
        raise BadPattern(message, position) from None


@lru_cache(maxsize=1024)
def _compiled(text: str) -> Any:
    options = re2.Options()
    options.log_errors = False
    options.max_mem = _MEMORY
    return re2.compile(text, options=options)


def _fault(text: str) -> int:
    """What is wrong comes right behind the longest beginning that can be read."""
    for length in range(len(text) - 1, 0, -1):
        try:
            _compiled.__wrapped__(text[:length])
        except re2.error:
            continue
        return length
    return 0
