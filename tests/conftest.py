"""Fixtures of the whole suite."""

from __future__ import annotations

import pytest

from integrations import ingest, proof, trigger
from integrations.github import client as github_client
from integrations.hooks import client
from integrations.tallies import Tallies

pytest_plugins = [
    "tests.real.fixtures",
    "tests.servers",
    "tests.real.guarded",
    "tests.fake_github.fixtures",
    "tests.fake_harbor.fixtures",
    "tests.fake_docker_hub",
]


@pytest.fixture(autouse=True)
def _nobody_calls_github(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing listens where GitHub's API is, unless a test says where; and nobody waits for it."""
    monkeypatch.setattr(github_client, "API_URL", "http://127.0.0.1:9")
    monkeypatch.setattr(client, "PAUSES", (0.0, 0.0))


@pytest.fixture(autouse=True)
def tallies(monkeypatch: pytest.MonkeyPatch) -> Tallies:
    """Counts of this test alone, which nobody writes when its database is gone."""
    monkeypatch.setattr("integrations.tallies.FLUSH_EVERY", 3600)
    fresh = Tallies()
    for module in (ingest, proof, trigger):
        monkeypatch.setattr(module, "tallies", fresh)
    return fresh
