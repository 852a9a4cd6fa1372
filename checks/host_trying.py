"""Tries a Docker host while a person waits: does it answer, and what does it let us do?"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from django.utils.module_loading import import_string
from django.utils.translation import gettext as _

from checks.discovery.places import Place
from checks.registry.visit import FAILED, Step
from dockrev.aside import begin
from dockrev.turns import turns

LIMIT = 10.0  # seconds in all
# By name: the web process only needs the Docker SDK once somebody asks.
KNOCK = "checks.discovery.knock.knock"
REACH, READ, CHANGE, FILES = "reach", "read", "change", "files"


@dataclass(frozen=True)
class Tried:
    """What a test found, step by step."""

    steps: list[Step]

    @property
    def ok(self) -> bool:
        return all(each.outcome != FAILED for each in self.steps)


def try_out(place: Place) -> Tried:
    """Never inside a transaction. Raises RateLimited where too many wait."""
    knock: Callable[[Place], list[Step]] = import_string(KNOCK)
    with turns.aside():
        try:
            return Tried(begin(partial(knock, place)).result(LIMIT))
        except TimeoutError:
            text = _("%(place)s did not answer within %(limit)d s.")
            words = text % {"place": place.url or _("The Docker Engine"), "limit": LIMIT}
            return Tried([Step(REACH, FAILED, words)])
