"""What a fake Harbor knows, in the members of its API's description."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

EVENTS = (
    "DELETE_ARTIFACT",
    "PULL_ARTIFACT",
    "PUSH_ARTIFACT",
    "QUOTA_EXCEED",
    "QUOTA_WARNING",
    "REPLICATION",
    "SCANNING_COMPLETED",
    "SCANNING_FAILED",
    "SCANNING_STOPPED",
    "TAG_RETENTION",
)


@dataclass
class Person:
    """A user or a robot. `projects` are those that it is admin of; None: of all."""

    name: str
    secret: str
    projects: set[str] | None = None
    is_robot: bool = False


@dataclass
class Project:
    id: int
    name: str
    public: bool = False

    def shown(self) -> dict[str, Any]:
        return {
            "project_id": self.id,
            "name": self.name,
            "owner_name": "admin",
            "creation_time": shown(datetime(2025, 1, 2, tzinfo=UTC)),
            "metadata": {"public": str(self.public).lower()},
            "repo_count": 0,
        }


@dataclass
class Policy:
    id: int
    project: Project
    name: str
    targets: list[dict[str, Any]]
    event_types: list[str]
    enabled: bool = True
    description: str = ""
    changed: int = 0  # how often it was replaced

    def shown(self) -> dict[str, Any]:
        moment = datetime(2025, 3, 4, 5, 6, self.changed % 60, tzinfo=UTC)
        return {
            "id": self.id,
            "name": self.name,
            "description": self.description,
            "project_id": self.project.id,
            "targets": [dict(each) for each in self.targets],
            "event_types": list(self.event_types),
            "creator": "admin",
            "creation_time": shown(datetime(2025, 3, 4, 5, 6, tzinfo=UTC)),
            "update_time": shown(moment),
            "enabled": self.enabled,
        }


@dataclass
class Execution:
    """One call of a policy's target. `payload` is what was sent, in the order it was sent in."""

    id: int
    policy: Policy
    payload: dict[str, Any] = field(repr=False)
    status: str = "Success"
    said: str = ""
    at: datetime = field(default_factory=lambda: datetime.now(UTC))

    def shown(self) -> dict[str, Any]:
        return {
            "id": self.id,
            "vendor_type": "WEBHOOK",
            "vendor_id": self.policy.id,
            "status": self.status,
            "status_message": self.said,
            "metrics": {"task_count": 1},
            "trigger": "EVENT",
            "extra_attrs": in_order_of_letters(self.payload),
            "start_time": shown(self.at),
            "end_time": shown(self.at),
        }


def in_order_of_letters(value: Any) -> Any:
    """What is kept as a map comes back in another order than it was sent in."""
    if isinstance(value, dict):
        return {key: in_order_of_letters(value[key]) for key in sorted(value)}
    return [in_order_of_letters(each) for each in value] if isinstance(value, list) else value


def shown(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"
