"""Regular expressions that people type. Pure.

They are run by RE2, whose time grows with the length of the text and whose memory is bounded, so
that none can stand still. What would need more, looking ahead and back references, is refused.
Whoever may write one may write a thousand, and each is compiled wherever it counts: what one costs
is bounded so far that a thousand of the worst are read in seconds.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache
from importlib import import_module
from typing import Any

from django.utils.translation import gettext as _

MAX_LENGTH = 256
_MEMORY = 128 << 10  # bytes for one expression; an ordinary one takes a few thousand
_UNWRITABLE = re.compile("[\ud800-\udfff]")  # halves of pairs


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
    if (unwritable := _UNWRITABLE.search(text)) is not None:
        raise BadPattern(_("There is a character here that no text has."), unwritable.start())
    try:
        return _compiled(text)
    except _library().error as error:
        raise _refusal(text, too_large="too large" in str(error)) from None


def _library() -> Any:
    """RE2, loaded when a pattern is first read: it takes 4 MB, and most people write none."""
    return import_module("re2")


@lru_cache(maxsize=256)
def _compiled(text: str) -> Any:
    options = _library().Options()
    options.log_errors = False
    options.max_mem = _MEMORY
    return _library().compile(text, options=options)


def _refusal(text: str, *, too_large: bool) -> BadPattern:
    position = _fault(text)
    words = {"number": position + 1, "rest": text[position : position + 20] or text}
    if too_large:
        message = _("This pattern is too large from character %(number)d on: %(rest)s") % words
    else:
        message = _("This pattern cannot be read from character %(number)d on: %(rest)s") % words
    return BadPattern(message, position)


@lru_cache(maxsize=256)
def _fault(text: str) -> int:
    """What is wrong comes right behind the longest beginning that can be read.

    Remembered: it takes up to a second, and a label is read wherever its service is shown.
    """
    for length in range(len(text) - 1, 0, -1):
        try:
            _compiled.__wrapped__(text[:length])
        except _library().error:
            continue
        return length
    return 0
