"""The name of an image, and what of it becomes another with another tag or digest."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple


class Goal(NamedTuple):
    """What an image is to be: its tag, where that becomes another, and the digest to pin."""

    tag: str = ""
    digest: str = ""


@dataclass(frozen=True)
class Swap:
    """`old` at `start` of an image's name becomes `new`."""

    start: int
    old: str
    new: str


def changed(image: str, *, tag: str = "", digest: str = "") -> str:
    """An image's name with another tag and, where it has one, another digest."""
    for swap in reversed(swaps(image, tag, digest)):
        end = swap.start + len(swap.old)
        image = image[: swap.start] + swap.new + image[end:]
    return image


def swaps(image: str, tag: str, digest: str) -> list[Swap]:
    """In the order of the name."""
    name, at, pinned = image.partition("@")
    colon = name.find(":", name.rfind("/") + 1)
    found = []
    if tag and colon >= 0 and name[colon + 1 :] != tag:
        found.append(Swap(colon + 1, name[colon + 1 :], tag))
    elif tag and colon < 0 and not at:
        found.append(Swap(len(name), "", f":{tag}"))
    if at and digest and pinned != digest:
        found.append(Swap(len(name) + 1, pinned, digest))
    return found


def narrowed(swap: Swap) -> Swap:
    """Without what stays at both ends."""
    lead = _shared(swap.old, swap.new)
    old, new = swap.old[lead:], swap.new[lead:]
    trail = _shared(old[::-1], new[::-1])
    return Swap(swap.start + lead, old[: len(old) - trail], new[: len(new) - trail])


def _shared(one: str, other: str) -> int:
    """How many characters two texts begin with alike."""
    pairs = enumerate(zip(one, other, strict=False))
    return next((at for at, (a, b) in pairs if a != b), min(len(one), len(other)))
