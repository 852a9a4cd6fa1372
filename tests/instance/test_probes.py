from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from dockrev import probes

pytestmark = pytest.mark.django_db


def test_it_asks_every_part(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probes, "HEALTH", {"engine": lambda: "absent"})
    assert probes.health() == {"database": "ok", "engine": "absent"}


def test_it_believes_a_worker_only_while_it_beats() -> None:
    now = timezone.now()
    assert probes.worker_health() == "down"
    probes.beat(probes.WORKER, now, {"pid": 1})
    assert probes.worker_health() == "ok"
    assert not probes.is_alive(probes.WORKER, now + timedelta(minutes=1))
    probes.beat(probes.WORKER, now + timedelta(minutes=1), {"pid": 2})
    assert probes.is_alive(probes.WORKER, now + timedelta(minutes=1))
