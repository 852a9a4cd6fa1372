r"""Makes of a tag the part that is read as its version. Pure.

A transform is written `pattern => replacement`. Where a tag has a match for the pattern, the
replacement with the match's groups in it (`\1`, or `$1`) is the whole of what is read; where it has
none, the tag is no version. RE2 runs the pattern, so the time grows with the tag's length alone.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache

from django.utils.translation import gettext as _

from checks.registry.reference import is_tag
from checks.versions.patterns import MAX_LENGTH, BadPattern, compiled

ARROW = "=>"
MAX_TRANSFORM = 2 * MAX_LENGTH
_GROUP = re.compile(r"[\\$](.?)", re.DOTALL)

Comparable = Callable[[str], str | None]


@lru_cache(maxsize=256)
def transform(text: str) -> Comparable:
    """What yields a tag's comparable part, None where there is no match. Raises BadPattern."""
    if len(text) > MAX_TRANSFORM:
        message = _("A transform may have %(count)d characters.") % {"count": MAX_TRANSFORM}
        raise BadPattern(message, MAX_TRANSFORM)
    written, arrow, behind = text.partition(ARROW)
    if not arrow or not written.strip():
        message = _(r"Write it as pattern => replacement, such as ^build-(.+)$ => \1")
        raise BadPattern(message, len(text) if not arrow else 0)
    start = len(written) - len(written.lstrip())
    try:
        search = compiled(written.strip())
    except BadPattern as error:
        raise BadPattern(str(error), start + error.position) from None
    at = len(written) + len(ARROW) + len(behind) - len(behind.lstrip())
    parts = _parts(behind.strip(), most=search.groups, at=at)

    def comparable(tag: str) -> str | None:
        # What is no tag must not become one: it would be offered.
        match = search.search(tag) if is_tag(tag) else None
        if match is None:
            return None
        return "".join(each if isinstance(each, str) else match[each] or "" for each in parts)

    return comparable


def _parts(text: str, *, most: int, at: int) -> list[str | int]:
    """A replacement as text and numbers of groups; `at` is where it stands in the transform."""
    parts: list[str | int] = []
    end = 0
    for found in _GROUP.finditer(text):
        parts.append(text[end : found.start()])
        end = found.end()
        if not found[1].isdecimal() or not found[1].isascii() or int(found[1]) > most:
            message = _("%(what)s names no group of the pattern, which has %(count)d.")
            words = {"what": found[0], "count": most}
            raise BadPattern(message % words, at + found.start())
        parts.append(int(found[1]))
    return [*parts, text[end:]]
