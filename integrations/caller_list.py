"""A trigger's callers as people see them: what each may, and how it is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from checks.models import Stack
from integrations.callers import Action
from integrations.models import Receiver, TriggerCaller

NAMED = 3  # stacks of one line


@dataclass(frozen=True)
class Listed:
    row: TriggerCaller
    stacks: Sequence[Stack]

    @property
    def may_nothing(self) -> str:
        """Why it may ask for nothing; empty where there is something."""
        if not self.row.actions:
            return _("may do nothing: no action is ticked")
        if not self.row.every_stack and not self.stacks:
            return _("may do nothing: no stack is left that it is limited to")
        return ""

    @property
    def mark(self) -> str:
        if not self.row.enabled:
            return "off"
        return "attention" if self.may_nothing else "on"

    @property
    def word(self) -> str:
        if not self.row.enabled:
            return _("off")
        return self.may_nothing or _("on")

    @property
    def may(self) -> str:
        chosen = [str(Action(each).label) for each in self.row.actions if each in Action.values]
        return ", ".join(chosen)

    @property
    def where(self) -> str:
        if self.row.every_stack:
            return _("in every stack")
        names = ", ".join(stack.name for stack in self.stacks[:NAMED])
        more = len(self.stacks) - NAMED
        if more <= 0:
            return _("in %(names)s") % {"names": names} if names else ""
        words = ngettext(
            "in %(names)s and %(number)d more", "in %(names)s and %(number)d more", more
        )
        return words % {"names": names, "number": more}


def look(receiver: Receiver) -> list[Listed]:
    """Two queries."""
    rows = receiver.callers.prefetch_related("stacks")
    return [Listed(row, list(row.stacks.all())) for row in rows]


def look_at(row: TriggerCaller) -> Listed:
    return Listed(row, list(row.stacks.all()))
