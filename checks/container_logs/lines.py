"""What containers wrote, as it is shown: values, and the way to read them."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

from django.utils.module_loading import import_string

from checks.models import Service

MOST_LINES = 2000  # of one look
MOST_CONTAINERS = 20

# By name: the web process only needs the Docker SDK once somebody wants to see a log.
LOOK = "checks.container_logs.reading.look"
_MOMENT = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?(Z|[+-]\d\d:\d\d)")


class BadSince(ValueError):
    """It is neither a time nor what a look returned."""


@dataclass(frozen=True)
class Line:
    """`at` is the engine's time to the nanosecond, in one form, so that texts compare as times."""

    at: str
    container: str
    stream: str
    text: str

    @property
    def moment(self) -> datetime | None:
        return datetime.fromisoformat(self.at[:26] + "Z") if self.at else None


@dataclass(frozen=True)
class Source:
    """One container. `trouble` says why its log cannot be read, or not to its end."""

    id: str
    name: str
    status: str
    trouble: str = ""


@dataclass(frozen=True)
class Logs:
    """`names` are of all containers, `sources` those that were read; `since` goes on from here."""

    names: tuple[str, ...]
    sources: tuple[Source, ...]
    lines: tuple[Line, ...]
    since: str

    @property
    def can_be_read(self) -> bool:
        """Whether nothing stands in the way for at least one of them, or what came is a part."""
        troubles = [each.trouble for each in self.sources]
        return bool(self.lines) or not troubles or not all(troubles)


@dataclass(frozen=True)
class Since:
    """From when on: a time for all, or one for each container that was looked at before."""

    time: str = ""
    of: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def read(cls, text: str) -> Since:
        """Raises BadSince."""
        if "@" not in text:
            return cls(moment_of(text) if text else "")
        parts = [each.partition("@") for each in text.split(",")]
        if len(parts) > MOST_CONTAINERS:
            raise BadSince
        return cls(of={container: moment_of(at) for container, _at, at in parts})


def logs_of(service: Service, *, tail: int, since: Since, container: str = "") -> Logs:
    """The last lines of a service's containers, or of the one of that name, the oldest first.

    No query; `service` comes with its stack and host. Raises EngineUnavailable.
    """
    look: Callable[[Service, int, Since, str], Logs] = import_string(LOOK)
    return look(service, tail, since, container)


def moment_of(text: str) -> str:
    """A time of RFC 3339, in UTC and with nine digits. Raises BadSince."""
    read = _MOMENT.fullmatch(text)
    if read is None:
        raise BadSince
    try:
        moment = datetime.fromisoformat(read[1] + read[3]).astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise BadSince from error
    if moment.year < 1970:
        raise BadSince
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{read[2] or '':<09}Z"
