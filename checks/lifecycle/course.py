"""What starting, stopping or restarting comes to: one service after the other, in order.

A course is a value. A page shows it before it is asked for, and a job's parameters hold it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any, Self

from checks.updating.plan import Project


class Action(StrEnum):
    START = "start"
    STOP = "stop"
    RESTART = "restart"


@dataclass(frozen=True)
class Turn:
    """One service. `after` names those of the course that have to be done with before: where one
    of them fails, this one is left as it is. `along` says that nobody named it: it belongs to
    another that somebody did."""

    service_id: str
    service_name: str
    after: tuple[str, ...] = ()
    along: bool = False


@dataclass(frozen=True)
class Course:
    """`bereft` names services that run and go on without one that is stopped."""

    action: Action
    project: Project
    turns: tuple[Turn, ...]
    bereft: tuple[str, ...] = ()

    @property
    def names(self) -> frozenset[str]:
        return frozenset(each.service_name for each in self.turns)

    def as_params(self) -> dict[str, Any]:
        """For a job: the same for the same work."""
        return {
            "action": str(self.action),
            "project": self.project.as_json(),
            "turns": [asdict(each) for each in self.turns],
        }

    @classmethod
    def from_params(cls, given: Mapping[str, Any]) -> Self:
        """Read what `as_params` wrote."""
        return cls(
            action=Action(given["action"]),
            project=Project.from_json(given["project"]),
            turns=tuple(Turn(**{**each, "after": tuple(each["after"])}) for each in given["turns"]),
        )
