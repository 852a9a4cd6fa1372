"""A repository at a GitHub of our own, whose hook calls us, and a service that runs its image."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from checks.models import Job
from checks.tasks import run_job
from dockrev import schedules
from integrations.models import HookTarget
from tests import rows
from tests.fake_github.server import FakeGitHub
from tests.fake_github.state import Hook
from tests.github import SECRET, TOKEN

KIND = "deliveries.reconcile"
Reconcile = Callable[[], Job | None]


@pytest.fixture
def github(github: FakeGitHub) -> FakeGitHub:
    """Nobody is called: each test says what arrived."""
    github.delivers = False
    github.add_token(TOKEN, scopes=["repo", "admin:repo_hook"])
    return github


@pytest.fixture
def hooked(db: None, github: FakeGitHub) -> Callable[[str], Hook]:
    """Have a repository there, with a hook of ours, that is selected here."""
    rows.github_receiver()

    def make(name: str) -> Hook:
        github.add_repository(name)
        events = ["package", "registry_package"]
        hook = github.add_hook(name, url="https://dockrev.example/", events=events, secret=SECRET)
        target = rows.tracked(name)
        target.hook_id = str(hook.id)
        target.save(update_fields=["hook_id"])
        target.account.api_url, target.account.credential = github.url, TOKEN
        target.account.save(update_fields=["api_url", "credential"])
        return hook

    return make


@pytest.fixture
def hook(hooked: Callable[[str], Hook]) -> Hook:
    rows.service("ghcr.io/acme/api:1.2.0")
    return hooked("acme/api")


@pytest.fixture
def reconcile(hook: Hook) -> Reconcile:
    """Have the schedule come due and its job run; None if that left no trace of it."""

    def run() -> Job | None:
        schedules.DEFAULTS[KIND].action()
        job = Job.objects.get(kind=KIND, finished_at=None)
        run_job(job.pk)
        return Job.objects.filter(pk=job.pk).first()

    return run


@pytest.fixture
def target(hook: Hook) -> HookTarget:
    return HookTarget.objects.get(name_key="acme/api")
