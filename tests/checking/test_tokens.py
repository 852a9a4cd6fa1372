"""How many tokens a check fetches, against a real registry and the token server that it trusts."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from pathlib import Path

import pytest
import time_machine
from django.utils import timezone
from pytest_django import Settings

from checks import queue
from checks.models import Registry, Service
from checks.tasks import run_job
from tests import rows
from tests.real.guarded import PASSWORD, USER, Guarded

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.engine]

REPOSITORIES = [f"acme/s{number:02}" for number in range(20)]
ONCE_EACH = {f"repository:{name}:pull": 1 for name in REPOSITORIES}


@pytest.fixture
def guarded(guarded_registry: Guarded, tmp_path: Path, settings: Settings) -> Guarded:
    """With a service for each repository, all with something newer, and a user's right to read."""
    settings.DOCKER_CONFIG = str(tmp_path)
    for name in REPOSITORIES:
        for tag in ("1.0.0", "1.1.0", "2.0.0"):
            guarded_registry.open.push_image(name, tag, content=f"{name} {tag}")
        run(guarded_registry, f"{name}:1.0.0", name)
    Registry.objects.create(host=guarded_registry.address, username=USER, password=PASSWORD)
    return guarded_registry


def run(guarded: Guarded, image: str, name: str) -> None:
    """Have a service run an older image than its tag has now."""
    rows.service(f"{guarded.address}/{image}", name=name, running=("sha256:" + "0" * 64,))


def fetched(guarded: Guarded) -> dict[str, int]:
    """Check everything, and count by scope what the token server was asked for meanwhile."""
    del guarded.tokens.given[:]
    run_job(queue.enqueue(queue.Request(kind="check.all", reason="ui")).job_id)
    assert not Service.objects.exclude(status="update_available").exists()
    return Counter(scope for asked in guarded.tokens.given for scope in asked.query["scope"])


def test_it_fetches_a_token_for_each_repository_and_keeps_it(guarded: Guarded) -> None:
    for number in range(4):
        run(guarded, "acme/s00:1.0.0", f"same{number}")
    assert fetched(guarded) == ONCE_EACH
    assert fetched(guarded) == {}


def test_it_fetches_one_for_services_on_several_tags(guarded: Guarded) -> None:
    for tag in ("1", "1.0", "1.0.0-alpine", "latest"):
        guarded.open.push_image("acme/s00", tag, content=tag)
        run(guarded, f"acme/s00:{tag}", tag)
    assert fetched(guarded) == ONCE_EACH


def test_it_fetches_each_once_more_when_it_has_ended(guarded: Guarded) -> None:
    fetched(guarded)
    with time_machine.travel(timezone.now() + timedelta(minutes=6), tick=True):
        assert fetched(guarded) == ONCE_EACH
