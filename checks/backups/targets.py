"""Which data of a service is backed up before an update, and how. Pure but for `sayings_of`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any

from checks import policies
from checks.models import Service
from checks.updating.plan import Data
from checks.updating.runs import Mount
from checks.versions.policies import LIVE, SKIP, STOP
from dockrev import preferences

HOWS = (SKIP, LIVE, STOP)
INHERIT, FORCE = "inherit", "force"
MODES = (INHERIT, SKIP, FORCE)  # of one update
MEGABYTE = 1024 * 1024
# Of the machine, not of a service.
_SYSTEM = ("/proc", "/sys", "/dev", "/run", "/var/run", "/etc/localtime", "/etc/timezone")


@dataclass(frozen=True)
class Saying:
    """What is said of a service's data: of all of it, and by `key` of single targets."""

    how: str = SKIP
    targets: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Sayings:
    """What is said of the services of stacks, by stack and name, and for one update. `most` is how
    many bytes a target may have."""

    by_service: Mapping[tuple[str, str], Saying] = field(default_factory=dict)
    mode: str = INHERIT
    most: int = 0

    def data(self, stack_id: str, service: str, mounts: Iterable[Mount]) -> Iterator[Data]:
        """What a service keeps outside of its containers, each with how it is backed up."""
        said = self.by_service.get((stack_id, service), Saying())
        most = 0 if self.mode == FORCE else self.most
        for mount in mounts:
            if (how := self._how(said, mount)) is not None:
                yield Data(service, mount.kind, mount.name, mount.destination, how, most)

    def _how(self, said: Saying, mount: Mount) -> str | None:
        """None for what no update can harm, unless somebody says something of it."""
        own = said.targets.get(key(mount.kind, mount.name))
        if own is None and not is_data(mount):
            return None
        if self.mode == SKIP:
            return SKIP
        if own is not None:
            return own
        return LIVE if self.mode == FORCE and said.how == SKIP else said.how


def sayings_of(stack_ids: Iterable[str], mode: str) -> Sayings:
    """Two queries."""
    services = Service.objects.with_policies().filter(stack__in=list(stack_ids))
    found = {
        (each.stack_id, each.name): Saying(
            policies.of_service(each).held["backup"].value, known_targets(each.backup_targets)
        )
        for each in services
    }
    return Sayings(found, mode, preferences.get("backup_limit_mb") * MEGABYTE)


def key(kind: str, name: str) -> str:
    """How a target is named where something is said of it."""
    return f"{kind}:{name}"


def are_shared(data: Data, mount: Mount) -> bool:
    """Whether a mount is this data, or may write into a folder within it."""
    if (mount.kind, mount.name) == (data.kind, data.name):
        return True
    is_below = PurePosixPath(mount.name).is_relative_to(data.name)
    return mount.kind == data.kind == "bind" and mount.is_writable and is_below


def known_targets(stored: Any) -> dict[str, str]:
    """Whatever is in the column, as what it should be."""
    if not isinstance(stored, dict):
        return {}
    return {name: how for name, how in stored.items() if how in HOWS}


def is_data(mount: Mount) -> bool:
    """Whether a policy is about it. What an update cannot harm is only saved if it is named."""
    if not mount.is_writable or mount.name == "/" or mount.name.endswith(".sock"):
        return False
    is_system = any(mount.name == each or mount.name.startswith(f"{each}/") for each in _SYSTEM)
    return mount.kind == "volume" or not is_system
