"""Which platform's image an engine takes where there are several. Pure.

As containerd has it, whose rules Docker's engine and others go by (`platforms.Only` in
github.com/containerd/platforms): the platform itself, else one that its processor runs, too.
"""

from __future__ import annotations

from collections.abc import Iterable

_IMPLIED = {"arm64": "v8", "amd64": "v1", "arm": "v7"}
_OLDEST_ARM = 5


def best_of(platform: str, offered: Iterable[str]) -> str | None:
    """The one of these, each `os/arch[/variant]`, that an engine of this platform takes.

    An ARM processor runs what was built for an older one, a 64-bit one also what was built for 32
    bits, and an AMD64 one also 386.
    """
    places = {each: place for place, each in reversed(list(enumerate(_runs(_parts(platform)))))}
    fitting = [(places[_parts(each)], each) for each in offered if _parts(each) in places]
    return min(fitting, key=lambda pair: pair[0])[1] if fitting else None


Parts = tuple[str, str, str]


def _parts(platform: str) -> Parts:
    """os, architecture and variant, the one that goes without saying where none is said."""
    system, _slash, rest = platform.partition("/")
    architecture, _slash, variant = rest.partition("/")
    return system, architecture, variant or _IMPLIED.get(architecture, "")


def _runs(platform: Parts) -> list[Parts]:
    """What a processor runs, its own first."""
    system, architecture, variant = platform
    number = variant.removeprefix("v")
    version = int(number) if number.isascii() and number.isdigit() and len(number) < 3 else 0
    match architecture:
        case "amd64":
            ours = _down(system, "amd64", version, to=1)
            return [platform, *ours, (system, "386", "")]
        case "arm":
            return [platform, *_down(system, "arm", version, to=_OLDEST_ARM)]
        case "arm64":
            ours = _down(system, "arm64", version, to=8)
            return [platform, *ours, *_down(system, "arm", 8, to=_OLDEST_ARM)]
        case _other:
            return [platform]


def _down(system: str, architecture: str, version: int, *, to: int) -> list[Parts]:
    return [(system, architecture, f"v{each}") for each in range(version, to - 1, -1)]
