"""Whether a Dockrev answers over the network, as its image's own check asks it from inside."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.utils.translation import gettext as _

from checks.updating.containers import Container
from checks.updating.failing import Unhealthy

PATIENCE = 60.0  # seconds
PAUSE = 0.5
CALL_TIMEOUT = 5
MAX_ANSWER = 64 * 1024

LOOPBACK = {"127.0.0.1": "127.0.0.1", "::1": "::1"}
ANY = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - where that is reached from here


@dataclass(frozen=True)
class Answer:
    """`status` is 0 where nobody is to be reached."""

    status: int
    said: dict[str, Any]


def addresses(container: Container, network: str) -> list[str]:
    """Where a container that was made anew is reached from its helper, which has its networks."""
    host = settings.HTTP_HOST
    if network == "host" or network.startswith("container:"):
        return [(LOOPBACK | ANY).get(host, host)]
    return sorted(container.addresses) if host in ANY else []


def wait(container: Container, network: str) -> str:
    """Wait until server and worker say that they are well; return the version that answers.

    Empty where its own healthcheck is all that can be had: not everywhere may containers reach
    each other. Raises Unhealthy.
    """
    where = addresses(container, network)
    until = time.monotonic() + PATIENCE
    answer = Answer(0, {})
    while where and time.monotonic() < until:
        for address in where:
            answer = _ask(address, "/api/health?require=worker")
            if answer.status == HTTPStatus.OK:
                return str(_ask(address, "/api/version").said.get("version", ""))
            if answer.status:
                break
        time.sleep(PAUSE)
    if answer.status or not container.health:
        text = _("It runs, but does not answer as it should: %(status)s %(said)s")
        values = {"status": answer.status or _("no answer"), "said": answer.said or ""}
        raise Unhealthy(text % values)
    return ""


def _ask(address: str, path: str) -> Answer:
    asked = HTTPConnection(address, settings.HTTP_PORT, timeout=CALL_TIMEOUT)
    try:
        asked.request("GET", path, headers=dict(_headers()))
        answer = asked.getresponse()
        text = answer.read(MAX_ANSWER)
    except (OSError, HTTPException):
        return Answer(0, {})
    finally:
        asked.close()
    try:
        said = json.loads(text)
    except ValueError:
        said = {}
    return Answer(answer.status, said if isinstance(said, dict) else {})


def _headers() -> Iterator[tuple[str, str]]:
    """Under another name than its public one it would refuse."""
    public = urlsplit(settings.PUBLIC_URL)
    yield "Host", public.netloc or "localhost"
    if public.scheme == "https":
        yield "X-Forwarded-Proto", "https"
