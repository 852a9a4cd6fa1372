"""What a project runs, as it is told; who asks for it is `running.py`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from checks.discovery.labels import Origin


@dataclass(frozen=True)
class Mount:
    """A volume or a path of the host that a container has; `name` is the volume's, or the path."""

    kind: str
    name: str
    destination: str
    is_writable: bool


@dataclass(frozen=True)
class Runs:
    """What the containers of a service are. `health` is empty where they have no healthcheck;
    `network_of` names the service whose network they use; `stopped` counts those beside
    `replicas` that do not run. `depends_on` says by service whether they restart with it; it is
    None where Compose, in its version 1, did not note that."""

    image_id: str
    replicas: int
    is_running: bool
    health: str = ""
    network_of: str = ""
    mounts: tuple[Mount, ...] = ()
    ids: frozenset[str] = frozenset()
    stopped: int = 0
    depends_on: Mapping[str, bool] | None = None


@dataclass(frozen=True)
class Running:
    """What a project runs, by service, and the files it was started from."""

    origin: Origin
    services: Mapping[str, Runs]
