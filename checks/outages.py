"""Registries and Docker hosts out of reach: noted by those that ask, told after an hour, once.

    asked in vain: unreachable_since, unreachable_at -> told: outage_told_at
                        |                                  |
    an answer:      reached_at, forgotten in silence   reached_at, told, forgotten

What is noted says only what was seen: an hour counts where both of its ends were asked in vain.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from typing import Any, TypeVar

from django.db.models import Case, F, Q, QuerySet, When
from django.utils import timezone

from checks import queue
from checks.models import Host, Job, Registry, Service
from notifications import announce
from notifications.announce import Outage

LONG_ENOUGH = timedelta(hours=1)
ASKED_AGAIN = timedelta(minutes=15)
# Nobody knows what was meanwhile, such as while this machine slept: it is counted anew.
TOO_LONG_A_PAUSE = timedelta(minutes=90)

Row = TypeVar("Row", Host, Registry)


def note_silence(rows: QuerySet[Row], now: datetime) -> None:
    """No answer came from these."""
    unknown = Q(outage_told_at=None) & Q(unreachable_at__lt=now - TOO_LONG_A_PAUSE)
    anew = Q(unreachable_since=None) | unknown
    since = Case(When(anew, then=now), default=F("unreachable_since"))
    # An answer that came meanwhile ends what was, and that is seen to first.
    rows.filter(reached_at=None).update(unreachable_since=since, unreachable_at=now)


def note_answer(rows: QuerySet[Row], now: datetime) -> None:
    """One of them answered, whatever it said."""
    rows.filter(unreachable_since__isnull=False, reached_at=None).update(reached_at=now)


def look() -> None:
    """Tell of what was out of reach for an hour, and of what is back. Inside a transaction."""
    now = timezone.now()
    hosts = Host.objects.asked().exclude(unreachable_since=None)
    registries = Registry.objects.exclude(unreachable_since=None).defer("password")
    if hosts:
        _end(hosts, announce.HOST_BACK, _of_host, now)
        _begin(hosts.exclude(seen_at=None), announce.HOST_UNREACHABLE, _of_host, now)
        _look_again(hosts, now)
    if registries:
        used = Counter(Service.objects.present().values_list("registry", flat=True))
        _forget_unused(registries, used)
        of_registry = _of_registry(used)
        _end(registries, announce.REGISTRY_BACK, of_registry, now)
        _begin(_known(registries), announce.REGISTRY_UNREACHABLE, of_registry, now)
        _ask_again(registries, now)


def _begin(
    rows: QuerySet[Row], kind: str, outage_of: Callable[[Row], Outage], now: datetime
) -> None:
    """Where no channel wants to hear of it, it stays untold, for one that is made later."""
    untold = rows.filter(reached_at=None, outage_told_at=None)
    long = untold.filter(unreachable_at__gte=F("unreachable_since") + LONG_ENOUGH)
    ours = [row for row in long if untold.filter(pk=row.pk).update(outage_told_at=now)]
    if ours and not announce.unreachable(kind, [outage_of(row) for row in ours], now):
        rows.filter(pk__in=[row.pk for row in ours]).update(outage_told_at=None)


def _end(rows: QuerySet[Row], kind: str, outage_of: Callable[[Row], Outage], now: datetime) -> None:
    over = rows.exclude(reached_at=None)
    ours = [row for row in over if _forget(over.filter(pk=row.pk))]
    if told := [outage_of(row) for row in ours if row.outage_told_at]:
        announce.unreachable(kind, told, now)


def _forget(rows: QuerySet[Any]) -> int:
    return rows.update(
        unreachable_since=None, unreachable_at=None, reached_at=None, outage_told_at=None
    )


def _forget_unused(rows: QuerySet[Registry], used: Counter[str]) -> None:
    """Nobody asks them any more, so nobody would see them come back."""
    unused = [row.pk for row in rows if not _asked_for(row, used)]
    if unused:
        _forget(rows.filter(pk__in=unused))


def _asked_for(row: Registry, used: Counter[str]) -> int:
    """How many services ask it, be it for images of another."""
    return used[row.host] + (used[row.mirror_of] if row.asked_first else 0)


def _known(rows: QuerySet[Registry]) -> QuerySet[Registry]:
    """Those that have answered before. For others, a name may be wrong, and the page says so."""
    unknown = [Service.Status.UNKNOWN, Service.Status.ERROR]
    checked = Service.objects.present().exclude(status__in=unknown)
    return rows.exclude(~Q(host__in=checked.values("registry")), last_ok_at=None)


def _look_again(rows: QuerySet[Host], now: datetime) -> None:
    """Where discovery was told to come seldom, an hour would never be seen."""
    if rows.filter(reached_at=None, unreachable_at__lt=now - ASKED_AGAIN).exists():
        queue.enqueue(queue.Request(kind="discovery", reason=Job.Reason.SCHEDULE))


def _ask_again(rows: QuerySet[Registry], now: datetime) -> None:
    """Checks are hours apart; a check of one service says sooner that it is back, or is not."""
    late = rows.filter(reached_at=None, unreachable_at__lt=now - ASKED_AGAIN)
    for row in late.filter(Q(cooldown_until=None) | Q(cooldown_until__lt=now)):
        hosts = [row.host, *([row.mirror_of] if row.asked_first else [])]
        service = _least_lately_checked(hosts)
        if service is not None:
            queue.enqueue(
                queue.Request(
                    kind="check.service",
                    reason=Job.Reason.SCHEDULE,
                    scope=Job.Scope.SERVICE,
                    stack_id=service.stack_id,
                    service_id=service.pk,
                    subject=f"{service.stack.name} / {service.name}",
                    notify=True,
                )
            )


def _least_lately_checked(hosts: Iterable[str]) -> Service | None:
    services = Service.objects.present().filter(registry__in=hosts).select_related("stack")
    return services.order_by("checked_at", "pk").first()


def _of_host(host: Host) -> Outage:
    services = Service.objects.present().filter(stack__host=host).count()
    since = host.unreachable_since or timezone.now()
    return Outage(host.pk, host.name, since, host.error, services, path="/")


def _of_registry(used: Counter[str]) -> Callable[[Registry], Outage]:
    def outage_of(row: Registry) -> Outage:
        since = row.unreachable_since or timezone.now()
        path = f"/settings/registries/{row.pk}"
        return Outage(row.pk, row.host, since, row.last_error, _asked_for(row, used), path)

    return outage_of
