"""Under which addresses Dockrev may reach a port of a container: its own and those that its host
publishes it at, and no other, whoever wrote the port."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import urlsplit

from checks.updating.containers import Container, own_container
from checks.updating.engines import Engine

MOST = 6
LOOPBACK = "127.0.0.1"

Route = tuple[str, int]  # an address or a host's name, and a port


def routes_to(engine: Engine, container: Container, port: int) -> list[Route]:
    """The nearest first; none where Dockrev cannot get there. Raises UpdateFailed."""
    there = _with_network(engine, container)
    if there is None:
        return []
    inside = own_container()
    own = engine.container(inside) if inside else None
    hosts = _hosts(engine, own, is_inside=bool(inside))
    if there.network_mode == "host":
        return [(host, port) for host in hosts][:MOST]
    # In the networks of another machine these would be other containers' addresses.
    direct = there.addresses if own or engine.is_local else ()
    routes = [(address, port) for address in sorted(direct)]
    return list(dict.fromkeys([*routes, *_published(there, port, hosts)]))[:MOST]


def _with_network(engine: Engine, container: Container) -> Container | None:
    """The container whose network another is in: mostly its own."""
    kind, _colon, other = container.network_mode.partition(":")
    return engine.container(other) if kind == "container" else container


def _hosts(engine: Engine, own: Container | None, *, is_inside: bool) -> list[str]:
    """Where the engine's machine is, as Dockrev sees it."""
    if own is not None:
        return [LOOPBACK] if own.network_mode == "host" else sorted(own.gateways)
    if not engine.is_local:
        name = urlsplit(engine.place).hostname
        return [name] if name else []
    # In a container that the engine does not know, this would be Dockrev's own.
    return [] if is_inside else [LOOPBACK]


def _published(container: Container, port: int, hosts: list[str]) -> Iterator[Route]:
    for each in container.published:
        if each.port != port:
            continue
        if not each.address:
            yield from ((host, each.host_port) for host in hosts)
        elif each.address != LOOPBACK or LOOPBACK in hosts:
            yield each.address, each.host_port
