"""The page of ignore rules: which there are, and what each hides now, a page at a time."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple

from django.db.models import Case, Count, Exists, OuterRef, Q, QuerySet, When
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from checks.models import Candidate, IgnoreRule, Service
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
    """What a rule hides now: how many tags, and the first few of them with their services."""

    total: int = 0
    first: list[tuple[Service, str]] = field(default_factory=list)

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
    every = annotated(now)
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
    """What each of these rules hides now, by its id. Three queries."""
    ids = [rule.pk for rule in rules]
    found: dict[str, dict[str, list[str]]] = {pk: defaultdict(list) for pk in ids}
    hidden = _hidden().filter(ignored_by__in=ids).order_by("service__stack__name", "service__name")
    for rule, service, tag in hidden.values_list("ignored_by", "service", "tag"):
        found[str(rule)][service].append(tag)
    more: dict[tuple[str, str], int] = {}
    for service, by_rule in _given_way().values_list("pk", "tags_hidden"):
        for rule in found.keys() & by_rule.keys():
            more[rule, service], newest = by_rule[rule]
            found[rule][service] = found[rule][service] or [newest]
    return _named(found, more)


def _named(
    found: Mapping[str, Mapping[str, list[str]]], more: Mapping[tuple[str, str], int]
) -> dict[str, Hides]:
    """With the services of the first few. What a check counted, and what is open, overlap."""
    pairs = {
        rule: [(service, tag) for service, tags in services.items() for tag in tags]
        for rule, services in found.items()
    }
    wanted = {service for each in pairs.values() for service, _tag in each[:NAMED]}
    services = Service.objects.select_related("stack").in_bulk(wanted)
    return {
        rule: Hides(
            total=sum(
                max(len(tags), more.get((rule, service), 0))
                for service, tags in found[rule].items()
            ),
            first=[(services[service], tag) for service, tag in each[:NAMED]],
        )
        for rule, each in pairs.items()
    }


def _hidden() -> QuerySet[Candidate]:
    return Candidate.objects.open().filter(
        service__archived_at=None, service__stack__archived_at=None
    )


def _given_way() -> QuerySet[Service]:
    """Services of which the last check saw hidden tags, whose place a lower one may have taken."""
    services = Service.objects.current().exclude(tags_hidden={})
    return services.order_by("stack__name", "name")


def annotated(now: datetime) -> QuerySet[IgnoreRule]:
    """Each with whether it is in effect, and whether it hides anything."""
    busy = set().union(*_given_way().values_list("tags_hidden", flat=True))
    open_ones = Exists(_hidden().filter(ignored_by=OuterRef("pk")))
    return IgnoreRule.objects.annotate(
        in_effect=Exists(IgnoreRule.objects.in_effect(now).filter(pk=OuterRef("pk"))),
        hides=Case(When(open_ones | Q(pk__in=busy), then=True), default=False),
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
