"""Ignore rules at work: which candidates they hide, as soon as a rule comes, changes or goes.

What is hidden is an open candidate, so that it is there again at once when its rule goes. Only the
versions below and above it, which nobody kept, have to be asked for: a check of the rule's scope
is queued where there may be some.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from copy import copy
from datetime import datetime

from django.db import transaction
from django.db.models import Q

from checks import asking
from checks.models import Candidate, IgnoreRule, Job, Service
from checks.models.stacks import ServiceQuerySet
from checks.versions.ignores import Ignores, Rule

Scope = IgnoreRule.Scope


def by_service(services: Iterable[Service], now: datetime) -> dict[str, Ignores]:
    """The rules in effect for each service, by its id. One query."""
    rules: dict[str, list[Rule]] = defaultdict(list)
    for row in IgnoreRule.objects.in_effect(now):
        rules[_place(row)].append(Rule(row.pk, row.kind, row.value))
    # Most services have no rules but those for all: they share one object.
    shared: dict[tuple[Rule, ...], Ignores] = {}
    found = {}
    for service in services:
        ours = (*rules[service.pk], *rules[service.stack_id], *rules[Scope.ALL])
        if ours not in shared:
            shared[ours] = Ignores(ours)
        found[service.pk] = shared[ours]
    return found


def apply(service_ids: Iterable[str], now: datetime) -> None:
    """Have the rules of this moment hide open candidates, and statuses follow.

    Inside the caller's transaction.
    """
    held = defaultdict(list)
    rows = Candidate.objects.open().filter(service__in=list(service_ids))
    for row in rows.select_related("service"):
        held[row.service_id].append(row)
    services = [rows[0].service for rows in held.values()]
    ignores = by_service(services, now) if services else {}
    for service in services:
        for row in held[service.pk]:
            rebuilt = row.step == Candidate.Step.REBUILT
            rule = ignores[service.pk].image(row.tag, row.digest, rebuilt=rebuilt)
            if rule != (row.ignored_by_id or ""):
                row.ignored_by_id = rule or None  # type: ignore[assignment]  # a nullable key's
                row.save(update_fields=["ignored_by"])
        _follow(service, held[service.pk])


def follow(service: Service) -> None:
    """Give a service that has open candidates the status that they make."""
    _follow(service, list(service.candidates.open()))


@transaction.atomic
def hide(candidate: Candidate, username: str, now: datetime, until: datetime | None = None) -> None:
    """Make a rule for what one candidate offers: its version, or the digest of a rebuilt image."""
    rebuilt = candidate.step == Candidate.Step.REBUILT
    rule = IgnoreRule.objects.create(
        scope=Scope.SERVICE,
        service=candidate.service,
        kind=IgnoreRule.Kind.DIGEST if rebuilt else IgnoreRule.Kind.EXACT,
        value=candidate.digest if rebuilt else candidate.tag,
        expires_at=until,
        created_by=username,
    )
    made(rule, username, now)


@transaction.atomic
def show_again(rule: IgnoreRule, username: str, now: datetime) -> None:
    """Take away a rule that is for one service, and switch off one that is for others, too."""
    if rule.scope == Scope.SERVICE:
        delete(rule, username, now)
    else:
        rule.enabled = False
        change(rule, username, now)


@transaction.atomic
def made(rule: IgnoreRule, username: str, now: datetime) -> None:
    """A rule is there. What it hides may have had lower versions below it."""
    services = _within(rule)
    apply(services.values_list("pk", flat=True), now)
    hidden = Candidate.objects.open().filter(ignored_by=rule, service__in=services)
    if hidden.exclude(step=Candidate.Step.REBUILT).exists():
        _check(rule, username)


@transaction.atomic
def change(rule: IgnoreRule, username: str, now: datetime) -> None:
    """Store a rule that may be for something else than before."""
    before = IgnoreRule.objects.filter(pk=rule.pk).first()
    rule.save(update_fields=CHANGING)
    if before is not None and _hides(before) != _hides(rule):
        _gone(before, username, now)
        made(rule, username, now)


@transaction.atomic
def delete(rule: IgnoreRule, username: str, now: datetime) -> None:
    before = copy(rule)
    rule.delete()
    _gone(before, username, now)


@transaction.atomic
def expire(now: datetime) -> None:
    """Switch off the rules whose time is over."""
    for rule in IgnoreRule.objects.filter(enabled=True, expires_at__lte=now):
        rule.enabled = False
        rule.save(update_fields=["enabled"])
        _gone(rule, "", now)


CHANGING = ["scope", "stack", "service", "kind", "value", "note", "expires_at", "enabled"]


def _gone(rule: IgnoreRule, username: str, now: datetime) -> None:
    """What it hid is there again. What stood above a lower version has to be asked for."""
    services = _within(rule)
    apply(services.values_list("pk", flat=True), now)
    if services.filter(tags_left__ignored__gt=0).exists():
        _check(rule, username)


def _check(rule: IgnoreRule, username: str) -> None:
    reason = Job.Reason.POLICY
    if rule.service:
        asking.check_service(rule.service, username, reason=reason)
    elif rule.stack:
        asking.check_stack(rule.stack, username, reason=reason)
    else:
        asking.check_everything(username, reason=reason)


def _within(rule: IgnoreRule) -> ServiceQuerySet:
    everything = Service.objects.current()
    match rule.scope:
        case Scope.SERVICE:
            return everything.filter(pk=rule.service_id)
        case Scope.STACK:
            return everything.filter(stack=rule.stack_id)
        case _all:
            return everything


def _hides(rule: IgnoreRule) -> tuple[str, str, str, bool]:
    return _place(rule), rule.kind, rule.value, rule.enabled


def _place(rule: IgnoreRule) -> str:
    return rule.service_id or rule.stack_id or Scope.ALL


def _follow(service: Service, held: list[Candidate]) -> None:
    shown = [row for row in held if not row.ignored_by_id]
    if not held:
        return
    if not shown:
        status = Service.Status.IGNORED
    elif all(row.arch == Candidate.Arch.MISMATCH for row in shown):
        status = Service.Status.ARCH_MISMATCH
    else:
        status = Service.Status.UPDATE_AVAILABLE
    Service.objects.filter(Q(pk=service.pk), ~Q(status=status)).update(status=status)
