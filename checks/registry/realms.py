"""Who gives a registry's tokens, what they may see of us, and how they are asked.

Followed: the Distribution project's token specification, and its extension to OAuth 2.
"""

from __future__ import annotations

import ipaddress
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from django.utils.translation import gettext as _

from checks.registry.access import Access
from checks.registry.errors import BadAnswer
from checks.registry.transport import Question, host_of

CLIENT = "dockrev"
TOKEN_BYTES = 256 * 1024
SHORTEST_LIFE = 60.0  # seconds, where the answer says less or nothing: the specification's word
LONGEST_LIFE = 12 * 3600.0

# Below these, whoever registers one gets a name: two of them have nothing else in common.
_SHARED_BY_ALL = {"ac", "co", "com", "edu", "gov", "net", "org"}
_TOKEN = re.compile(r"[!-~]{1,65536}")


class Token(NamedTuple):
    """`header` is what to send, for `life` seconds. `refresh_token` takes the place of ours."""

    header: str
    life: float
    refresh_token: str


@dataclass(frozen=True)
class Realm:
    """A place to get tokens from. `access` names nobody where it must not know who we are."""

    access: Access
    url: str
    service: str
    withheld: bool

    @property
    def host(self) -> str:
        return host_of(self.url)

    def question(self, scope: str) -> Question:
        """Ask as the user, or as a stranger."""
        parts = urlsplit(self.url)
        query = [*parse_qsl(parts.query, keep_blank_values=True), *self._wanted(scope).items()]
        return Question(
            self.access,
            urlunsplit(parts._replace(query=urlencode(query))),
            authorization=self.access.basic,
            max_bytes=TOKEN_BYTES,
        )

    def exchange(self, refresh_token: str, scope: str) -> Question:
        """Ask with a refresh token, which is in no header and no address."""
        form = {
            "grant_type": "refresh_token",
            "client_id": CLIENT,
            **self._wanted(scope),
            "refresh_token": refresh_token,
        }
        return Question(
            self.access,
            self.url,
            "POST",
            headers={"Content-Type": "application/x-www-form-urlencoded"},
            body=urlencode(form).encode(),
            max_bytes=TOKEN_BYTES,
        )

    def _wanted(self, scope: str) -> dict[str, str]:
        named = {"service": self.service, "scope": scope}
        return {name: value for name, value in named.items() if value}


def read_realm(access: Access, parameters: Mapping[str, str]) -> Realm:
    """Read a Bearer challenge's parameters.

    Raises BadAnswer if the realm is no address, or wants our password to be sent in clear.
    """
    realm = parameters.get("realm", "")
    try:
        host = host_of(realm)
    except ValueError:
        text = _("%(host)s names no place to get a token from.")
        raise BadAnswer(text % {"host": access.host}) from None
    parts, ours = urlsplit(realm), urlsplit(access.base_url)
    in_clear = parts.scheme == "http" and not (ours.scheme == "http" and host == ours.hostname)
    if access.is_named and in_clear:
        text = _("%(host)s wants the password to be sent unencrypted to %(other)s: refused.")
        raise BadAnswer(text % {"host": access.host, "other": host})
    is_own = host == access.token_host or _belong_together(host, ours.hostname or "")
    bare = parts._replace(netloc=parts.netloc.rpartition("@")[2], fragment="")
    return Realm(
        access if is_own else access.as_stranger(),
        urlunsplit(bare),
        parameters.get("service", ""),
        withheld=access.is_named and not is_own,
    )


def read_token(body: bytes) -> Token:
    """Raises ValueError."""
    try:
        answer = json.loads(body)
    except (UnicodeDecodeError, RecursionError):
        raise ValueError("not JSON") from None
    if not isinstance(answer, dict):
        raise ValueError("not an object")
    token = answer.get("token") or answer.get("access_token")
    if not isinstance(token, str) or not _TOKEN.fullmatch(token):
        raise ValueError("no token")
    life = answer.get("expires_in")
    seconds = SHORTEST_LIFE
    if isinstance(life, int | float):
        # As it comes: a number may be too large to be a float.
        seconds = max(SHORTEST_LIFE, min(life, LONGEST_LIFE))
    renewed = answer.get("refresh_token")
    if not isinstance(renewed, str) or not _TOKEN.fullmatch(renewed):
        renewed = ""
    return Token(f"Bearer {token}", float(seconds), renewed)


def _belong_together(one: str, other: str) -> bool:
    """Whether two hosts are one, or below one domain, as auth.docker.io and registry-1.docker.io.

    Which domains are given to strangers is no more than guessed. A registry that wants our password
    can have it in other ways; this keeps it from where a mistake, or a proxy, would send it.
    """
    if one == other:
        return True
    if _is_address(one) or _is_address(other):
        return False
    shared: list[str] = []
    for mine, theirs in zip(reversed(one.split(".")), reversed(other.split(".")), strict=False):
        if mine != theirs:
            break
        shared.append(mine)
    public = len(shared) > 1 and len(shared[0]) == 2 and shared[1] in _SHARED_BY_ALL
    return len(shared) > 1 + public


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
