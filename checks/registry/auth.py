"""Who we are to a registry: challenges read, tokens fetched and kept until they end.

Followed: RFC 9110, section 11, and the Distribution project's token specification.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TypeVar

from django.utils.translation import gettext as _

from checks.registry.access import Access
from checks.registry.errors import BadAnswer, Unauthorized
from checks.registry.questions import Questions
from checks.registry.realms import Realm, read_realm, read_token
from checks.registry.transport import ask
from dockrev import http

LONGEST_HEADER = 16_384
MARGIN = 10.0  # seconds; a token that ends this soon may end on its way
KEPT = 4096  # of each kind: an end to what helpers' ever new passwords would add up to
REFUSED = {400, 401, 403, 404}
NO_POST = {404, 405, 501}

K = TypeVar("K")
V = TypeVar("V")

# A word, and what follows it if it is a parameter. Unquoted values are taken as generously as
# registries write them: a whole URL.
_PART = re.compile(r'[\s,]*([^\s,="]+)(?:\s*=\s*("(?:[^"\\]|\\.)*"?|[^\s,"]*))?')


@dataclass(frozen=True)
class Challenge:
    """One way in that a registry offers. `scheme` and the parameters' names are lower case."""

    scheme: str
    parameters: dict[str, str] = field(default_factory=dict)


def challenges(header: str) -> list[Challenge]:
    """Read a WWW-Authenticate header, several joined with commas too. Never raises."""
    found: list[Challenge] = []
    for name, value in _parts(header[:LONGEST_HEADER]):
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
    for, which saves a refused question each time. A refresh token that is given in place of ours
    is kept for as long as the process lives: Docker's own file is not written.
    """

    def __init__(self) -> None:
        self._ways: dict[Access, Challenge] = {}
        self._tokens: dict[tuple[Access, str], tuple[str, float]] = {}
        self._renewed: dict[tuple[Access, str], str] = {}
        self._asking = Questions()

    def authorization(self, access: Access, repository: str) -> str:
        """The header to send, as far as is known; empty where nothing is. Raises RegistryError."""
        if token := self._held(access, repository):
            return token
        way = self._ways.get(access)
        if way is None:
            return ""
        return self._token(access, way, repository) if way.scheme == "bearer" else access.basic

    def answer(self, access: Access, repository: str, header: str, refused: str = "") -> str:
        """Do as a challenge says and return the header to send. Raises RegistryError.

        Without a repository it is a sign-in that asks for nothing else. `refused` is what was sent,
        and did not do.
        """
        offered = {each.scheme: each for each in reversed(challenges(header))}
        way = offered.get("bearer") or offered.get("basic")
        if way is None:
            text = _("%(host)s wants a kind of sign-in that Dockrev does not know.")
            raise BadAnswer(text % {"host": access.host})
        _keep(self._ways, access, way)
        if way.scheme == "bearer":
            return self._token(access, way, repository, refused)
        if access.refresh_token:
            text = _("%(host)s takes no identity token.")
            raise Unauthorized(f"{text} {_use_a_password()}" % {"host": access.host})
        if not access.basic:
            raise refusal(access, repository)
        return access.basic

    def _held(self, access: Access, repository: str) -> str:
        """A token that is good for a while; empty without one."""
        token, ends = self._tokens.get((access, _scope(repository)), ("", 0.0))
        return token if ends > time.time() else ""

    def _token(self, access: Access, way: Challenge, repository: str, refused: str = "") -> str:
        """Fetch one, unless another thread has done so meanwhile, or is about to."""

        def get() -> str:
            token = self._held(access, repository)
            return token if token not in ("", refused) else self._fetch(access, way, repository)

        question = (access, repository)
        try:
            return self._asking.ask(question, get)
        finally:
            self._asking.forget(question)

    def _fetch(self, access: Access, way: Challenge, repository: str) -> str:
        realm = read_realm(access, way.parameters)
        answer = self._ask(realm, _scope(repository))
        if answer.status in REFUSED:
            text = _(
                "Nobody was named to %(realm)s, which gives its tokens and may be somebody else's: "
                "if it is not, name it in Settings, Registries, as token host."
            )
            beside = text % {"realm": realm.host} if realm.withheld else ""
            raise refusal(access, repository, beside)
        try:
            token = read_token(answer.body if answer.status == 200 else b"")
        except ValueError:
            text = _("%(host)s did not give a token that can be read.")
            raise BadAnswer(text % {"host": realm.host}) from None
        if token.refresh_token and realm.access.refresh_token:
            _keep(self._renewed, (realm.access, realm.url), token.refresh_token)
        ends = time.time() + token.life - MARGIN
        _keep(self._tokens, (access, _scope(repository)), (token.header, ends))
        return token.header

    def _ask(self, realm: Realm, scope: str) -> http.Response:
        ours = realm.access.refresh_token
        if not ours:
            return ask(realm.question(scope))
        renewed = self._renewed.get((realm.access, realm.url), ours)
        answer = ask(realm.exchange(renewed, scope))
        if answer.status in REFUSED and renewed != ours:
            self._renewed.pop((realm.access, realm.url), None)
            answer = ask(realm.exchange(ours, scope))
        if answer.status in NO_POST:
            text = _("%(host)s takes no identity token (%(status)d).")
            named = {"host": realm.host, "status": answer.status}
            raise Unauthorized(f"{text} {_use_a_password()}" % named)
        return answer


def who(access: Access) -> str:
    """As whom a registry is asked, in words."""
    return _("the owner of the identity token") if access.refresh_token else access.username


def refusal(access: Access, repository: str, beside: str = "") -> Unauthorized:
    """What to raise where a registry does not let us in, or not to a repository."""
    text = _refused(access) if repository else _not_let_in(access)
    named = {"host": access.host, "repository": repository, "user": who(access)}
    return Unauthorized(" ".join(filter(None, [text % named, beside, access.login_trouble])))


def _refused(access: Access) -> str:
    if access.refresh_token:
        return _(
            "%(host)s does not let %(user)s read %(repository)s: the token has ended, the right is "
            "missing, or there is no such repository."
        )
    if access.basic:
        return _(
            "%(host)s does not let %(user)s read %(repository)s: the password is wrong, the right "
            "is missing, or there is no such repository."
        )
    return _(
        "%(host)s does not show %(repository)s without signing in: it is private, or it does "
        "not exist. The registry does not say which. If it is private, name a user in Settings, "
        "Registries, or by docker login."
    )


def _not_let_in(access: Access) -> str:
    if access.refresh_token:
        return _("%(host)s does not take the identity token: it is wrong, or it has ended.")
    if access.basic:
        return _("%(host)s does not let %(user)s in: the user name or the password is wrong.")
    return _("%(host)s lets nobody in without signing in.")


def _use_a_password() -> str:
    return _("Enter a user name and a password or access token in Settings, Registries.")


def _scope(repository: str) -> str:
    return f"repository:{repository}:pull" if repository else ""


def _keep(kept: dict[K, V], key: K, value: V) -> None:
    if len(kept) >= KEPT:
        kept.clear()
    kept[key] = value
