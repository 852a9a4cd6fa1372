"""A call as somebody pastes it: headers, a line each, and a body; of bounded size."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from django.utils.translation import gettext as _

from dockrev.errors import InvalidArgument, PayloadTooLarge

MAX_BODY = 1024 * 1024
MAX_HEADERS, MAX_NAME, MAX_VALUE = 100, 200, 8000
MAX_LINES = 64 * 1024  # characters of all of them


class Pasted(NamedTuple):
    headers: dict[str, str]
    body: bytes


def read_lines(text: str) -> dict[str, str]:
    """`Name: value` lines; the first line of a request is left out. Raises InvalidArgument."""
    found: dict[str, str] = {}
    for line in text.splitlines():
        name, colon, value = line.partition(":")
        if not line.strip() or (" HTTP/" in line and not found):
            continue
        if not colon or not name.strip():
            shown = line.strip()[:60]
            raise InvalidArgument("headers", _("No header: %(line)s") % {"line": shown})
        found[name.strip()] = value.strip()
    return found


def checked(headers: Mapping[str, str], body: str) -> Pasted:
    """The call, with names in lower case. Raises InvalidArgument or PayloadTooLarge."""
    # Halves of surrogate pairs make bytes that no JSON is, as they would have come.
    raw = body.encode("utf-8", "surrogatepass")
    if len(raw) > MAX_BODY:
        raise PayloadTooLarge(_("The body is longer than %(most)d bytes.") % {"most": MAX_BODY})
    if len(headers) > MAX_HEADERS:
        raise InvalidArgument(
            "headers", _("At most %(most)d headers are read.") % {"most": MAX_HEADERS}
        )
    for name, value in headers.items():
        if len(name) > MAX_NAME or len(value) > MAX_VALUE or not f"{name}{value}".isprintable():
            words = {"name": name[:60].encode("ascii", "replace").decode()}
            raise InvalidArgument(
                "headers", _("The header %(name)s is too long, or has control characters.") % words
            )
    return Pasted({name.lower(): value for name, value in headers.items()}, raw)
