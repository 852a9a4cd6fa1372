"""Bodies of requests, read from the server itself, of known length or in chunks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.utils.translation import gettext as _

from dockrev.errors import PayloadTooLarge

_PART = 64 * 1024


def read_body(environ: Mapping[str, Any], limit: int) -> bytes:
    """Read a whole body. Raises PayloadTooLarge once it is known to be longer than the limit."""
    length = declared_length(environ)
    if length is not None and length > limit:
        raise _too_long(limit)
    wanted = limit + 1 if length is None else length
    stream, parts, read = environ["wsgi.input"], [], 0
    while read < wanted:
        part = stream.read(wanted - read if length is not None else _PART)
        if not part:
            break
        parts.append(part)
        read += len(part)
    if read > limit:
        raise _too_long(limit)
    return b"".join(parts)


def declared_length(environ: Mapping[str, Any]) -> int | None:
    """The length that a request says its body has; None if it says none that can be read."""
    declared = str(environ.get("CONTENT_LENGTH") or "")
    # Python reads no number of thousands of digits; the first ones are too many already.
    return int(declared[:18]) if declared.isascii() and declared.isdigit() else None


def is_chunked(environ: Mapping[str, Any]) -> bool:
    """Whether the body's length is not declared. Django takes such a body for none at all."""
    return not environ.get("CONTENT_LENGTH") and "HTTP_TRANSFER_ENCODING" in environ


def _too_long(limit: int) -> PayloadTooLarge:
    return PayloadTooLarge(_("The body is longer than %(limit)d bytes.") % {"limit": limit})
