"""Ignore rules at work: which candidates they hide, as soon as a rule comes, changes or goes.

What is hidden is an open candidate, so that it is there again at once when its rule goes. Only the
versions below and above it, which nobody kept, have to be asked for: a check of the rule's scope
is queued where there may be some.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import datetime
from itertools import chain
from typing import Any, NamedTuple

from django.db import transaction
from django.db.models import Q

from checks import asking, hidings
from checks.models import Candidate, IgnoreRule, Job, Service
from checks.models.stacks import ServiceQuerySet
from checks.versions.ignores import Ignores, Rule

Scope = IgnoreRule.Scope


def by_service(
    services: Iterable[Service], now: datetime, *, besides: str = ""
) -> dict[str, Ignores]:
    """The rules in effect for each service, by its id; `besides` is one that is left out.

    One query.
    """
    return _by_service({each.pk: each.stack_id for each in services}, now, besides=besides)


def _by_service(
    stacks: Mapping[str, str], now: datetime, *, besides: str = ""
) -> dict[str, Ignores]:
    """`stacks` are those of the services, by these."""
    rules: dict[str, list[Rule]] = defaultdict(list)
    for row in IgnoreRule.objects.in_effect(now).exclude(pk=besides):
        rules[_place(row)].append(Rule(row.pk, row.kind, row.value))
    everything = Ignores(rules[Scope.ALL])
    found = {}
    for service_id, stack_id in stacks.items():
        ours = (*rules[service_id], *rules[stack_id])
        # Most services have no rules but those for all.
        found[service_id] = Ignores(ours, everything) if ours else everything
    return found


def apply(service_ids: Iterable[str], now: datetime) -> None:
    """Have the rules of this moment hide open candidates, and statuses follow.

    Inside the caller's transaction. Only rows that change are made objects of.
    """
    unclosed = Candidate.objects.unclosed().filter(service__in=list(service_ids)).order_by()
    rows = list(unclosed.values_list(*_Facts._fields, "service__stack_id"))
    if not rows:
        return
    ignores = _by_service({row[0]: row[-1] for row in rows}, now)
    held: dict[str, list[tuple[_Facts, str]]] = defaultdict(list)
    for row in rows:
        facts = _Facts(*row[:-1])
        held[facts.service_id].append((facts, hidden_by(facts, ignores[facts.service_id])))
    _hide(
        {facts.pk: rule for some in held.values() for facts, rule in some if _is_news(facts, rule)},
        now,
    )
    statuses = defaultdict(list)
    for service_id, some in held.items():
        if status := _status((facts, bool(rule)) for facts, rule in some):
            statuses[status].append(service_id)
    for status, ids in statuses.items():
        Service.objects.filter(~Q(status=status), pk__in=ids).update(status=status)


class _Facts(NamedTuple):
    """What of a candidate says whether it is hidden, and what that makes of its service."""

    service_id: str
    pk: str
    step: str
    tag: str
    digest: str
    arch: str
    waits_until: datetime | None
    ignored_by_id: str | None
    hidings: list[dict[str, Any]]


def _is_news(facts: _Facts, rule: str) -> bool:
    # A rule that was deleted has left the row already.
    return rule != (facts.ignored_by_id or "") or (not rule and hidings.is_going_on(facts))


def hidden_by(candidate: Candidate | _Facts, ignores: Ignores) -> str:
    """The id of the rule that hides a candidate; empty where none does."""
    rebuilt = candidate.step == Candidate.Step.REBUILT
    return ignores.image(candidate.tag, candidate.digest, rebuilt=rebuilt)


def _hide(changed: Mapping[str, str], now: datetime) -> None:
    """`changed` are the rules by the candidates that they hide from now on, or none."""
    wanted = set(filter(None, changed.values()))
    rules = IgnoreRule.objects.in_bulk(wanted) if wanted else {}
    for row in Candidate.objects.filter(pk__in=changed) if changed else ():
        row.ignored_by = rules.get(changed[row.pk])
        hidings.note(row, row.ignored_by, now)
        row.save(update_fields=["ignored_by", "hidings"])


def follow(service: Service) -> None:
    """Give a service that has open candidates the status that they make."""
    held = [(row, bool(row.ignored_by_id)) for row in service.candidates.open()]
    if status := _status(held):
        Service.objects.filter(~Q(status=status), pk=service.pk).update(status=status)


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
        delete([rule], username, now)
    else:
        switch_off([rule], username, now)


@transaction.atomic
def made(rule: IgnoreRule, username: str, now: datetime) -> None:
    """A rule is there. What it hides may have had lower versions below it."""
    _come([rule], username, now)


@transaction.atomic
def change(rule: IgnoreRule, username: str, now: datetime) -> None:
    """Store a rule that may be for something else than before."""
    before = IgnoreRule.objects.filter(pk=rule.pk).first()
    rule.save(update_fields=CHANGING)
    if before is not None and _hides(before) != _hides(rule):
        _gone([before], username, now)
        made(rule, username, now)


@transaction.atomic
def delete(rules: Iterable[IgnoreRule], username: str, now: datetime) -> None:
    before = list(rules)
    IgnoreRule.objects.filter(pk__in=[rule.pk for rule in before]).delete()
    _gone(before, username, now)


@transaction.atomic
def switch_on(rules: Iterable[IgnoreRule], username: str, now: datetime) -> int:
    """Have rules hide again. Those whose time is over stay off; returns how many did not."""
    chosen = [rule for rule in rules if rule.expires_at is None or rule.expires_at > now]
    IgnoreRule.objects.filter(pk__in=[rule.pk for rule in chosen]).update(enabled=True)
    _come(chosen, username, now)
    return len(chosen)


@transaction.atomic
def switch_off(rules: Iterable[IgnoreRule], username: str, now: datetime) -> None:
    chosen = list(rules)
    IgnoreRule.objects.filter(pk__in=[rule.pk for rule in chosen]).update(enabled=False)
    _gone(chosen, username, now)


def expire(now: datetime) -> None:
    """Switch off the rules whose time is over."""
    over = IgnoreRule.objects.filter(enabled=True, expires_at__lte=now)
    if over.exists():
        switch_off(over, "", now)


CHANGING = ["scope", "stack", "service", "kind", "value", "note", "expires_at", "enabled"]


def _come(rules: list[IgnoreRule], username: str, now: datetime) -> None:
    apply(within(rules).values_list("pk", flat=True), now)
    hidden = Candidate.objects.open().exclude(step=Candidate.Step.REBUILT)
    hidden = hidden.filter(ignored_by__in=rules, service__in=within(rules))
    busy = set(hidden.values_list("ignored_by", flat=True))
    _check([rule for rule in rules if rule.pk in busy], username)


def _gone(rules: list[IgnoreRule], username: str, now: datetime) -> None:
    """What they hid is there again. What stood above a lower version has to be asked for."""
    services = within(rules)
    apply(services.values_list("pk", flat=True), now)
    left = set(services.filter(tags_left__ignored__gt=0).values_list("pk", "stack_id"))
    places = {Scope.ALL, *chain.from_iterable(left)} if left else set()
    _check([rule for rule in rules if _place(rule) in places], username)


def _check(rules: Iterable[IgnoreRule], username: str) -> None:
    """Queue a check for the scope of each; one of everything is enough for all."""
    places = {_place(rule): rule for rule in rules}
    reason = Job.Reason.POLICY
    if Scope.ALL in places:
        asking.check_everything(username, reason=reason)
        return
    for rule in places.values():
        if rule.service:
            asking.check_service(rule.service, username, reason=reason)
        elif rule.stack:
            asking.check_stack(rule.stack, username, reason=reason)


def within(rules: Iterable[IgnoreRule]) -> ServiceQuerySet:
    """The services in the scope of any of these rules."""
    places = {_place(rule) for rule in rules}
    everything = Service.objects.current()
    if Scope.ALL in places:
        return everything
    return everything.filter(Q(pk__in=places) | Q(stack__in=places))


def _hides(rule: IgnoreRule) -> tuple[str, str, str, bool]:
    return _place(rule), rule.kind, rule.value, rule.enabled


def _place(rule: IgnoreRule) -> str:
    return rule.service_id or rule.stack_id or Scope.ALL


def _status(held: Iterable[tuple[Candidate | _Facts, bool]]) -> str:
    """What its candidates, and whether each is hidden, make of a service; empty without any."""
    old_enough = [(row, is_hidden) for row, is_hidden in held if not row.waits_until]
    shown = [row for row, is_hidden in old_enough if not is_hidden]
    if not old_enough:
        return ""
    if not shown:
        return Service.Status.IGNORED
    if all(row.arch == Candidate.Arch.MISMATCH for row in shown):
        return Service.Status.ARCH_MISMATCH
    return Service.Status.UPDATE_AVAILABLE
