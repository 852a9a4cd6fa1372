"""How much of a check of many registries let us ask now. The rest of it waits, and goes on later.

A registry that says how much it lets us ask (`RateLimit-Remaining`) is not asked for all of that:
a part is left for `docker pull`. Docker Hub counts the images that are read, others every request.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from checks.models import Registry, Service
from checks.registry.reference import DOCKER_HUB
from checks.registry.traffic import LEFT_FREE, Limit, Traffic, iso, shown
from checks.versions.shapes import read

VERSIONS = 3  # a patch, a minor and a major
USUAL_WINDOW = 3600  # seconds, where a registry does not say how long its limit is for
SHORTEST_WAIT = timedelta(minutes=1)
LONGEST_REST = timedelta(hours=1)  # that a check waits for
LONGEST = timedelta(days=1)  # from its begin to its last part

_LATER, _WAITING = "waitingServices", "waiting"


@dataclass(frozen=True)
class Shortage:
    """A registry that lets us ask less than `wanted`: `services` of them wait until then."""

    host: str
    wanted: int
    allowed: int
    services: int
    until: datetime

    def __str__(self) -> str:
        named = {**vars(self), "time": shown(self.until)}
        return (
            _(
                "%(host)s lets %(allowed)d more be asked, and this check may ask %(wanted)d: "
                "%(services)d services wait until %(time)s."
            )
            % named
        )


@dataclass(frozen=True)
class Plan:
    """What is checked now, and what has to wait, for which shortages."""

    now: list[Service]
    later: list[Service]
    shortages: list[Shortage]


def added(before: Mapping[str, Any], now: Mapping[str, Any]) -> dict[str, Any]:
    """The summary of two parts: counts are added, of the rest the latest word counts."""
    counts = {
        name: before.get(name, 0) + count for name, count in now.items() if isinstance(count, int)
    }
    return {**before, **now, **counts}


def plan(services: Iterable[Service], registries: Iterable[Registry], now: datetime) -> Plan:
    """Choose what is asked now, those first that were not checked for the longest. Pure."""
    limits = {row.host: row for row in registries}
    allowed = {
        host: left for host, row in limits.items() if (left := allowance(row, now)) is not None
    }
    wanted, spent, late = Counter[str](), Counter[str](), Counter[str]()
    chosen: list[Service] = []
    later: list[Service] = []
    for service, cost in _costs(sorted(services, key=_staleness)):
        host = service.registry
        wanted[host] += cost
        if cost and host in allowed and spent[host] + cost > allowed[host]:
            later.append(service)
            late[host] += 1
            continue
        spent[host] += cost
        chosen.append(service)
    shortages = [
        Shortage(host, wanted[host], allowed[host], count, now + _wait(limits[host], wanted[host]))
        for host, count in late.items()
    ]
    return Plan(chosen, later, shortages)


def allowance(row: Registry, now: datetime) -> int | None:
    """How much may be asked of a registry, as far as its last word on it says; None: anything.

    What it lets us ask grows back over its window.
    """
    if row.limit_most is None or row.limit_remaining is None or row.limit_seen_at is None:
        return None
    grown = (now - row.limit_seen_at).total_seconds() / (row.limit_window or USUAL_WINDOW)
    if grown >= 1:
        return None
    left = min(row.limit_most, row.limit_remaining + int(row.limit_most * max(grown, 0.0)))
    return max(0, left - int(row.limit_most * LEFT_FREE))


@dataclass(frozen=True)
class Part:
    """What a job of many does of it now. `before` is what its earlier parts came to."""

    plan: Plan
    before: Mapping[str, Any]

    def may_go_on(self, since: datetime | None, *, got_on: bool) -> bool:
        """Whether another part is worth it: the last one `got_on`, or it was no turn of theirs."""
        is_young = since is None or timezone.now() - since < LONGEST
        return is_young and (got_on or not self.before or bool(self.plan.later))

    def put_off(self, troubled: Iterable[Service], traffics: Mapping[str, Traffic]) -> PutOff:
        """Everything that has to wait: by plan, and what has met with a registry's rest."""
        now = timezone.now()
        met = [each for each in troubled if _waits(traffics[each.registry], now)]
        services = [*self.plan.later, *met]
        times = {each.host: each.until for each in self.plan.shortages}
        for host, count in Counter(each.registry for each in met).items():
            again = _again(traffics[host], count, now)
            times[host] = max(again, times.get(host, again))
        return PutOff(services, times)


@dataclass(frozen=True)
class PutOff:
    """Services that wait, and until when their registries do."""

    services: list[Service]
    times: Mapping[str, datetime]

    @property
    def until(self) -> datetime:
        """When the first of them may go on."""
        return min(self.times.values())

    @property
    def summary(self) -> dict[str, Any]:
        """What a job's summary says of them: enough to go on, and to tell people."""
        counts = Counter(each.registry for each in self.services)
        return {
            _LATER: [each.pk for each in self.services],
            _WAITING: [
                {"host": host, "services": count, "until": iso(self.times[host])}
                for host, count in sorted(counts.items())
            ],
        }

    def __str__(self) -> str:
        text = ngettext(
            "%(number)d service waits until %(time)s.",
            "%(number)d services wait until %(time)s.",
            len(self.services),
        )
        return text % {"number": len(self.services), "time": shown(self.until)}


def begin(summary: Mapping[str, Any], services: list[Service], now: datetime) -> Part:
    """Plan a job's next part. One that is started before its time was asked for anew."""
    later = summary.get(_LATER)
    until = [datetime.fromisoformat(each["until"]) for each in summary.get(_WAITING, ())]
    if later is None or min(until, default=now) > now:
        before: Mapping[str, Any] = {}
    else:
        over = (_LATER, _WAITING, "resting")
        before = {name: value for name, value in summary.items() if name not in over}
        services = [each for each in services if each.pk in set(later)]
    registries = Registry.objects.filter(host__in={each.registry for each in services})
    return Part(plan(services, registries, now), before)


def _costs(services: Iterable[Service]) -> Iterator[tuple[Service, int]]:
    """What each may cost at most, counted as its registry does; the same question only once."""
    asked: dict[str, set[tuple[str, str]]] = defaultdict(set)
    for service in services:
        question = (service.repository, service.tag or service.pinned_digest)
        is_new = question not in asked[service.registry]
        asked[service.registry].add(question)
        yield service, _cost(service) if is_new else 0


def _cost(service: Service) -> int:
    """An image that a check has found is known to the next: as a rule nothing new is read then."""
    images = 1 + (VERSIONS if read(service.tag) else 0)
    reads = 0 if service.checked_at else images
    if service.registry == DOCKER_HUB:
        return reads
    return reads + images + (1 if read(service.tag) else 0)


def _staleness(service: Service) -> tuple[bool, datetime]:
    at = service.checked_at
    return at is not None, at or datetime.min.replace(tzinfo=UTC)


def _waits(traffic: Traffic, now: datetime) -> bool:
    """Whether what was not answered now may be later. A rest may be over before the part is."""
    is_soon = (traffic.resting_until or now) <= now + LONGEST_REST
    return traffic.has_saved or (traffic.has_rested and is_soon)


def _again(traffic: Traffic, count: int, now: datetime) -> datetime:
    rested = traffic.resting_until or now
    if traffic.has_saved and traffic.limit:
        return max(rested, now + _growing(traffic.limit, count))
    return rested


def _wait(row: Registry, wanted: int) -> timedelta:
    limit = Limit(row.limit_most or 1, row.limit_remaining or 0, row.limit_window)
    return _growing(limit, wanted)


def _growing(limit: Limit, wanted: int) -> timedelta:
    """How long it takes until so much may be asked again, and at most a whole window."""
    window = timedelta(seconds=limit.window or USUAL_WINDOW)
    return max(SHORTEST_WAIT, window * min(1.0, wanted / max(limit.most, 1)))
