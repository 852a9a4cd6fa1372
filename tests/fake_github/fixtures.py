"""Fixtures: a fake GitHub for a test, which fails it when somebody spoke out of turn."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from integrations.github import client
from tests.fake_github.server import FakeGitHub


@pytest.fixture
def github(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeGitHub]:
    """It stands where github.com does: an account without an API URL asks it."""
    with FakeGitHub() as running:
        monkeypatch.setattr(client, "API_URL", running.url)
        yield running
    assert not running.violations, "\n".join(running.violations)
