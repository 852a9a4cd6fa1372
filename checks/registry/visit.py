"""One visit to a registry, to say in words what works and what does not."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple
from urllib.parse import urlsplit

from django.utils.translation import gettext as _

from checks.registry.access import Access
from checks.registry.auth import Grants, challenges, refusal, who
from checks.registry.client import RegistryClient
from checks.registry.errors import BadAnswer, RegistryError
from checks.registry.reference import Reference
from checks.registry.transport import Question, ask, host_of, origin
from dockrev import http

REACH, SIGN_IN, READ = "reach", "sign_in", "read"
OK, FAILED, SKIPPED = "ok", "failed", "skipped"
MOST_BYTES = 64 * 1024


class Step(NamedTuple):
    """What was tried, what came of it, and that in words."""

    step: str
    outcome: str
    detail: str


@dataclass(frozen=True)
class _Visit:
    access: Access
    grants: Grants

    @property
    def url(self) -> str:
        return f"{self.access.base_url}/v2/"

    def ask(self, authorization: str = "") -> http.Response:
        return ask(
            Question(self.access, self.url, authorization=authorization, max_bytes=MOST_BYTES)
        )


def visit(access: Access, reference: Reference | None) -> list[Step]:
    """Knock, sign in, and read an image that is used here. Never raises a RegistryError.

    Nothing that was granted before counts: it may have been for another password.
    """
    here = _Visit(access, Grants())
    try:
        knocked = here.ask()
        reached = Step(REACH, OK, _reached(here, knocked))
    except RegistryError as error:
        return [Step(REACH, FAILED, str(error))]
    return [reached, _sign_in(here, knocked), _read(here, reference)]


def _reached(here: _Visit, knocked: http.Response) -> str:
    """Raises BadAnswer where something answers that is no registry, or another."""
    access = here.access
    named = {"host": access.host, "status": knocked.status}
    if origin(urlsplit(knocked.url)) != origin(urlsplit(here.url)):
        text = _("%(host)s only redirects to %(other)s: use that name in the compose file.")
        raise BadAnswer(text % {**named, "other": host_of(knocked.url)})
    if knocked.status not in {200, 401}:
        text = _("%(host)s does not answer as a registry does (%(status)d): is it the right port?")
        raise BadAnswer(text % named)
    if access.base_url.startswith("http:"):
        return _("%(host)s answers, over plain http.") % named
    if access.authorities:
        return _("%(host)s answers, over https, also with the CA that was added.") % named
    return _("%(host)s answers, over https.") % named


def _sign_in(here: _Visit, knocked: http.Response) -> Step:
    access = here.access
    named = {"host": access.host, "user": who(access)}
    if knocked.status == 200:
        text = _("%(host)s asks nobody who they are.")
        return Step(SIGN_IN, OK, text % named)
    header = knocked.headers.get("WWW-Authenticate", "")
    if not access.is_named:
        text = _("Nobody is named, so that only what is public can be read.")
        return Step(SIGN_IN, SKIPPED, " ".join(filter(None, [text, access.login_trouble])))
    try:
        answer = here.ask(here.grants.answer(access, "", header))
        if answer.status in {401, 403}:
            raise refusal(access, "")
    except RegistryError as error:
        return Step(SIGN_IN, FAILED, str(error))
    by_token = any(each.scheme == "bearer" for each in challenges(header))
    way = _("by a token") if by_token else _("by the password itself")
    text = _("Signed in as %(user)s, %(way)s.")
    return Step(SIGN_IN, OK, text % {**named, "way": way})


def _read(here: _Visit, reference: Reference | None) -> Step:
    if reference is None:
        return Step(READ, SKIPPED, _("No service here uses it, so that nothing was read."))
    image = str(reference)
    try:
        RegistryClient(here.access, here.grants).head(reference)
    except RegistryError as error:
        return Step(READ, FAILED, str(error))
    return Step(READ, OK, _("%(image)s can be read.") % {"image": image})
