"""Who reads and says what services do by themselves."""

from __future__ import annotations

import pytest

from tests.people import Program, person


@pytest.fixture
def operator(db: None) -> Program:
    return Program(person("operator"))
