"""Programs of each role."""

from __future__ import annotations

import pytest

from tests.people import Program, person


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
