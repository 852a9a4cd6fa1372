"""Why an engine cannot be asked, in words that say how to mend it."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator

from django.utils.translation import gettext as _
from docker.errors import APIError
from requests import Timeout

DEFAULT_PLACE = "unix:///var/run/docker.sock"


def explain(error: BaseException, docker_host: str) -> str:
    """Return the reason and the remedy for an error of the Docker SDK."""
    place = docker_host or os.environ.get("DOCKER_HOST", "") or DEFAULT_PLACE
    chain = list(_chain(error))
    number = next((e.errno for e in chain if isinstance(e, OSError) and e.errno), 0)
    refused = next((e for e in chain if isinstance(e, APIError)), None)
    if number == errno.ENOENT:
        return _absent(place)
    if number in (errno.EACCES, errno.EPERM):
        return _forbidden(place)
    if refused is not None and refused.status_code == 403:
        return _(
            "The socket proxy at %(place)s refuses a request that discovery needs: grant it "
            "reading of containers, images and version (CONTAINERS=1, IMAGES=1, VERSION=1)."
        ) % {"place": place}
    if any(isinstance(e, Timeout | TimeoutError) for e in chain):
        return _("The Docker Engine at %(place)s took too long to answer.") % {"place": place}
    if number == errno.ECONNREFUSED:
        return _(
            "Nothing answers at %(place)s. Start the Docker Engine there, or set "
            "DOCKREV_DOCKER_HOST to where it is."
        ) % {"place": place}
    text = _("The Docker Engine at %(place)s cannot be asked: %(why)s")
    return text % {"place": place, "why": str(chain[-1])[:300]}


def _absent(place: str) -> str:
    return _(
        "There is no Docker Engine at %(place)s: the socket is not there. Start Docker, or mount "
        "its socket into Dockrev's container, or set DOCKREV_DOCKER_HOST to where it is."
    ) % {"place": place}


def _forbidden(place: str) -> str:
    return _(
        "Dockrev may not use the socket %(place)s. Add its user to the group that owns the "
        "socket (group_add in a compose file), or set DOCKREV_DOCKER_HOST to a socket proxy."
    ) % {"place": place}


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
