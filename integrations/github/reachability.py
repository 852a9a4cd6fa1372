"""Whether GitHub can call us: the callback URL, and a call of our own to it.

What can be known from here is not all: an answer proves that the way through the proxy is right,
not that the Internet ends at the proxy; and a router may keep us from calling ourselves by our
public name while it lets GitHub through.
"""

from __future__ import annotations

import hmac
import ipaddress
import json
import socket
import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

from django.utils.translation import gettext as _

from dockrev import http
from dockrev.turns import turns
from dockrev.unreachable import host_of
from integrations.callbacks import callback_of, url_of
from integrations.endpoints import is_loopback
from integrations.models import Delivery, HookAccount, Receiver
from integrations.receivers.base import NotAnObject, json_object, text
from integrations.receivers.github import GitHubPackages

PATH = url_of(GitHubPackages.kind, base="")
TIMEOUT = (5.0, 5.0)
MAX_ANSWER = 64 * 1024
# Endings of names that only a network of one's own knows.
_INSIDE = (".local", ".lan", ".internal", ".home.arpa", ".localdomain", ".home", ".test")
_SIGN_IN = {401, 403, 407, 511}


@dataclass(frozen=True)
class Tried:
    """What came of the call. `outcome` is a word for programs, `words` and `hints` for people.

    `works`: it came in here as it was sent.
    """

    outcome: str
    words: str
    hints: tuple[str, ...] = ()

    @property
    def works(self) -> bool:
        return self.outcome == "works"


def warnings(url: str) -> list[str]:
    """What speaks against a callback URL without asking anybody."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    found = []
    if is_loopback(host):
        found.append(_("GitHub cannot call this address: it is this machine's own."))
    elif _is_inside(host):
        found.append(_("GitHub cannot call this address: only your own network knows it."))
    if not parts.path.rstrip("/").endswith(PATH):
        words = _("The path does not end in %(path)s, so something in front has to add it.")
        found.append(words % {"path": PATH})
    return found


def what_a_proxy_must_keep() -> list[str]:
    """What has to come through as GitHub sends it."""
    return [
        _("POST requests to %(path)s, without a sign-in page in front of it") % {"path": PATH},
        _("The body, byte for byte, up to 25 MiB"),
        _("The headers X-Hub-Signature-256, X-GitHub-Event, X-GitHub-Delivery, X-GitHub-Hook-ID"),
        _("Content-Type and Content-Length, or chunked bodies"),
        _("A certificate that GitHub trusts, with all that lies between it and its authority"),
        _("An answer within 10 seconds, and no redirect in place of one"),
    ]


def try_callback(account: HookAccount, receiver: Receiver) -> Tried:
    """Send a signed ping of our own to the callback URL, and see whether it comes in here.

    Never inside a transaction.
    """
    url = callback_of(account)
    if not url:
        return Tried("no_url", _("There is no callback URL yet."))
    if not receiver.secret:
        return Tried("no_secret", _("There is no secret yet: switch the feature on first."))
    delivery = str(uuid4())
    try:
        with turns.aside():
            answer = _send(url, receiver.secret, delivery)
    except http.Unreachable as error:
        return _not_reached(url, error)
    if Delivery.objects.filter(receiver=receiver, sender_id=delivery).exists():
        words = _("It came in here, with body and headers unchanged.")
        return Tried("works", words, tuple(_doubts(url)))
    return _misled(answer, receiver)


def _send(url: str, secret: str, delivery: str) -> http.Response:
    body = json.dumps({"zen": "Is anybody there?", "hook_id": 0}).encode()
    signature = hmac.new(secret.encode(), body, sha256).hexdigest()
    headers = {
        "Content-Type": "application/json",
        "X-GitHub-Event": "ping",
        "X-GitHub-Delivery": delivery,
        "X-Hub-Signature-256": f"sha256={signature}",
    }
    return http.request(
        "POST", url, headers=headers, body=body, timeout=TIMEOUT, max_bytes=MAX_ANSWER
    )


def _misled(answer: http.Response, receiver: Receiver) -> Tried:
    """Something answered, and the call did not come in here."""
    if 300 <= answer.status < 400:
        return _redirected(answer)
    try:
        body = json_object(answer.body)
    except NotAnObject:
        return _not_ours(answer)
    code = text(body, "error", "code")
    if answer.status == 200 and text(body, "decision"):
        return _another(body, receiver)
    if code == "invalid_signature":
        return Tried(
            "wrong_secret",
            _("A Dockrev answers there, and does not take the signature."),
            (
                _("It may be another Dockrev, with another secret."),
                _("Or something on the way changes the body or drops X-Hub-Signature-256."),
            ),
        )
    if code == "invalid_argument":
        return Tried(
            "headers_lost",
            _("A Dockrev answers there, but GitHub's headers do not come through."),
            (_("Let the proxy pass the headers X-GitHub-Event and X-GitHub-Delivery."),),
        )
    if code == "rate_limited":
        return Tried(
            "rate_limited",
            _("A Dockrev answers there, but had too many wrong calls. Wait a minute."),
        )
    return _not_ours(answer)


def _another(body: dict[str, Any], receiver: Receiver) -> Tried:
    """It was taken, and is not in our database."""
    if text(body, "reason") == "disabled" and not receiver.enabled:
        return Tried(
            "disabled",
            _("It came in, and was not kept: the feature is switched off."),
            (_("Switch it on, and test again to be sure that it comes in here."),),
        )
    return Tried(
        "another_dockrev",
        _("Another Dockrev with the same secret answers there, not this one."),
        (_("Look at where the name and the proxy lead."),),
    )


def _redirected(answer: http.Response) -> Tried:
    where = host_of(answer.headers.get("Location", ""))
    words = _("The address redirects to %(host)s. GitHub does not follow redirects.")
    return Tried(
        "redirected",
        words % {"host": where},
        (
            _("If that is a sign-in page, let %(path)s through without it.") % {"path": PATH},
            _("Otherwise enter the address that it redirects to."),
        ),
    )


def _not_ours(answer: http.Response) -> Tried:
    """Something other than Dockrev answered, or stood in the way."""
    status = {"status": answer.status}
    let_through = _("Let %(path)s through without a sign-in page.") % {"path": PATH}
    if answer.status in _SIGN_IN or (answer.status == 200 and _is_page(answer)):
        words = _("Something in front of Dockrev wants a sign-in, or lets nobody in (%(status)d).")
        return Tried("sign_in", words % status, (let_through,))
    if answer.status == 404:
        words = _("Nothing answers at this path (404). The proxy may lead elsewhere.")
        return Tried("not_found", words, (_("It has to end in %(path)s.") % {"path": PATH},))
    if answer.status == 405:
        words = _("POST is not allowed there (405).")
        return Tried("method", words, (_("Let the proxy pass POST requests."),))
    if answer.status == 413:
        words = _("The body is too long for something in front of Dockrev (413).")
        return Tried("too_large", words, (_("Allow bodies of up to 25 MiB."),))
    if answer.status >= 500:
        words = _("The proxy, or what is behind it, answers with an error (%(status)d).")
        return Tried("server_error", words % status, (_("Is Dockrev's address in it right?"),))
    words = _("What answers there is not Dockrev (%(status)d).")
    return Tried("not_dockrev", words % status)


def _is_page(answer: http.Response) -> bool:
    kind = answer.headers.get("Content-Type", "").lower()
    return "html" in kind or answer.body.lstrip()[:1] == b"<"


def _not_reached(url: str, error: http.Unreachable) -> Tried:
    """Nothing answered here. That says nothing sure of GitHub, except where TLS is wrong."""
    causes = list(_causes(error))
    outcome = next((word for word, kind in _FAULTS if _has(causes, kind)), "unreachable")
    hints = list(warnings(url))
    if outcome == "tls":
        hints.append(_("GitHub does not call an address whose certificate it does not trust."))
    elif not hints:
        hints.append(
            _(
                "It may still be reachable from outside: many routers do not let their own network "
                "call its public address. Send a ping from GitHub to be sure."
            )
        )
    return Tried(outcome, str(error), tuple(hints))


_FAULTS: list[tuple[str, type[BaseException]]] = [
    ("tls", ssl.SSLError),
    ("dns", socket.gaierror),
    ("refused", ConnectionRefusedError),
]


def _has(causes: list[BaseException], kind: type[BaseException]) -> bool:
    return any(isinstance(cause, kind) for cause in causes)


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def _doubts(url: str) -> Iterator[str]:
    """Why GitHub may fail where we did not."""
    host = urlsplit(url).hostname or ""
    said = warnings(url)
    yield from said
    if not said and _resolves_inside(host):
        yield _(
            "From here the name leads to an address of your own network. GitHub needs a public "
            "one: send a ping from GitHub to be sure."
        )


def _resolves_inside(host: str) -> bool:
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        return False
    return any(not ipaddress.ip_address(info[4][0]).is_global for info in found)


def _is_inside(host: str) -> bool:
    """Whether a host is a private address, or a name that only a network of one's own knows."""
    try:
        return not ipaddress.ip_address(host).is_global
    except ValueError:
        return "." not in host.strip(".") or host.rstrip(".").endswith(_INSIDE)
