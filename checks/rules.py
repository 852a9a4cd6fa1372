"""The page of ignore rules: which there are, and what each hides now, a page at a time."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple

from django.db.models import Count, Exists, F, OuterRef, Q, QuerySet, Window
from django.db.models.functions import RowNumber
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from checks.models import Candidate, IgnoreRule
from checks.models.stacks import MAX_WORDS

NAMED = 3  # of what a rule hides, on the list


class Filter(NamedTuple):
    label: str | Promise
    condition: Q


FILTERS = {
    "all": Filter(_("All"), Q()),
    "hiding": Filter(_("Hiding now"), Q(in_effect=True, hides=True)),
    "idle": Filter(_("Nothing to hide"), Q(in_effect=True, hides=False)),
    "ending": Filter(_("With an end"), Q(in_effect=True, expires_at__isnull=False)),
    "off": Filter(_("Off"), Q(in_effect=False)),
}


@dataclass
class Hides:
    """What a rule hides now: how many candidates, and the first few of them."""

    total: int = 0
    first: list[Candidate] = field(default_factory=list)

    @property
    def more(self) -> int:
        return self.total - len(self.first)


@dataclass(frozen=True)
class RuleList:
    """`rules` is not read yet: the caller takes a page of it."""

    rules: QuerySet[IgnoreRule]
    show: str
    words: str
    filters: list[tuple[str, Filter, int]]
    total: int
    hiding: int


def look(*, show: str, words: str, now: datetime) -> RuleList:
    """Gather the list for one filter and search."""
    chosen = show if show in FILTERS else "all"
    every = _annotated(now)
    found = _matching(every, words)
    counts = found.aggregate(
        **{key: Count("pk", filter=each.condition) for key, each in FILTERS.items()}
    )
    totals = every.aggregate(
        total=Count("pk"), hiding=Count("pk", filter=FILTERS["hiding"].condition)
    )
    return RuleList(
        rules=found.filter(FILTERS[chosen].condition).select_related(
            "stack__host", "service__stack__host"
        ),
        show=chosen,
        words=words,
        filters=[(key, FILTERS[key], counts[key]) for key in FILTERS],
        total=totals["total"],
        hiding=totals["hiding"],
    )


def hides(rules: Iterable[IgnoreRule]) -> dict[str, Hides]:
    """What each of these rules hides now, by its id. Two queries."""
    ids = [rule.pk for rule in rules]
    found: dict[str, Hides] = defaultdict(Hides)
    hidden = _hidden().filter(ignored_by__in=ids)
    for rule, total in hidden.values_list("ignored_by").annotate(total=Count("pk")).order_by():
        found[rule].total = total
    order = [F("service__stack__name"), F("service__name"), F("pk")]
    place = Window(RowNumber(), partition_by=[F("ignored_by")], order_by=order)
    first = hidden.annotate(place=place).filter(place__lte=NAMED).select_related("service__stack")
    for row in first.order_by(*order):
        found[str(row.ignored_by_id)].first.append(row)
    return {pk: found[pk] for pk in ids}


def _hidden() -> QuerySet[Candidate]:
    return Candidate.objects.open().filter(
        service__archived_at=None, service__stack__archived_at=None
    )


def _annotated(now: datetime) -> QuerySet[IgnoreRule]:
    """Each with whether it is in effect, and whether it hides anything."""
    return IgnoreRule.objects.annotate(
        hides=Exists(_hidden().filter(ignored_by=OuterRef("pk"))),
        in_effect=Exists(IgnoreRule.objects.in_effect(now).filter(pk=OuterRef("pk"))),
    )


def _matching(rules: QuerySet[IgnoreRule], words: str) -> QuerySet[IgnoreRule]:
    """Rules that have every word in value, note, the name of their scope, or of who made them."""
    for word in words.split()[:MAX_WORDS]:
        rules = rules.filter(
            Q(value__icontains=word)
            | Q(note__icontains=word)
            | Q(created_by__icontains=word)
            | Q(stack__name__icontains=word)
            | Q(service__name__icontains=word)
            | Q(service__stack__name__icontains=word)
        )
    return rules
