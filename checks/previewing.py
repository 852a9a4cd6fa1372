"""What a rule would hide now, before it is saved: found by the code that applies it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from checks import ignoring, overview
from checks.models import Candidate, IgnoreRule, Service
from checks.models.stacks import ServiceQuerySet
from checks.versions.ignores import DIGEST, Ignores, Rule, read_rule

MOST = 50  # named of those that it hides


@dataclass(frozen=True)
class Hidden:
    """A candidate that the rule would hide.

    `elsewhere` is the other rule that hides it already. `instead` is what its service then still
    offers; the next lower version of its step is not known before a check looks for it.
    """

    candidate: Candidate
    elsewhere: str = ""
    instead: Candidate | None = None


@dataclass(frozen=True)
class Preview:
    """`within` counts the services in the rule's scope, `services` those of them that it touches.

    `hidden` are at most MOST of `total`.
    """

    within: int
    services: int
    total: int
    elsewhere: int
    hidden: Sequence[Hidden]

    @property
    def more(self) -> int:
        return self.total - len(self.hidden)


def preview(rule: IgnoreRule, now: datetime) -> Preview:
    """Say what a rule, saved or not, hides of what is open. Three queries.

    Its value has been read: one that cannot be hides nothing.
    """
    services = ignoring.within([rule])
    touched = _touched(rule, services)
    others = ignoring.by_service(touched, now, besides=rule.pk) if touched else {}
    hidden = [
        each
        for service, candidates in touched.items()
        for each in _hidden(rule, candidates, others[service.pk])
    ]
    return Preview(
        within=services.count(),
        services=len(touched),
        total=len(hidden),
        elsewhere=sum(bool(each.elsewhere) for each in hidden),
        hidden=hidden[:MOST],
    )


def hides(kind: str, value: str, tag: str) -> bool:
    """Whether a rule of this kind would hide a tag. Raises BadPattern."""
    return kind != DIGEST and read_rule(kind, value)(tag)


def _touched(rule: IgnoreRule, services: ServiceQuerySet) -> dict[Service, list[Candidate]]:
    """The services of which it hides something, each with all its open candidates."""
    ours = _alone(rule)
    found: dict[Service, list[Candidate]] = defaultdict(list)
    rows = Candidate.objects.open().filter(service__in=services).select_related("service__stack")
    for row in rows.order_by("service__stack__name", "service__stack", "service__name", "service"):
        found[row.service].append(row)
    return {
        service: overview.by_step(candidates)
        for service, candidates in found.items()
        if any(ignoring.hidden_by(each, ours) for each in candidates)
    }


def _hidden(rule: IgnoreRule, candidates: list[Candidate], others: Ignores) -> list[Hidden]:
    ours = _alone(rule)
    mine = [each for each in candidates if ignoring.hidden_by(each, ours)]
    left = [
        each for each in candidates if each not in mine and not ignoring.hidden_by(each, others)
    ]
    instead = left[0] if left else None
    return [Hidden(each, ignoring.hidden_by(each, others), instead) for each in mine]


def _alone(rule: IgnoreRule) -> Ignores:
    return Ignores([Rule(rule.pk, rule.kind, rule.value)])
