"""Deliveries in a list: what came, by what was decided, a page at a time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from django.db.models import Count, Max, Q, QuerySet
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from integrations.models import Delivery

Decision = Delivery.Decision


class Filter(NamedTuple):
    label: str | Promise
    condition: Q


_REAL = Q(is_test=False)
_ONLY_IF_ANY = {"late", "tests"}
FILTERS = {
    "all": Filter(_("All"), _REAL),
    "processed": Filter(_("Processed"), _REAL & Q(decision=Decision.PROCESSED)),
    "ignored": Filter(_("Ignored"), _REAL & Q(decision=Decision.IGNORED)),
    "rejected": Filter(_("Rejected"), _REAL & Q(decision=Decision.REJECTED)),
    "late": Filter(_("Brought in later"), Q(reconciled=True)),
    "tests": Filter(_("Tests"), Q(is_test=True)),
}


@dataclass(frozen=True)
class Looked:
    """`deliveries` is not read yet: the caller takes a page of it."""

    deliveries: QuerySet[Delivery]
    show: str
    words: str
    filters: list[tuple[str, Filter, int]]
    total: int
    last: object


def look(*, show: str, words: str) -> Looked:
    chosen = show if show in FILTERS else "all"
    found = matching(Delivery.objects.all(), words)
    counts = found.aggregate(
        **{key: Count("pk", filter=filter_.condition) for key, filter_ in FILTERS.items()}
    )
    totals = Delivery.objects.aggregate(
        total=Count("pk", filter=_REAL), last=Max("received_at", filter=_REAL)
    )
    return Looked(
        deliveries=found.filter(FILTERS[chosen].condition)
        .select_related("receiver")
        .defer("payload", "headers", "receiver__secret", "receiver__previous_secret"),
        show=chosen,
        words=words,
        filters=[
            (key, FILTERS[key], counts[key])
            for key in FILTERS
            if key not in _ONLY_IF_ANY or counts[key] or chosen == key
        ],
        total=totals["total"],
        last=totals["last"],
    )


def matching(deliveries: QuerySet[Delivery], words: str) -> QuerySet[Delivery]:
    """Deliveries that have every word in an id, the repository, an image or the caller's name."""
    for word in words.split():
        deliveries = deliveries.filter(
            Q(pk__icontains=word)
            | Q(sender_id__icontains=word)
            | Q(repository__icontains=word)
            | Q(images__icontains=word)
            | Q(caller_name__icontains=word)
        )
    return deliveries
