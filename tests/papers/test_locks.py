"""The lock files can be installed on any day, whatever was released since they were made."""

from __future__ import annotations

import re
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

CHECKOUT = Path(__file__).resolve().parent.parent.parent
_PIN = re.compile(r"^(?P<name>[\w.-]+)(?:\[(?P<extras>[\w,-]+)\])?==", re.MULTILINE)


def pins(lock: str) -> dict[str, set[str]]:
    """The extras that a lock file names for each package."""
    found = _PIN.finditer(CHECKOUT.joinpath(lock).read_text())
    return {
        canonicalize_name(each["name"]): set(filter(None, (each["extras"] or "").split(",")))
        for each in found
    }


def with_extras(names: set[str]) -> Iterator[tuple[str, str]]:
    """What the installed ones of these packages require with an extra: the package, the extra."""
    for name in names & {canonicalize_name(each.name) for each in metadata.distributions()}:
        for line in metadata.requires(name) or []:
            requirement = Requirement(line)
            if requirement.marker is None or requirement.marker.evaluate({"extra": ""}):
                yield from (
                    (canonicalize_name(requirement.name), each) for each in requirement.extras
                )


@pytest.mark.parametrize("lock", ["requirements.lock", "requirements-dev.lock"])
def test_it_pins_what_is_required_with_an_extra_under_that_extra(lock: str) -> None:
    """Else pip looks for the newest release of it, and refuses that for want of a hash."""
    pinned = pins(lock)
    wanted = set(with_extras(set(pinned)))
    assert {each for each in wanted if each[1] not in pinned[each[0]]} == set()
