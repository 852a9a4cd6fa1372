"""Programs of each role."""

from __future__ import annotations

import pytest

from integrations import ingest
from integrations.tallies import Tallies
from tests.people import Program, person


@pytest.fixture(autouse=True)
def _tallies_stay_in_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """The thread that writes them would come when the test's database is gone."""
    monkeypatch.setattr("integrations.tallies.FLUSH_EVERY", 3600)
    monkeypatch.setattr(ingest, "tallies", Tallies())


@pytest.fixture
def admin(db: None) -> Program:
    return Program(person("admin"))


@pytest.fixture
def operator(db: None) -> Program:
    return Program(person("operator"))


@pytest.fixture
def viewer(db: None) -> Program:
    return Program(person("viewer"))


@pytest.fixture
def stranger(db: None) -> Program:
    return Program(None)
