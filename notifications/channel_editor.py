"""A channel's page as a form: what all kinds have, and what this kind asks for."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import groupby
from typing import Any

from django.forms import BoundField
from django.http import QueryDict
from django.utils.functional import Promise
from django.utils.translation import gettext as _

from dockrev import switches
from notifications import announce, stacks
from notifications.asked import Asked, Questions
from notifications.channels import TRANSPORTS
from notifications.forms import MAX_STACKS, ChannelForm, stored_config
from notifications.models import Channel
from notifications.stacks import StackChoice


@dataclass(frozen=True)
class Fault:
    """What is wrong with a field, and where that is on the page."""

    anchor: str
    label: str
    text: str


@dataclass(frozen=True)
class EventChoice:
    kind: str
    word: str | Promise
    when: str | Promise
    is_on: bool
    is_off_for_all: bool


class Editor:
    """The form of one channel, as it is stored, or as it came back in `data`."""

    def __init__(self, row: Channel, data: QueryDict | None = None, *, variant: str = "") -> None:
        self.row = row
        self.data = data
        self.transport = TRANSPORTS[row.kind]
        stored = {} if row._state.adding else stored_config(row)
        self.is_readable = row._state.adding or bool(stored)
        page_form = self.transport.page_form
        self.variants = page_form.variants if page_form else {}
        if page_form and stored and not variant:
            variant = page_form.variant_of(stored)
        self.variant = variant if variant in self.variants else next(iter(self.variants), "")
        self._questions = Questions(self.transport, stored, data, self.variant)
        self.trusts_all = stored.get("verify") is False
        self._wrong: dict[str, str] = {}
        self.form = ChannelForm(instance=row) if data is None else self._checked(data)

    @property
    def is_valid(self) -> bool:
        return self.form.is_bound and not self.form.errors and not self._wrong

    @cached_property
    def asked(self) -> list[Asked]:
        return self._questions.asked(self._wrong)

    @property
    def usual(self) -> list[Asked]:
        return [each for each in self.asked if each.bound.name not in self.transport.seldom]

    @property
    def seldom(self) -> list[Asked]:
        return [each for each in self.asked if each.bound.name in self.transport.seldom]

    @property
    def opens_seldom(self) -> bool:
        return any(each.needs_a_look for each in self.seldom)

    @property
    def kept(self) -> list[str]:
        return self._questions.kept

    @property
    def faults(self) -> list[Fault]:
        """What is wrong, for the top of the page."""
        own = list(self._own_faults())
        first = [fault for fault in own if fault.anchor == self.form["name"].id_for_label]
        return [*first, *self._asked_faults(), *(fault for fault in own if fault not in first)]

    @property
    def events(self) -> list[EventChoice]:
        chosen = self.row.events if self.data is None else self.data.getlist("events")
        one_each, states = self.transport.one_image_each, switches.states()
        return [
            EventChoice(kind, word, announce.WHEN[kind], kind in chosen, not states[kind])
            for kind, word in announce.EVENTS.items()
            if kind in announce.OF_IMAGES or not one_each
        ]

    @property
    def is_for_all(self) -> bool:
        if self.data is None:
            return not self.row.stack_ids
        return self.data.get("stacks") != "some"

    @cached_property
    def stack_ids(self) -> list[str]:
        if self.data is None:
            return list(self.row.stack_ids)
        return self.data.getlist("stack")[: MAX_STACKS + 1]

    @cached_property
    def hosts(self) -> list[tuple[str, list[StackChoice]]]:
        """The stacks to choose from, by host; those that went away only where they are chosen."""
        known = stacks.known()
        there = [
            each for each in known.values() if not each.is_archived or each.id in self.stack_ids
        ]
        gone = [StackChoice(id_, id_, "") for id_ in self.stack_ids if id_ not in known]
        grouped = [(host, list(each)) for host, each in groupby(there, lambda stack: stack.host)]
        return [*([(_("No longer there"), gone)] if gone else []), *grouped]

    @property
    def stack_count(self) -> int:
        return sum(len(each) for _host, each in self.hosts)

    def save(self) -> None:
        self.form.write()

    def _checked(self, data: QueryDict) -> ChannelForm:
        config, wrong = self._questions.given()
        ids = [] if self.is_for_all else self.stack_ids
        form = ChannelForm(instance=self.row)
        given = {
            name: field.widget.value_from_datadict(data, {}, name)
            for name, field in form.fields.items()
        }
        given |= {"kind": self.row.kind, "stack_ids": ids, "config": config}
        form = ChannelForm(given, instance=self.row)
        if not ids and not self.is_for_all:
            form.add_error("stack_ids", _("Choose a stack, or all of them."))
        blamed = self.transport.page_form.blamed if self.transport.page_form else {}
        inside = {
            blamed.get(name, name): str(messages[0])
            for name, messages in form.config_errors().items()
        }
        self._wrong = wrong or inside
        return form

    def _own_faults(self) -> Iterator[Fault]:
        for name, messages in self.form.errors.items():
            if name in self.form.fields and name != "config":
                bound = self.form[name]
                yield Fault(_anchor(bound), str(bound.label), str(messages[0]))
        if "config" in self.form.errors and not self._wrong:
            yield Fault("config", _("Configuration"), str(self.form.errors["config"][0]))

    def _asked_faults(self) -> Iterator[Fault]:
        asked = {each.bound.name: each for each in self.asked}
        for name, text in self._wrong.items():
            if each := asked.get(name):
                yield Fault(each.anchor, str(each.bound.label), text)
            else:
                yield Fault("config", _("Configuration"), text)


def _anchor(bound: BoundField) -> Any:
    return "stacks" if bound.name == "stack_ids" else bound.id_for_label or bound.name
