"""The stacks that a channel can be for. Stacks are of a layer above, which registers them here."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class StackChoice:
    id: str
    name: str
    host: str
    is_archived: bool = False


Load = Callable[[], Iterable[StackChoice]]
_loads: list[Load] = []


def register(load: Load) -> None:
    """`load` gives them in order, by host and then by name, in one query."""
    if load not in _loads:
        _loads.append(load)


def known() -> dict[str, StackChoice]:
    """All of them by id, the archived ones too."""
    return {stack.id: stack for load in _loads for stack in load()}
