"""A token that the fake GitHub knows, and an account that speaks with it."""

from __future__ import annotations

import pytest

from integrations.hooks.github import GitHub
from integrations.models import HookAccount
from tests import rows
from tests.fake_github.server import FakeGitHub

TOKEN = "ghp_0123456789abcdefghijklmnopqrstuvwxyz"


@pytest.fixture
def github(github: FakeGitHub) -> FakeGitHub:
    github.delivers = False
    github.add_token(TOKEN, login="ada", scopes=["repo", "admin:repo_hook"])
    return github


@pytest.fixture
def provider(github: FakeGitHub) -> GitHub:
    return GitHub(TOKEN, github.url)


@pytest.fixture
def account(db: None, github: FakeGitHub) -> HookAccount:
    receiver = rows.github_receiver()
    return HookAccount.objects.create(
        receiver=receiver, provider="github", name="GitHub", api_url=github.url, credential=TOKEN
    )
