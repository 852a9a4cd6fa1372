"""A token that the fake GitHub knows, and an account that speaks with it."""

from __future__ import annotations

import pytest

from integrations.github import packages
from integrations.hooks.github import GitHub
from integrations.models import HookAccount
from tests import rows
from tests.fake_github.server import FakeGitHub
from tests.github import TOKEN
from tests.people import Program, person


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
    rows.github_receiver()
    account = packages.load().account
    account.api_url, account.credential = github.url, TOKEN
    account.save(update_fields=["api_url", "credential"])
    return account


@pytest.fixture
def admin(db: None) -> Program:
    return Program(person("admin"))
