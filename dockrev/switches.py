"""Kinds of event, each on or off for all. The app that tells of them registers them.

What is off is kept, so that a kind that a later version brings is on.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from django.db import transaction

from dockrev.models import Setting

KEY = "events_off"
"""The key of the setting that keeps them."""

KINDS: list[str] = []


def register(kinds: Iterable[str]) -> None:
    KINDS.extend(kind for kind in kinds if kind not in KINDS)


def states() -> dict[str, bool]:
    """Whether each is on. One query."""
    off = _off()
    return {kind: kind not in off for kind in KINDS}


def is_on(kind: str) -> bool:
    return kind not in _off()


@transaction.atomic
def change(wanted: Mapping[str, bool]) -> None:
    """Switch those that are named; the others stay as they are."""
    known = {**states(), **wanted}
    off = [kind for kind in KINDS if not known[kind]]
    Setting.objects.update_or_create(key=KEY, defaults={"value": off})


def _off() -> set[str]:
    stored = Setting.objects.filter(key=KEY).values_list("value", flat=True).first()
    return {kind for kind in stored if isinstance(kind, str)} if isinstance(stored, list) else set()
