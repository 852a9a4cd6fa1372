"""Fixtures: a fake Harbor for a test, which fails it when somebody spoke out of turn."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.fake_harbor.server import FakeHarbor


@pytest.fixture
def harbor() -> Iterator[FakeHarbor]:
    fake = FakeHarbor()
    with fake.server.running():
        yield fake
    assert not fake.violations, "\n".join(fake.violations)
