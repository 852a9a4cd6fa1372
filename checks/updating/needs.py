"""What services need of each other: in which order they come, and what belongs to them. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from checks.discovery.composition import Part

Beside = Callable[[str], Iterable[str]]
"""Names of services, by the name of one."""


def network_host(part: Part) -> str:
    """The service whose network one uses, as its files say; empty where that is its own."""
    kind, _colon, host = str(part.get("network_mode") or "").partition(":")
    return host if kind == "service" else ""


def needed_as_written(part: Part) -> list[str]:
    """What Compose must see of a project, or it takes no service that is written so."""
    host = network_host(part)
    return [*(part.get("depends_on") or ()), *([host] if host else ())]


def profiles(names: Iterable[str], written: Mapping[str, Part], needed: Beside) -> list[str]:
    """Those of these services, and of what these need, however far."""
    parts = (written.get(name, {}) for name in closure(names, needed))
    return sorted({each for part in parts for each in part.get("profiles") or ()})


def closure(names: Iterable[str], beside: Beside) -> set[str]:
    """These names, those beside them, and so on."""
    found: set[str] = set()
    waiting = list(names)
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting += beside(name)
    return found


def in_order(names: Iterable[str], before: Beside) -> list[str]:
    """Each after those that come before it, which are in it, too; else by name. A circle, which
    Compose refuses, is cut somewhere."""
    order: list[str] = []

    def put(name: str, above: frozenset[str]) -> None:
        if name in order or name in above:
            return
        for first in sorted(before(name)):
            put(first, above | {name})
        order.append(name)

    for name in sorted(names):
        put(name, frozenset())
    return order
