"""What the page of a service tells of its automatic updates."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django.conf import settings

from checks.automatic import state
from checks.automatic.job import KIND
from checks.automatic.words import said
from checks.models import Candidate
from checks.policies import Level
from checks.policy_form import value_words
from dockrev.models import Schedule


def shown(level: Level, offered: Sequence[Candidate], now: datetime) -> dict[str, Any]:
    """Of one that does not update itself only that. One query of one that does."""
    found = state.of(level, offered, now)
    if not found.is_on:
        return {"automatic": found}
    held = found.held["autoUpdate"]
    return {
        "automatic": found,
        "automatic_to": value_words("autoUpdate", held.value),
        "automatic_said": said("autoUpdate", held.source),
        "automatic_open": found.is_open(now),
        "automatic_young": found.ripe_at is not None and found.ripe_at > now,
        "automatic_off": Schedule.objects.filter(name=KIND.name, enabled=False).exists(),
        "time_zone": settings.TIME_ZONE,
    }
