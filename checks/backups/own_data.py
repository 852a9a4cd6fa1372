"""Whether a target has Dockrev's own data in it.

That is in no backup: whoever may fetch one would have all secrets that Dockrev keeps, and with its
keys be an administrator; and each backup would have all the others within it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

from django.conf import settings

from checks.updating.containers import own_container
from checks.updating.engines import Engine
from checks.updating.plan import Data


@dataclass(frozen=True)
class OwnData:
    """Where it is on an engine's machine: its path there, and the volume that it is in, if any."""

    path: PurePosixPath
    volume: str = ""

    def is_in(self, data: Data) -> bool:
        """Whether a target has any of it."""
        if data.kind == "volume":
            return data.name == self.volume
        target = PurePosixPath(data.name)
        return self.path.is_relative_to(target) or target.is_relative_to(self.path)


def own_data_at(engine: Engine) -> OwnData | None:
    """None where it is elsewhere. Raises UpdateFailed."""
    path = PurePosixPath(settings.DATA_DIR)
    if own := own_container():
        return _mounted(path, engine.look_inside(own).get("Mounts") or [])
    return OwnData(path) if engine.is_local else None


def _mounted(path: PurePosixPath, mounts: list[Mapping[str, Any]]) -> OwnData | None:
    """By what is mounted nearest above it."""
    above = [each for each in mounts if path.is_relative_to(str(each["Destination"]))]
    if not above:
        return None
    nearest = max(above, key=lambda each: len(str(each["Destination"])))
    below = path.relative_to(str(nearest["Destination"]))
    return OwnData(PurePosixPath(str(nearest["Source"])) / below, str(nearest.get("Name") or ""))
