"""What is published while nothing of Dockrev runs is known as soon as it runs again."""

from __future__ import annotations

import pytest

from tests.fake_github.server import FakeGitHub
from tests.github import TOKEN, published
from tests.processes.api import Api
from tests.processes.instance import Instance
from tests.waiting import PATIENCE, until


@pytest.fixture
def github(github: FakeGitHub) -> FakeGitHub:
    github.add_token(TOKEN, scopes=["repo", "admin:repo_hook"])
    github.add_repository("acme/api")
    return github


def test_it_catches_up_when_it_starts(instance: Instance, github: FakeGitHub) -> None:
    instance.migrate()
    process = instance.run()
    api = Api(instance)
    callback = instance.url("/api/webhooks/github-packages")
    given = {"enabled": True, "pat": TOKEN, "apiUrl": github.url, "callbackUrl": callback}
    api.call("PUT", "/api/github-packages/settings", **given)
    api.call("POST", "/api/github-packages/targets/add", input="acme/api")
    api.call("POST", "/api/github-packages/sync", dryRun=False)
    until(lambda: github.hooks("acme/api"), what="there is a hook")
    github.settle()
    until(
        lambda: api.call("GET", "/api/github-packages/repos")["repos"][0]["hookId"],
        what="the hook is known",
    )
    (came,) = github.publish("acme/api", published())
    process.terminate()
    process.wait(PATIENCE)
    missed = [github.publish("acme/api", published(tag=tag))[0] for tag in ("2", "3")]
    assert {attempt.failed for attempt in missed} == {True}

    instance.run()
    known = {came.guid: (False, 1), **{attempt.guid: (True, 1) for attempt in missed}}
    until(lambda: api.deliveries() == known, what="all is known")
