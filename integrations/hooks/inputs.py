"""What a person may type for a target of a registry: its name, its address, or an image there."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from django.utils.translation import gettext as _

from integrations.hooks.provider import BadTarget

MAX_INPUT = 500


def path_in(text: str, api_url: str) -> str:
    """The path within the registry at `api_url`, without slashes around it. Raises BadTarget.

    An address has to be of that registry; in front of a name its host may stand or not.
    """
    text = text.strip()
    if not text or len(text) > MAX_INPUT or not text.isprintable():
        raise BadTarget(_("Type a name, or its address."))
    base = urlsplit(api_url)
    if "://" not in text:
        first, _slash, rest = text.partition("/")
        return (rest if first.lower() in {base.netloc, base.hostname} else text).strip("/")
    try:
        parts = urlsplit(text)
        host = parts.hostname
    except ValueError:
        raise BadTarget(_("This is not an address.")) from None
    if host != base.hostname:
        raise BadTarget(_("This is an address of another server."))
    return re.sub(f"^{re.escape(base.path.rstrip('/'))}/", "", parts.path).strip("/")
