"""How much data there is. Importing this loads the Docker SDK."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from uuid import uuid4

from django.utils.translation import gettext as _

from checks.backups.helper import ROOT, CommandFailed, Helper, helper
from checks.discovery.places import Place
from checks.updating.engines import engine_at
from checks.updating.failing import UpdateFailed
from checks.updating.plan import Change, Data, Plan
from checks.versions.policies import SKIP

PATIENCE = 4.0  # seconds for all of a plan: a person waits
KILOBYTE = 1024


def measured(plan: Plan, place: Place) -> Plan:
    """A plan with the sizes of what it backs up, as far as they can be had in a short time."""
    wanted = [each for change in plan.changes for each in change.data if each.how != SKIP]
    if not wanted:
        return plan
    try:
        with (
            engine_at(place) as engine,
            helper(engine, wanted, owner=f"plan-{uuid4().hex}", pulls=False) as beside,
        ):
            sizes = dict(zip(wanted, _sizes(beside, wanted), strict=True))
    except UpdateFailed as error:
        text = _("How much data there is to back up is not known. %(why)s")
        return replace(plan, warnings=(*plan.warnings, text % {"why": str(error)}))
    return replace(plan, changes=tuple(_sized(change, sizes) for change in plan.changes))


def size_of(beside: Helper, number: int, seconds: float) -> int | None:
    """None where counting takes too long."""
    counting = ("timeout", str(max(1, round(seconds))), "du", "-sk", f"{ROOT}/{number}")
    try:
        return int(beside.run(*counting).split()[0]) * KILOBYTE
    except (CommandFailed, ValueError, IndexError):
        return None


def _sizes(beside: Helper, data: Sequence[Data]) -> list[int | None]:
    until = time.monotonic() + PATIENCE
    return [
        size_of(beside, number, left) if (left := until - time.monotonic()) > 0 else None
        for number, _each in enumerate(data)
    ]


def _sized(change: Change, sizes: Mapping[Data, int | None]) -> Change:
    return replace(
        change, data=tuple(replace(each, size=sizes.get(each, each.size)) for each in change.data)
    )
