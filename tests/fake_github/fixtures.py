"""Fixtures: a fake GitHub for a test, which fails it when somebody spoke out of turn."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.fake_github.server import FakeGitHub


@pytest.fixture
def github() -> Iterator[FakeGitHub]:
    with FakeGitHub() as running:
        yield running
    assert not running.violations, "\n".join(running.violations)
