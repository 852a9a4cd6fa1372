"""Policies in the rows: what is said where, what holds for whom, and the check after a change."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from django.db import transaction

from checks import asking
from checks.models import Job, Service, Stack
from checks.models.stacks import POLICY_FOR_ALL, ServiceQuerySet
from checks.versions.policies import FIELDS, Fault, Held, Layers, Source, holding, read_labels
from dockrev.models import Setting


@dataclass(frozen=True)
class Level:
    """Where something may be said of services: of one, of a stack's, or of all.

    `row` is the service or the stack; `layers` are those that count there, its own among them.
    """

    source: Source
    row: Service | Stack | None
    layers: Layers
    faults: tuple[Fault, ...] = ()

    @cached_property
    def held(self) -> dict[str, Held]:
        """What holds here, field by field."""
        return holding(self.layers)

    @cached_property
    def inherited(self) -> dict[str, Held]:
        """What would hold if nothing were said here."""
        return holding({key: each for key, each in self.layers.items() if key != self.source})

    @cached_property
    def said(self) -> dict[str, Any]:
        """What is said here, as far as it can be read."""
        own = self.layers[self.source]
        return {
            name: own[name]
            for name, field in FIELDS.items()
            if name in own and field.takes(own[name])
        }


def of_service(service: Any) -> Level:
    """What holds for a service that was read `with_policies`. Asks no database."""
    said, faults = read_labels(_mapping(service.labels))
    layers = {
        Source.LABEL: said,
        Source.SERVICE: _mapping(service.policy),
        Source.STACK: _mapping(service.stack.policy),
        Source.ALL: _mapping(service.policy_for_all),
    }
    return Level(Source.SERVICE, service, layers, tuple(faults))


def of_stack(stack: Stack) -> Level:
    """What holds in a stack where its services say nothing. One query."""
    layers = {Source.STACK: _mapping(stack.policy), Source.ALL: _for_all()}
    return Level(Source.STACK, stack, layers)


def of_all() -> Level:
    """What holds where neither services nor stacks say anything. One query."""
    return Level(Source.ALL, None, {Source.ALL: _for_all()})


@transaction.atomic
def change(level: Level, changes: Mapping[str, Any], username: str) -> None:
    """Say something at a level; None says nothing of a field any more, so that it is inherited.

    What is not named stays. One check of all that it may be about is queued, if it is news.
    """
    before = _locked(level)
    said = {name: value for name, value in {**before, **changes}.items() if value is not None}
    if said == before:
        return
    if level.row is None:
        Setting.objects.filter(key=POLICY_FOR_ALL).update(value=said)
    else:
        level.row.policy = said
        level.row.save(update_fields=["policy"])
    _check(level, username)


def reach(level: Level) -> tuple[dict[str, int], int]:
    """For how many services what holds at a level does hold, by field, and of how many.

    One query. For the others somebody above says something else.
    """
    counts: Counter[str] = Counter(dict.fromkeys(FIELDS, 0))
    rows = list(_within(level).values_list("labels", "policy", "stack__policy"))
    for labels, own, of_its_stack in rows:
        above = {Source.LABEL: read_labels(_mapping(labels))[0], Source.SERVICE: _mapping(own)}
        if level.source == Source.ALL:
            above[Source.STACK] = _mapping(of_its_stack)
        held = holding(above)
        counts.update(name for name in FIELDS if held[name].source == Source.DEFAULT)
    return dict(counts), len(rows)


def check_again(service_ids: Iterable[str], *, reason: str = Job.Reason.POLICY) -> None:
    """Queue one check of these services, whose labels or references changed; the narrowest that has
    them all."""
    current = Service.objects.current().filter(pk__in=list(service_ids))
    services = list(current.select_related("stack"))
    stacks = {each.stack_id for each in services}
    if len(services) == 1:
        asking.check_service(services[0], "", reason=reason)
    elif len(stacks) == 1:
        asking.check_stack(services[0].stack, "", reason=reason)
    elif stacks:
        asking.check_everything("", reason=reason)


def _locked(level: Level) -> dict[str, Any]:
    """What is said at a level at this moment; nobody else changes it until we are done."""
    if level.row is not None:
        rows = type(level.row)._default_manager.select_for_update()
        return dict(_mapping(rows.get(pk=level.row.pk).policy))
    Setting.objects.get_or_create(key=POLICY_FOR_ALL, defaults={"value": {}})
    return dict(_mapping(Setting.objects.select_for_update().get(key=POLICY_FOR_ALL).value))


def _check(level: Level, username: str) -> None:
    if not _within(level).exists():
        return
    match level.row:
        case Service() as service:
            asking.check_service(service, username, reason=Job.Reason.POLICY)
        case Stack() as stack:
            asking.check_stack(stack, username, reason=Job.Reason.POLICY)
        case _all:
            asking.check_everything(username, reason=Job.Reason.POLICY)


def _within(level: Level) -> ServiceQuerySet:
    everything = Service.objects.current()
    match level.row:
        case Service() as service:
            return everything.filter(pk=service.pk)
        case Stack() as stack:
            return everything.filter(stack=stack)
        case _all:
            return everything


def _for_all() -> Mapping[str, Any]:
    row = Setting.objects.filter(key=POLICY_FOR_ALL).first()
    return _mapping(row.value if row else None)


def _mapping(stored: Any) -> Mapping[str, Any]:
    """Whatever is in the column, as what it should be."""
    return stored if isinstance(stored, dict) else {}
