"""Which services are to be updated by themselves now, by what the database knows."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Exists, OuterRef, QuerySet

from checks import holds, policies
from checks.automatic import state
from checks.automatic.state import State
from checks.models import Candidate, Job, Service, Stack
from dockrev import preferences


@dataclass(frozen=True)
class Due:
    service: Service
    candidate: Candidate
    state: State


def due(now: datetime) -> list[Due]:
    """Two queries, however many there are. What is held or about to be changed waits.

    A service that does not run is left: an update would start it.
    """
    services = list(_waiting_for_nobody())
    offered: dict[str, list[Candidate]] = defaultdict(list)
    for candidate in Candidate.objects.offered().filter(service__in=services):
        offered[candidate.service_id].append(candidate)
    return list(_due(services, offered, now))


def free_places() -> int:
    """How many more updates may be asked for. Two queries."""
    ours = _changing().filter(kind="update", reason=Job.Reason.POLICY)
    return preferences.get("updates_at_once") - ours.count()


def _due(
    services: list[Service], offered: dict[str, list[Candidate]], now: datetime
) -> Iterator[Due]:
    for service in services:
        found = state.of(policies.of_service(service), offered[service.pk], now)
        if found.coming is not None and found.is_due(now):
            yield Due(service, found.coming, found)


def _waiting_for_nobody() -> QuerySet[Service]:
    offered = Candidate.objects.offered().filter(service=OuterRef("pk"))
    busy = _changing().filter(stack_id=OuterRef("stack_id"))
    running = Service.objects.present().filter(
        state=Service.State.RUNNING, stack__source=Stack.Source.ENGINE
    )
    return (
        running.filter(Exists(offered), ~Exists(busy), ~holds.is_held())
        .with_policies()
        .with_pauses()
        .select_related("stack__host", "image")
        .order_by("stack", "name")
    )


def _changing() -> QuerySet[Job]:
    return Job.objects.active().filter(kind__in=holds.CHANGING)
