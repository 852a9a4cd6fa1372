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
from integrations.receivers.base import ImageEvent

FRONTS = {"ghcr.io": "lscr.io"}  # a registry, and the name that stands in front of it
DISCOVERY_PAUSE = timedelta(minutes=1)
_COLUMNS = ("pk", "name", "stack_id", "stack__name")
Repository = tuple[str, str]  # a registry, and the name there


@dataclass(frozen=True)
class Match:
    """A service that runs the image of an event; `tagged` if one of those events names a tag."""

    tagged: bool
    service_id: str
    service_name: str
    stack_id: str
    stack_name: str


def services_running(images: tuple[ImageEvent, ...]) -> list[Match]:
    """The services that run one of the images, whatever tag the event names."""
    repositories: dict[Repository, bool] = {}
    for image in images:
        key = image.registry, image.repository
        repositories[key] = repositories.get(key, False) or bool(image.tag)
    if len(repositories) > 1:
        return _running_many(repositories)
    return [
        Match(tagged, *row)
        for (host, repository), tagged in repositories.items()
        for row in _services(host=host, front=_front_of(host), repository=repository)
    ]


def _running_many(repositories: dict[Repository, bool]) -> list[Match]:
    """However many they are, one question for the services and one for the mirrors."""
    names = {repository for _host, repository in repositories}
    rows: dict[str, list[tuple[str, list[Any]]]] = {}  # by repository
    for registry, repository, *row in (
        _present().filter(repository__in=names).values_list("registry", "repository", *_COLUMNS)
    ):
        rows.setdefault(repository, []).append((registry, row))
    same = _same_hosts({host for host, _repository in repositories})
    found: dict[str, Match] = {}
    for (host, repository), tagged in repositories.items():
        for registry, row in rows.get(repository, ()):
            if registry in same[host]:
                before = row[0] in found and found[row[0]].tagged
                found[row[0]] = Match(tagged or before, *row)
    return list(found.values())


def _same_hosts(hosts: set[str]) -> dict[str, set[str]]:
    """Under which hosts the images of each are known too: its front, and what mirrors either."""
    same = {host: {host, _front_of(host)} for host in hosts}
    names = set().union(*same.values())
    known = Registry.objects.filter(mirror_of__in=names).values_list("host", "mirror_of")
    mirrors: dict[str, set[str]] = {}
    for mirror, of in known:
        mirrors.setdefault(of, set()).add(mirror)
    return {
        host: known_as.union(*(mirrors.get(name, ()) for name in known_as))
        for host, known_as in same.items()
    }


def _front_of(host: str) -> str:
    return FRONTS.get(host, host)


def _present() -> models.QuerySet[Service]:
    return Service.objects.present().order_by("pk")


def _that_run(host: str, front: str, repository: str) -> models.QuerySet[Service, Any]:
    mirrors = Registry.objects.filter(mirror_of__in=[host, front]).values("host")
    same_host = Q(registry__in=[host, front]) | Q(registry__in=mirrors)
    return _present().filter(same_host, repository=repository).values_list(*_COLUMNS)


_services = Select(_that_run, "host", "front", "repository")


def ask_for_checks(matches: Iterable[Match], *, by: str, now: datetime) -> list[queue.Queued]:
    """Have services checked because their registry called; each is named once.

    An event with a tag is acted on at once. One without is a child of an index whose own event
    comes with it, so it only asks for the later run. After a check that a delivery asked for, the
    next waits, so that the many deliveries of one push come to two checks at the most.
    """
    requests = [
        queue.Request(
            kind="check.service",
            reason=Job.Reason.WEBHOOK,
            scope=Job.Scope.SERVICE,
            stack_id=match.stack_id,
            service_id=match.service_id,
            subject=f"{match.stack_name} / {match.service_name}",
            created_by=by,
            notify=True,
            by_delivery=True,
            after=None if match.tagged else now + queue.RERUN_AFTER,
        )
        for match in matches
    ]
    return queue.enqueue_after_last(requests, queue.RERUN_AFTER, now=now)


def ask_for_discovery(*, by: str, now: datetime) -> queue.Queued:
    """Look again at what runs here: once a minute at the most, later rather than never."""
    request = queue.Request(
        kind="discovery", reason=Job.Reason.WEBHOOK, created_by=by, by_delivery=True
    )
    [queued] = queue.enqueue_after_last([request], DISCOVERY_PAUSE, now=now)
    return queued
