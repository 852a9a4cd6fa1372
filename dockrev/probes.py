"""What each app knows about how this instance is doing, registered in `AppConfig.ready()`.

The lower layers ask here and never import the apps above them. Probes are called while somebody
waits, so they look at rows and do not call out.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

from django.db import DatabaseError, connection
from django.utils import timezone

from dockrev.models import Heartbeat

ALIVE_FOR = timedelta(seconds=20)
WORKER = "worker"

Health = Literal["ok", "absent", "down"]


HEALTH: dict[str, Callable[[], Health]] = {}


@dataclass(frozen=True)
class Concern:
    """What somebody should see to, in words, and the page where that is done."""

    words: str
    path: str


ATTENTION: list[Callable[[], list[Concern]]] = []


def concerns() -> list[Concern]:
    """All that needs attention; each probe takes one query."""
    return [concern for probe in ATTENTION for concern in probe()]


def health() -> dict[str, Health]:
    """Ask every part; without its database no other part can say anything."""
    database = database_health()
    if database != "ok":
        return {"database": database}
    return {"database": database} | {name: probe() for name, probe in HEALTH.items()}


def database_health() -> Health:
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except DatabaseError:
        return "down"
    return "ok"


def worker_health() -> Health:
    return "ok" if is_alive(WORKER, timezone.now()) else "down"


def beat(name: str, now: datetime, detail: dict[str, Any]) -> None:
    """Say that a part of the instance is alive."""
    Heartbeat.objects.update_or_create(name=name, defaults={"at": now, "detail": detail})


def is_alive(name: str, now: datetime) -> bool:
    return Heartbeat.objects.filter(name=name, at__gt=now - ALIVE_FOR).exists()
