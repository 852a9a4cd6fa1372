"""Why an engine cannot be asked, in words that say how to mend it."""

from __future__ import annotations

import errno
import os
import socket
import ssl
from collections.abc import Iterator
from http import HTTPStatus

from django.utils.translation import gettext as _
from docker.errors import APIError
from requests import Timeout

from checks.discovery.places import Place, Unreachable
from dockrev import addresses

DEFAULT_PLACE = "unix:///var/run/docker.sock"


def explain(error: BaseException, place: Place) -> str:
    """Return the reason and the remedy for an error of the Docker SDK."""
    url = place.url or os.environ.get("DOCKER_HOST", "") or DEFAULT_PLACE
    chain = list(_chain(error))
    told = next((e for e in chain if isinstance(e, Unreachable | addresses.Forbidden)), None)
    if told is not None:
        return str(told)
    number = next((e.errno for e in chain if isinstance(e, OSError) and e.errno), 0)
    refused = next((e for e in chain if isinstance(e, APIError)), None)
    tls = next((e for e in chain if isinstance(e, ssl.SSLError)), None)
    if tls is not None:
        return _tls(tls) % {"place": url}
    if number == errno.ENOENT:
        return _absent(url, place)
    if number in (errno.EACCES, errno.EPERM):
        return _forbidden(url)
    if refused is not None and refused.status_code == HTTPStatus.FORBIDDEN:
        return _(
            "The socket proxy at %(place)s refuses a request that discovery needs: grant it "
            "reading of containers, images and version (CONTAINERS=1, IMAGES=1, VERSION=1)."
        ) % {"place": url}
    if any(isinstance(e, Timeout | TimeoutError) for e in chain):
        return _("The Docker Engine at %(place)s took too long to answer.") % {"place": url}
    if any(isinstance(e, socket.gaierror) for e in chain):
        return _("The name of %(place)s is not known in the network here.") % {"place": url}
    if number == errno.ECONNREFUSED:
        text = _("Nothing answers at %(place)s. Start the Docker Engine there, or %(other)s.")
        return text % {"place": url, "other": _elsewhere(place)}
    text = _("The Docker Engine at %(place)s cannot be asked: %(why)s")
    return text % {"place": url, "why": str(chain[-1])[:300]}


def _elsewhere(place: Place) -> str:
    if place.is_typed:
        return _("correct its address in Settings, Docker hosts")
    return _("set DOCKREV_DOCKER_HOST to where it is")


def _absent(url: str, place: Place) -> str:
    return _(
        "There is no Docker Engine at %(place)s: the socket is not there. Start Docker, or mount "
        "its socket into Dockrev's container, or %(other)s."
    ) % {"place": url, "other": _elsewhere(place)}


def _forbidden(url: str) -> str:
    return _(
        "Dockrev may not use the socket %(place)s. Add its user to the group that owns the "
        "socket (group_add in a compose file), or set DOCKREV_DOCKER_HOST to a socket proxy."
    ) % {"place": url}


def _tls(error: ssl.SSLError) -> str:
    """OpenSSL's words are for those who wrote it."""
    said = str(error).lower()
    if "hostname mismatch" in said or "ip address mismatch" in said:
        return _(
            "The certificate of %(place)s is for another name. Enter the address by a name that "
            "is in it, or make one for this name."
        )
    if isinstance(error, ssl.SSLCertVerificationError):
        return _(
            "The certificate of %(place)s is not signed by a CA that is trusted for it, or it has "
            "ended. Enter the CA's certificate."
        )
    if "alert" in said:
        return _(
            "%(place)s refuses our certificate. Enter one that its CA signed, and the key of it."
        )
    return _(
        "%(place)s does not speak TLS. Protect it, or reach it by ssh://; where nobody else can "
        "listen, it can be allowed to be asked without encryption."
    )


def _chain(error: BaseException) -> Iterator[BaseException]:
    """The error and what is below it: causes, contexts, and errors that it was made with."""
    waiting: list[object] = [error]
    seen: set[int] = set()
    while waiting:
        current = waiting.pop(0)
        if not isinstance(current, BaseException) or id(current) in seen:
            continue
        seen.add(id(current))
        yield current
        below = (getattr(current, "reason", None), current.__cause__, current.__context__)
        waiting += [*current.args, *below]
