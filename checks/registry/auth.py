"""Who we are to a registry: challenges read, tokens fetched and kept until they end.

Followed: RFC 9110, section 11, and the Distribution project's token specification.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from json import JSONDecodeError
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from django.utils.translation import gettext as _

from checks.registry.access import Access
from checks.registry.errors import BadAnswer, Unauthorized
from checks.registry.transport import Question, ask, host_of

TOKEN_BYTES = 256 * 1024
SHORTEST_LIFE = 60.0  # seconds, where the answer says less or nothing: the specification's word
LONGEST_LIFE = 12 * 3600.0
MARGIN = 10.0  # a token that ends this soon may end on its way
KEPT = 4096

# A word, and what follows it if it is a parameter. Unquoted values are taken as generously as
# registries write them: a whole URL.
_PART = re.compile(r'[\s,]*([^\s,="]+)(?:\s*=\s*("(?:[^"\\]|\\.)*"?|[^\s,"]*))?')
_PRINTABLE = re.compile(r"[!-~]+")


@dataclass(frozen=True)
class Challenge:
    """One way in that a registry offers. `scheme` and the parameters' names are lower case."""

    scheme: str
    parameters: dict[str, str] = field(default_factory=dict)


def challenges(header: str) -> list[Challenge]:
    """Read a WWW-Authenticate header, several joined with commas too. Never raises."""
    found: list[Challenge] = []
    for name, value in _parts(header):
        if value is None:
            found.append(Challenge(name))
        elif found:
            found[-1].parameters.setdefault(name, value)
    return found


def _parts(header: str) -> Iterator[tuple[str, str | None]]:
    position = 0
    while match := _PART.match(header, position):
        name, value = match.groups()
        if value is not None and value.startswith('"'):
            value = re.sub(r"\\(.)", r"\1", value[1:].removesuffix('"'))
        yield name.lower(), value
        position = match.end()


class Grants:
    """What registries have let us in with. One for the process; threads may share it.

    Once a registry has asked for a token, one is fetched before the next repository is asked
    for, which saves a refused question each time.
    """

    def __init__(self) -> None:
        self._ways: dict[Access, Challenge] = {}
        self._tokens: dict[tuple[Access, str], tuple[str, float]] = {}

    def authorization(self, access: Access, repository: str) -> str:
        """The header to send, as far as is known; empty where nothing is. Raises RegistryError."""
        scope = _scope(repository)
        token, ends = self._tokens.get((access, scope), ("", 0.0))
        if ends > time.time():
            return token
        way = self._ways.get(access)
        if way is None:
            return ""
        return self._token(access, way, repository) if way.scheme == "bearer" else access.basic

    def answer(self, access: Access, repository: str, header: str) -> str:
        """Do as a challenge says and return the header to send. Raises RegistryError."""
        offered = {each.scheme: each for each in reversed(challenges(header))}
        way = offered.get("bearer") or offered.get("basic")
        if way is None:
            text = _("%(host)s wants a kind of sign-in that Dockrev does not know.")
            raise BadAnswer(text % {"host": access.host})
        self._ways[access] = way
        if way.scheme == "bearer":
            return self._token(access, way, repository)
        if not access.basic:
            raise refusal(access, repository)
        return access.basic

    def _token(self, access: Access, way: Challenge, repository: str) -> str:
        question = _token_question(access, way, repository)
        answer = ask(question)
        if answer.status in {401, 403, 404}:
            raise refusal(access, repository)
        try:
            token, life = _read_token(answer.body if answer.status == 200 else b"")
        except ValueError:
            text = _("%(host)s did not give a token that can be read.")
            raise BadAnswer(text % {"host": host_of(question.url)}) from None
        if len(self._tokens) >= KEPT:
            self._tokens.clear()
        ends = time.time() + max(life, SHORTEST_LIFE) - MARGIN
        self._tokens[access, _scope(repository)] = (token, ends)
        return token


def refusal(access: Access, repository: str) -> Unauthorized:
    """What to raise where a registry does not let us read a repository."""
    named = {"host": access.host, "repository": repository, "user": access.username}
    if access.basic:
        text = _(
            "%(host)s does not let %(user)s read %(repository)s: the password is wrong, the right "
            "is missing, or there is no such repository."
        )
    else:
        text = _(
            "%(host)s does not show %(repository)s without signing in: it is private, or it does "
            "not exist. The registry does not say which."
        )
    return Unauthorized(" ".join(filter(None, [text % named, access.login_trouble])))


def _scope(repository: str) -> str:
    return f"repository:{repository}:pull"


def _token_question(access: Access, way: Challenge, repository: str) -> Question:
    """Raises BadAnswer if the realm is no address, or one that must not see our password."""
    realm = way.parameters.get("realm", "")
    try:
        host = host_of(realm)
    except ValueError:
        text = _("%(host)s names no place to get a token from.")
        raise BadAnswer(text % {"host": access.host}) from None
    parts, ours = urlsplit(realm), urlsplit(access.base_url)
    in_clear = parts.scheme == "http" and not (ours.scheme == "http" and host == ours.hostname)
    if access.basic and in_clear:
        text = _("%(host)s wants the password to be sent unencrypted to %(other)s: refused.")
        raise BadAnswer(text % {"host": access.host, "other": host})
    query = parse_qsl(parts.query, keep_blank_values=True)
    if service := way.parameters.get("service"):
        query.append(("service", service))
    query.append(("scope", _scope(repository)))
    netloc = parts.netloc.rpartition("@")[2]
    return Question(
        access,
        urlunsplit((parts.scheme, netloc, parts.path, urlencode(query), "")),
        authorization=access.basic,
        max_bytes=TOKEN_BYTES,
    )


def _read_token(body: bytes) -> tuple[str, float]:
    """Return the header and the token's life in seconds. Raises ValueError."""
    try:
        answer = json.loads(body)
    except (JSONDecodeError, UnicodeDecodeError, RecursionError):
        raise ValueError("not JSON") from None
    if not isinstance(answer, dict):
        raise ValueError("not an object")
    token = answer.get("token") or answer.get("access_token")
    if not isinstance(token, str) or not _PRINTABLE.fullmatch(token):
        raise ValueError("no token")
    life = answer.get("expires_in")
    seconds = min(life, LONGEST_LIFE) if isinstance(life, int | float) else SHORTEST_LIFE
    return f"Bearer {token}", float(seconds)
