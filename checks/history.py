"""The queue page: which jobs there are, by status and by kind, a page at a time."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import NamedTuple

from django.db.models import Count, QuerySet
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from checks.models import Job
from checks.titles import kind_label

Status = Job.Status


class Filter(NamedTuple):
    label: str | Promise
    statuses: tuple[str, ...]


FILTERS = {
    "all": Filter(_("All"), tuple(Status.values)),
    "active": Filter(_("Active"), (Status.QUEUED, Status.RUNNING)),
    "done": Filter(_("Done"), (Status.SUCCESS,)),
    "failed": Filter(_("Failed"), (Status.FAILED, Status.ROLLED_BACK)),
    "cancelled": Filter(_("Cancelled"), (Status.CANCELLED,)),
}


@dataclass(frozen=True)
class History:
    """`jobs` is not read yet: the caller takes a page of it."""

    jobs: QuerySet[Job]
    show: str
    kind: str
    filters: list[tuple[str, Filter, int]]
    kinds: list[tuple[str, str, int]]
    total: int
    active: int
    failed: int


def look(*, show: str, kind: str, service_id: str) -> History:
    """Gather the queue for one filter. Counts are of the server, not of the page."""
    within = Job.objects.filter(service_id=service_id) if service_id else Job.objects.all()
    counts = Counter[tuple[str, str]]()
    grouped = within.order_by().values_list("kind", "status").annotate(number=Count("pk"))
    for job_kind, status, number in grouped:
        counts[job_kind, status] += number
    chosen = show if show in FILTERS else "all"
    jobs = within.filter(status__in=FILTERS[chosen].statuses).defer("params")
    return History(
        jobs=jobs.filter(kind=kind) if kind else jobs,
        show=chosen,
        kind=kind,
        filters=[(key, FILTERS[key], _of(counts, FILTERS[key], kind)) for key in FILTERS],
        kinds=_kinds(counts, FILTERS[chosen]),
        total=counts.total(),
        active=_of(counts, FILTERS["active"], ""),
        failed=_of(counts, FILTERS["failed"], ""),
    )


def _of(counts: Counter[tuple[str, str]], chosen: Filter, kind: str) -> int:
    return sum(
        number
        for (job_kind, status), number in counts.items()
        if status in chosen.statuses and kind in ("", job_kind)
    )


def _kinds(counts: Counter[tuple[str, str]], chosen: Filter) -> list[tuple[str, str, int]]:
    kinds = sorted({kind for kind, _status in counts})
    return [(kind, kind_label(kind), _of(counts, chosen, kind)) for kind in kinds]
