"""What an HTTP probe asks, as people write it: `:8080/health`, `https://:8443/ 200-399`. Pure.

No host is ever written: what is asked is a container of the service itself.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from django.utils.translation import gettext as _

from checks.versions.patterns import BadPattern

MAX_PROBE = 300
_WRITTEN = re.compile(
    r"(?:(?P<scheme>https?)://)?:?(?P<port>[0-9]{1,5})(?P<path>/[!-~]*)?"
    r"(?: +(?P<lowest>[1-5][0-9]{2})(?:-(?P<highest>[1-5][0-9]{2}))?)?"
)
_HIGHEST_PORT = 65535
_WELL = (200, 399)  # where no status is written: an answer or a redirect


@dataclass(frozen=True)
class HttpProbe:
    """A GET of one path, and from which to which status is well."""

    is_secure: bool
    port: int
    path: str
    lowest: int
    highest: int


def http_probe(text: str) -> HttpProbe:
    """Raises BadPattern."""
    found = _WRITTEN.fullmatch(text) if len(text) <= MAX_PROBE else None
    if found is None or not 1 <= int(found["port"]) <= _HIGHEST_PORT:
        raise BadPattern(_("Write it as :8080/health or https://:8443/health 200-299."), 0)
    lowest = int(found["lowest"] or _WELL[0])
    highest = int(found["highest"] or found["lowest"] or _WELL[1])
    if lowest > highest:
        raise BadPattern(_("The lower status comes first."), found.start("lowest"))
    is_secure = found["scheme"] == "https"
    return HttpProbe(is_secure, int(found["port"]), found["path"] or "/", lowest, highest)
