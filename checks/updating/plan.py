"""What an update will do, whole and in order, before any of it is done.

A plan is a value. A dry run shows it, applying runs it as it stands, and `fingerprint` tells
whether the world moved in between. It goes into a job's parameters as JSON.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, Self

from checks.versions.policies import SKIP


@dataclass(frozen=True)
class Project:
    """How Compose is called for a stack: what its labels say, as they say it.

    No label names the profiles: they are those of the services that have containers, and of what
    these depend on, for Compose takes no service whose dependency it does not see.
    """

    name: str
    working_dir: str
    config_files: tuple[str, ...]
    environment_files: tuple[str, ...] = ()
    profiles: tuple[str, ...] = ()

    def as_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, given: Mapping[str, Any]) -> Self:
        return cls(**{name: _frozen(value) for name, value in given.items()})


@dataclass(frozen=True)
class Edit:
    """One value that is changed in a file: the bytes from `start` on that are `old` become `new`.

    `sha256` is of the whole file before, `line` counts from 1, `names` says what the value belongs
    to: a service's image, or a variable.
    """

    path: str
    sha256: str
    start: int
    line: int
    old: str
    new: str
    names: str


@dataclass(frozen=True)
class Data:
    """A volume or a bind mount of a service, and how it is backed up: `skip`, `live`, `stop`.

    `name` is the volume's, or the path on the host. `most` is how many bytes it may have, 0 for any
    number; `size` is how many it has, where that was measured.
    """

    service: str
    kind: str
    name: str
    destination: str
    how: str
    most: int = 0
    size: int | None = None

    @property
    def is_saved(self) -> bool:
        return self.how != SKIP and not self.is_too_large

    @property
    def is_too_large(self) -> bool:
        return self.how != SKIP and 0 < self.most < (self.size or 0)


@dataclass(frozen=True)
class Change:
    """One service: what runs, and what is to. Digests are of the index or manifest in the registry.

    `image_id` is what its containers run now, by the engine's word: what a rollback goes back to.
    `with_it` names the services that are made anew together with it, because they share its
    network, or because an edit of it gives them another image, too; `pulls` are those of the
    latter, whose images must be pulled with its own; `also` are all that get another image by it,
    those that do not run included. `needs` names those of the plan that it
    depends on: where one of them fails, it is left as it is. `replicas` are how many containers the
    service has, then each of `with_it`. `data` is what it, and those of `pulls`, keep outside of
    their containers. `itself` says that it is Dockrev, whose container is made anew from outside;
    such a change is alone in its plan.
    """

    service_id: str
    service_name: str
    step: str
    image: str
    digest: str
    image_id: str
    target_image: str
    target_digest: str
    candidate_id: str = ""
    with_it: tuple[str, ...] = ()
    needs: tuple[str, ...] = ()
    edits: tuple[Edit, ...] = ()
    warnings: tuple[str, ...] = ()
    pulls: tuple[str, ...] = ()
    replicas: tuple[int, ...] = ()
    data: tuple[Data, ...] = ()
    itself: bool = False
    also: tuple[str, ...] = ()

    def as_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, given: Mapping[str, Any]) -> Self:
        edits = tuple(Edit(**each) for each in given["edits"])
        data = tuple(Data(**each) for each in given.get("data", ()))
        rest = {k: _frozen(v) for k, v in given.items() if k not in ("edits", "data")}
        return cls(**rest, edits=edits, data=data)


@dataclass(frozen=True)
class Plan:
    """The changes in the order in which they are made."""

    stack_id: str
    host_id: str
    project: Project
    changes: tuple[Change, ...]
    warnings: tuple[str, ...] = ()

    @property
    def fingerprint(self) -> str:
        """Another one wherever anything is done in another way. Warnings are words, and in the
        language of whoever looked; data grows all the time."""
        bare = replace(self, warnings=(), changes=tuple(map(_bare, self.changes)))
        text = json.dumps(bare.as_json(), sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()

    @property
    def edits(self) -> tuple[Edit, ...]:
        """All of them: what `edits.apply` is to be told `among`."""
        return tuple(edit for change in self.changes for edit in change.edits)

    @property
    def data(self) -> tuple[Data, ...]:
        return tuple(each for change in self.changes for each in change.data)

    @property
    def itself(self) -> bool:
        """Whether it is for Dockrev."""
        return any(change.itself for change in self.changes)

    def as_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, given: Mapping[str, Any]) -> Self:
        """Read what `as_json` wrote."""
        return cls(
            stack_id=given["stack_id"],
            host_id=given["host_id"],
            project=Project.from_json(given["project"]),
            changes=tuple(Change.from_json(each) for each in given["changes"]),
            warnings=_frozen(given["warnings"]),
        )


def _bare(change: Change) -> Change:
    return replace(
        change, warnings=(), data=tuple(replace(each, size=None) for each in change.data)
    )


def _frozen(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value
