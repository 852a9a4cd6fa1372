"""What a browser gives to be pushed to: an address and two keys, checked before they are kept.

Anybody who may sign in may give one, so the address is a stranger's word: https and nothing else,
and where it leads is held by `dockrev/addresses.py` when it is called.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from django.utils.translation import gettext as _

from notifications import push_keys
from notifications.push_keys import BadKey

MAX_ENDPOINT = 2000
MAX_KEY = 200  # characters; the right ones have 87 and 22
AUTH = 16  # bytes

_LABEL = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
# A name, not a number, and nothing before it that would be a user or behind it that is a port.
_ENDPOINT = re.compile(
    rf"https://((?:{_LABEL}\.)+[a-z][a-z0-9-]{{0,61}}[a-z0-9])(?::443)?"
    r"/[A-Za-z0-9._~!$&'()*+,;=:@/?%-]*"
)
# The services of the browsers' vendors, and how their names begin: what is here may be reached
# through a proxy, which resolves names itself and so could be led astray by any other.
_VENDORS = re.compile(
    r"fcm\.googleapis\.com|(?:.+\.)?push\.services\.mozilla\.com|(?:.+\.)?push\.apple\.com"
    r"|(?:.+\.)?notify\.windows\.com"
)


class BadEndpoint(ValueError):
    """The text says why, for people, and does not repeat the address."""


class Given(NamedTuple):
    """A subscription as a browser makes it, checked."""

    endpoint: str
    p256dh: str
    auth: str

    @property
    def host(self) -> str:
        return host_of(self.endpoint)


def public(p256dh: str) -> str:
    """The browser's public key, as it is kept. Raises BadKey."""
    return push_keys.packed(push_keys.point(p256dh))


def secret(auth: str) -> str:
    """The secret that the browser shares with us, as it is kept. Raises BadKey."""
    raw = push_keys.unpacked(auth)
    if len(raw) != AUTH:
        raise BadKey(_("This is no such secret: it has 16 bytes, in base64url."))
    return push_keys.packed(raw)


def host_of(endpoint: str) -> str:
    """Whose address it is. Raises BadEndpoint."""
    match = _ENDPOINT.fullmatch(endpoint) if len(endpoint) <= MAX_ENDPOINT else None
    if match is None:
        raise BadEndpoint(
            _("This must be the https address of a push service, without a port or a user.")
        )
    return match[1]


def is_a_vendors(host: str) -> bool:
    return _VENDORS.fullmatch(host) is not None
