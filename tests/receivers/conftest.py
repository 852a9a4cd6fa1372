"""A receiver that is on, and a service that runs what it tells of."""

from __future__ import annotations

import pytest

from checks.models import Service
from integrations import ingest
from integrations.tallies import Tallies
from tests import rows


@pytest.fixture(autouse=True)
def tallies(monkeypatch: pytest.MonkeyPatch) -> Tallies:
    """Counts of this test alone."""
    monkeypatch.setattr("integrations.tallies.FLUSH_EVERY", 3600)
    fresh = Tallies()
    monkeypatch.setattr(ingest, "tallies", fresh)
    return fresh


@pytest.fixture
def service() -> Service:
    rows.github_receiver()
    rows.tracked("acme/api")
    return rows.service("ghcr.io/acme/api:1.2.0")
