"""What the overview shows: services by stack, what is newer for each, and what is under way.

However many services there are, the number of queries is the same.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from django.core.paginator import Page, Paginator
from django.db.models import Count, Exists, Min, OuterRef, Q
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from checks import findings
from checks.holds import CHANGING, changed_by
from checks.models import Candidate, Host, Job, Service, Stack
from checks.models.stacks import ARCHIVED, ServiceQuerySet
from checks.versions import choice
from checks.versions.shapes import NUMBER, read

CHECKS = ("check.service", "check.stack", "check.all")
# The candidate that a row shows: the largest step, a rebuilt image only where there is no other.
_STEPS = [*choice.STEPS, Candidate.Step.REBUILT.value]


class Filter(NamedTuple):
    label: str | Promise
    condition: Q
    archived: bool = False


FILTERS = {
    "all": Filter(_("All"), Q()),
    "updates": Filter(_("Updates"), Q(status=Service.Status.UPDATE_AVAILABLE)),
    "major": Filter(_("Major"), Q(status=Service.Status.UPDATE_AVAILABLE, has_major=True)),
    "architecture": Filter(_("Architecture"), Q(status=Service.Status.ARCH_MISMATCH)),
    "ignored": Filter(_("Ignored"), Q(status=Service.Status.IGNORED)),
    "failed": Filter(_("Failed"), ~Q(error="")),
    "archived": Filter(_("Archived"), Q(), archived=True),
}


@dataclass
class Offer:
    """What a service could run: `best` is shown first, `rebuilt` says that its tag moved too."""

    best: Candidate | None = None
    rebuilt: bool = False

    @property
    def shown(self) -> list[Candidate]:
        return [self.best] if self.best else []


@dataclass
class Row:
    service: Service
    offer: Offer
    job: Job | None


@dataclass
class Group:
    """A stack and those of its services that are on the page."""

    stack: Stack
    job: Job | None
    rows: list[Row] = field(default_factory=list)


@dataclass
class Underway:
    """The active jobs that the overview is about, by what they are for."""

    everything: Job | None = None
    discovery: Job | None = None
    stacks: dict[str, Job] = field(default_factory=dict)
    services: dict[str, Job] = field(default_factory=dict)

    @property
    def any(self) -> bool:
        return bool(self.everything or self.discovery or self.stacks or self.services)

    @property
    def waits(self) -> bool:
        """Whether the check of everything has begun, and registries do not let it go on yet."""
        job = self.everything
        return job is not None and job.status == Job.Status.QUEUED and "waiting" in job.summary


@dataclass(frozen=True)
class Overview:
    show: str
    words: str
    totals: dict[str, Any]
    filters: list[tuple[str, Filter, int]]
    groups: list[Group]
    page: Page[Service]
    hosts: list[Host]
    underway: Underway

    @property
    def is_blank(self) -> bool:
        """Whether there is nothing at all, rather than nothing that was asked for."""
        asked = bool(self.words) or self.show != "all"
        return not (asked or self.totals["services"] or self.groups)


def look(*, show: str, words: str, page: str | None) -> Overview:
    """Gather the overview for one filter, search and page."""
    chosen = show if show in FILTERS else "all"
    found = _matching(Service.objects.all(), words)
    counts = _counts(found)
    services = _within(found, FILTERS[chosen]).select_related("stack__host", "image")
    current = Paginator(services.order_by("stack__name", "stack__host__name", "stack", "name"), 50)
    shown = current.get_page(page)
    underway = active()
    with_empty = chosen == "all" and shown.number == 1
    return Overview(
        show=chosen,
        words=words,
        totals=_totals(),
        filters=[(key, FILTERS[key], counts[key]) for key in FILTERS],
        groups=_groups(list(shown), underway, _empty_stacks(words) if with_empty else []),
        page=shown,
        hosts=list(Host.objects.kept()),
        underway=underway,
    )


def active() -> Underway:
    """Checks, discoveries and updates that wait or run; what is being updated shows that."""
    underway = Underway()
    changed: dict[str, Job] = {}
    for job in Job.objects.active().filter(kind__in=[*CHECKS, "discovery", *CHANGING]):
        if job.kind == "discovery":
            underway.discovery = job
        elif job.kind in CHANGING:
            changed |= dict.fromkeys(changed_by(job), job)
        elif job.service_id:
            underway.services[job.service_id] = job
        elif job.stack_id:
            underway.stacks[job.stack_id] = job
        else:
            underway.everything = job
    underway.services |= changed
    return underway


def offers(services: Iterable[Service]) -> dict[str, Offer]:
    """What each service could run, by its id."""
    candidates = defaultdict(list)
    offered = Candidate.objects.offered().filter(service__in=list(services))
    for candidate in offered.select_related("image"):
        candidates[candidate.service_id].append(candidate)
    return {service: offer(found) for service, found in candidates.items()}


def offer(candidates: Iterable[Candidate]) -> Offer:
    found = by_step(candidates)
    steps = {candidate.step for candidate in found}
    return Offer(best=found[0] if found else None, rebuilt=Candidate.Step.REBUILT in steps)


def by_step(candidates: Iterable[Candidate]) -> list[Candidate]:
    """The largest step first; what is not for our platform after all others."""

    def rank(candidate: Candidate) -> tuple[bool, int]:
        return candidate.arch == Candidate.Arch.MISMATCH, _STEPS.index(candidate.step)

    return sorted(candidates, key=rank)


class Next(NamedTuple):
    """The newest of one step: none where nothing is newer, and maybe one that a rule hides."""

    label: str
    candidate: Candidate | None

    @property
    def hidden(self) -> bool:
        return self.candidate is not None and self.candidate.ignored_by_id is not None


def side_by_side(service: Service, found: Iterable[Candidate]) -> list[Next]:
    """The newest major, minor and patch, or of other steps, of a service whose tag is a version."""
    tag = read(service.tag)
    if tag is None:
        return []
    by_name = {each.step: each for each in found}
    Step = Candidate.Step
    steps = [Step.MAJOR, Step.MINOR, Step.PATCH]
    if tag.kinds[0] != NUMBER:
        steps = [Step.OTHER, Step.PATCH]
    return [Next(str(step.label), by_name.get(step)) for step in steps]


def waiting(unclosed: Iterable[Candidate]) -> list[Candidate]:
    """Those that are too young yet and that no rule hides; what is offered first comes first."""
    young = [
        (row.waits_until, row) for row in unclosed if row.waits_until and not row.ignored_by_id
    ]
    return [row for _until, row in sorted(young, key=lambda pair: pair[0])]


def _matching(services: ServiceQuerySet, words: str) -> ServiceQuerySet:
    major = Candidate.objects.offered().filter(service=OuterRef("pk"), step=Candidate.Step.MAJOR)
    return services.matching(words).annotate(has_major=Exists(major))


def _within(services: ServiceQuerySet, chosen: Filter) -> ServiceQuerySet:
    return services.filter(_condition(chosen))


def _condition(chosen: Filter) -> Q:
    return chosen.condition & (ARCHIVED if chosen.archived else ~ARCHIVED)


def _counts(services: ServiceQuerySet) -> dict[str, int]:
    conditions = {key: _condition(chosen) for key, chosen in FILTERS.items()}
    return services.aggregate(
        **{key: Count("pk", filter=condition) for key, condition in conditions.items()}
    )


def _totals() -> dict[str, Any]:
    updates = Q(status=Service.Status.UPDATE_AVAILABLE)
    return Service.objects.current().aggregate(
        services=Count("pk"),
        updates=Count("pk", filter=updates),
        # The oldest, of those that are still checked: a check of one says nothing of all.
        checked_at=Min("checked_at", filter=Q(missing_since=None)),
    )


def _empty_stacks(words: str) -> list[str]:
    """Stacks with nothing to list: their error, or their emptiness, is worth a line."""
    stacks = Stack.objects.filter(archived_at=None, services=None).matching(words)
    return list(stacks.values_list("pk", flat=True)[:50])


def _groups(services: list[Service], underway: Underway, empty: list[str]) -> list[Group]:
    ids = {service.stack_id for service in services} | set(empty)
    stacks = Stack.objects.filter(pk__in=ids).select_related("host").counted()
    stacks = stacks.order_by("name", "host__name")
    groups = {stack.pk: Group(stack, underway.stacks.get(stack.pk)) for stack in stacks}
    known = offers(services)
    findings.set_beside((each, known[each.pk].shown) for each in services if each.pk in known)
    for service in services:
        row = Row(service, known.get(service.pk, Offer()), underway.services.get(service.pk))
        groups[service.stack_id].rows.append(row)
    return list(groups.values())
