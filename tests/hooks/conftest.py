"""An account whose repositories are at a GitHub of our own, and its jobs, done as a worker does."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from checks import queue
from checks.models import Job
from checks.tasks import run_job
from integrations.hooks import asking
from integrations.models import HookAccount, HookTarget
from tests import rows
from tests.fake_github.server import FakeGitHub
from tests.github import SECRET

TOKEN = "ghp_0123456789abcdefghijklmnopqrstuvwxyz"
CALLBACK = "https://dockrev.example.com/api/webhooks/github-packages"
EVENTS = ["package", "registry_package"]
Sync = Callable[..., Job]


@pytest.fixture
def github(github: FakeGitHub) -> FakeGitHub:
    """Nobody is called: what arrived is said by the tests that are about it."""
    github.delivers = False
    github.add_token(TOKEN, scopes=["repo", "admin:repo_hook"])
    return github


@pytest.fixture
def account(db: None, github: FakeGitHub) -> HookAccount:
    receiver = rows.github_receiver()
    account, _ = HookAccount.objects.get_or_create(
        provider="github", receiver=receiver, defaults={"name": "GitHub"}
    )
    account.api_url, account.callback_url = github.url, CALLBACK
    account.credential = TOKEN
    account.save(update_fields=["api_url", "callback_url", "credential"])
    return account


@pytest.fixture
def track(account: HookAccount, github: FakeGitHub) -> Callable[..., HookTarget]:
    """Add a repository, here and there."""

    def add(name: str = "acme/api", *, selected: bool = True, **there: Any) -> HookTarget:
        github.add_repository(name, **there)
        return rows.tracked(name, selected=selected)

    return add


@pytest.fixture
def sync(account: HookAccount) -> Sync:
    """Ask for a sync and do it. What is asked of GitHub before, to try the token, is forgotten."""

    def run(**asked: Any) -> Job:
        account.refresh_from_db()
        queued = asking.sync(account, username="ada", reason="ui", **asked)
        return done(queued)

    return run


def done(queued: queue.Queued) -> Job:
    run_job(queued.job_id)
    return Job.objects.get(pk=queued.job_id)


def said(job: Job, word: str = "action") -> dict[str, str]:
    """What a job says of each repository, in a word."""
    return {result["repo"]: result[word] for result in job.summary["results"]}


def hook_requests(github: FakeGitHub) -> list[tuple[str, str]]:
    return [(each.method, each.path) for each in github.requests if "/hooks" in each.path]


__all__ = ["CALLBACK", "EVENTS", "SECRET", "TOKEN", "Sync", "done", "hook_requests", "said"]
