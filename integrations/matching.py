"""From what a registry says was pushed to the services that run it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import models
from django.db.models import Q

from checks import queue
from checks.models import Job, Registry, Service
from dockrev.prepared import Select
from integrations.receivers.base import ImageEvent, Reading

FRONTS = {"ghcr.io": "lscr.io"}  # a registry, and the name that stands in front of it
DISCOVERY_PAUSE = timedelta(minutes=1)


@dataclass(frozen=True)
class Match:
    """A service that runs the image of an event."""

    service_id: str
    service_name: str
    stack_id: str
    stack_name: str


def services_running(reading: Reading) -> list[Match]:
    """The services that run what a delivery names, or else what it may mean by it."""
    return _running(reading.images) or _running(reading.also)


def _running(events: Iterable[ImageEvent]) -> list[Match]:
    found: dict[str, Match] = {}
    for event in events:
        front = FRONTS.get(event.registry, event.registry)
        rows = _services(host=event.registry, front=front, repository=event.repository)
        found |= {row[0]: Match(*row) for row in rows}
    return list(found.values())


def _that_run(host: str, front: str, repository: str) -> models.QuerySet[Service, Any]:
    mirrors = Registry.objects.filter(mirror_of__in=[host, front]).values("host")
    return (
        Service.objects.present()
        .filter(Q(registry__in=[host, front]) | Q(registry__in=mirrors), repository=repository)
        .order_by("pk")
        .values_list("pk", "name", "stack_id", "stack__name")
    )


_services = Select(_that_run, "host", "front", "repository")


def ask_for_check(match: Match, *, tagged: bool, by: str, now: datetime) -> queue.Queued:
    """Have a service checked because its registry called.

    An event with a tag is acted on at once. One without is a child of an index whose own event
    comes with it, so it only asks for the later run. After a check that a delivery asked for, the
    next waits, so that the many deliveries of one push come to two checks at the most.
    """
    request = queue.Request(
        kind="check.service",
        reason=Job.Reason.WEBHOOK,
        scope=Job.Scope.SERVICE,
        stack_id=match.stack_id,
        service_id=match.service_id,
        subject=f"{match.stack_name} / {match.service_name}",
        created_by=by,
        notify=True,
        by_delivery=True,
    )
    earliest = now if tagged else now + queue.RERUN_AFTER
    return queue.enqueue_after_last(request, queue.RERUN_AFTER, earliest=earliest, now=now)


def ask_for_discovery(*, by: str, now: datetime) -> queue.Queued:
    """Look again at what runs here: once a minute at the most, later rather than never."""
    request = queue.Request(
        kind="discovery", reason=Job.Reason.WEBHOOK, created_by=by, by_delivery=True
    )
    return queue.enqueue_after_last(request, DISCOVERY_PAUSE, earliest=now, now=now)
