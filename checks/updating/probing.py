"""Asks a container what its probes ask: over HTTP, for a TCP port, for a line of its log.

Of an answer only the status is read, and nothing is followed.
"""

from __future__ import annotations

import re
import socket
import ssl
import time
from collections.abc import Callable, Iterator
from contextlib import suppress

from django.utils.translation import gettext as _

from checks.updating.containers import Container
from checks.updating.demands import Demands
from checks.updating.engines import Engine
from checks.updating.routes import Route, routes_to
from checks.versions.patterns import compiled
from checks.versions.probes import HttpProbe
from dockrev import addresses

TIMEOUT = 2.0  # seconds for one try at one address
CLOSES_AT_ONCE = 0.2  # seconds in which a proxy of a port lets go where nobody is behind it
LONGEST_STATUS = 1024  # bytes

_STATUS = re.compile(rb"HTTP/[0-9]\.[0-9] ([0-9]{3})\b")


def why_not(engine: Engine, container: Container, demands: Demands) -> str:
    """What a container does not answer as it should; empty where it does. Raises UpdateFailed."""
    return next(_failures(engine, container, demands), "")


def _failures(engine: Engine, container: Container, demands: Demands) -> Iterator[str]:
    if http := demands.http:
        yield from _unless_one(engine, container, http.port, lambda route: _ask(http, route))
    if port := demands.tcp:
        yield from _unless_one(engine, container, port, _knock)
    if demands.log:
        search = compiled(demands.log).search
        if not any(search(line) for line in engine.lines_since(container)):
            yield _("No line of its log matches %(pattern)s.") % {"pattern": demands.log}


def _unless_one(
    engine: Engine, container: Container, port: int, attempt: Callable[[Route], str]
) -> Iterator[str]:
    """Why no route leads there, or what came of each that does, unless one did well."""
    routes = routes_to(engine, container, port)
    if not routes:
        text = _("Dockrev has no way to its port %(port)d: neither a network nor a published port.")
        yield text % {"port": port}
        return
    failures: list[str] = []
    for route in routes:
        try:
            with addresses.from_the_environment():
                failure = attempt(route)
        except OSError as error:
            failure = _said(error)
        if not failure:
            return
        failures.append(f"{route[0]}:{route[1]}: {failure}")
    yield "; ".join(failures)


def _said(error: OSError) -> str:
    if isinstance(error, TimeoutError):
        return _("no answer within %(seconds)d s") % {"seconds": TIMEOUT}
    return str(error.strerror or error)[:200]


def _knock(route: Route) -> str:
    with addresses.connect(*route, TIMEOUT) as line:
        line.settimeout(CLOSES_AT_ONCE)
        with suppress(TimeoutError):
            if not line.recv(1):
                return _("it closes the connection at once")
    return ""


def _ask(probe: HttpProbe, route: Route) -> str:
    ends = time.monotonic() + TIMEOUT
    lines = f"GET {probe.path} HTTP/1.1", "Host: localhost", "User-Agent: Dockrev", "Accept: */*"
    with addresses.connect(*route, TIMEOUT) as bare, _line(bare, is_secure=probe.is_secure) as line:
        line.sendall("\r\n".join([*lines, "Connection: close", "", ""]).encode())
        found = _STATUS.match(_first_line(line, ends))
    if found is None:
        return _("what it answers is not HTTP")
    status = int(found[1])
    if probe.lowest <= status <= probe.highest:
        return ""
    text = _("it answers %(path)s with %(status)d, not with %(lowest)d to %(highest)d")
    named = {"path": probe.path, "lowest": probe.lowest, "highest": probe.highest}
    return text % {**named, "status": status}


def _line(bare: socket.socket, *, is_secure: bool) -> socket.socket:
    """A container has no name that a certificate could be for: none is looked at."""
    if not is_secure:
        return bare
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context.wrap_socket(bare)


def _first_line(line: socket.socket, ends: float) -> bytes:
    """Raises TimeoutError, also where it drips."""
    text = b""
    while b"\n" not in text and len(text) < LONGEST_STATUS:
        left = ends - time.monotonic()
        if left <= 0:
            raise TimeoutError
        line.settimeout(left)
        part = line.recv(LONGEST_STATUS)
        if not part:
            break
        text += part
    return text
