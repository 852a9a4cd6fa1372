"""What messages say, one module for each kind: from the facts as they were found to a payload."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Said:
    """One message in words. `own` are the members of its payload that only its kind has, and
    `human` and `links`; a link is a path yet. `topic` is that of `Message`."""

    own: dict[str, Any]
    topic: str
