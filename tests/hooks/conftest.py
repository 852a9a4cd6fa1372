"""An account whose repositories are at a GitHub of our own."""

from __future__ import annotations

from typing import Any

import pytest

from checks.models import Job
from integrations.hooks import asking
from integrations.models import HookAccount, HookTarget
from tests import rows
from tests.fake_github.server import FakeGitHub
from tests.github import TOKEN
from tests.hooks.doing import CALLBACK, Sync, Track, done


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
    account.callback_url, account.credential = CALLBACK, TOKEN
    account.save(update_fields=["callback_url", "credential"])
    return account


@pytest.fixture
def track(account: HookAccount, github: FakeGitHub) -> Track:
    """Add a repository, here and there."""

    def add(name: str = "acme/api", *, selected: bool = True, **there: Any) -> HookTarget:
        github.add_repository(name, **there)
        return rows.tracked(name, selected=selected)

    return add


@pytest.fixture
def sync(account: HookAccount) -> Sync:
    """Ask for a sync and do it."""

    def run(**given: Any) -> Job:
        now = HookAccount.objects.select_related("receiver").get(pk=account.pk)
        return done(asking.sync(now, username="ada", reason="ui", **given))

    return run
