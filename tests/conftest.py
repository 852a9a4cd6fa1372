"""Fixtures of the whole suite."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, settings

from integrations import ingest, proof, trigger, trigger_history
from integrations.github import client as github_client
from integrations.hooks import client
from integrations.tallies import Tallies

# How fast a machine makes examples says nothing about the code; it may have other work.
settings.register_profile("dockrev", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("dockrev")

pytest_plugins = [
    "tests.real.fixtures",
    "tests.servers",
    "tests.real.guarded",
    "tests.real.web_push",
    "tests.fake_github.fixtures",
    "tests.fake_harbor.fixtures",
    "tests.fake_docker_hub",
    "tests.fake_engine",
    "tests.mail_server",
]


@pytest.hookimpl(tryfirst=True)  # before tests are selected by their marks
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what has a database, so that another database is tried with these alone."""
    for item in items:
        fixtures = set(getattr(item, "fixturenames", ()))
        if item.get_closest_marker("django_db") or fixtures & {"db", "transactional_db"}:
            item.add_marker("database")


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
    for module in (ingest, proof, trigger, trigger_history):
        monkeypatch.setattr(module, "tallies", fresh)
    return fresh
