"""How an update ends where it does not end well."""

from __future__ import annotations

from dataclasses import dataclass


class UpdateFailed(Exception):
    """A step did not do what it should; the text is for people and holds no secret."""


class Forbidden(UpdateFailed):
    """Whoever stands before the engine lets us only look."""


class EngineAway(UpdateFailed):
    """It does not answer, or cannot be reached."""


class Untouchable(UpdateFailed):
    """It is Dockrev itself, or what Dockrev stands on."""


class WorldMoved(UpdateFailed):
    """What the plan says is not so any more. Nothing was touched."""


class LeftSo(UpdateFailed):
    """It cannot be put back any more from here: it is left as it is, and the text says how."""


@dataclass(frozen=True)
class Trouble:
    """What a container that failed left behind: its name, its last lines, and what its
    healthcheck said."""

    container: str
    log: tuple[str, ...] = ()
    health: tuple[str, ...] = ()


class Unhealthy(UpdateFailed):
    """The containers do not run as they should."""

    def __init__(self, words: str, trouble: Trouble | None = None) -> None:
        super().__init__(words)
        self.trouble = trouble
