"""What a sync does to hooks at GitHub, and what it says of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from integrations.models import HookAccount, HookTarget
from integrations.rotation import fingerprint
from tests.fake_github.server import FakeGitHub
from tests.hooks.conftest import CALLBACK, EVENTS, SECRET, Sync, hook_requests, said

Track = Callable[..., HookTarget]


class TestOneRepository:
    def test_it_makes_a_hook_and_then_leaves_it_alone(
        self, github: FakeGitHub, track: Track, sync: Sync
    ) -> None:
        target = track()
        first = sync()
        [hook] = github.hooks("acme/api")
        assert (hook.url, hook.events, hook.active) == (CALLBACK, EVENTS, True)
        assert (hook.content_type, hook.insecure_ssl, hook.secret) == ("json", "0", SECRET)
        assert (first.status, said(first)) == ("success", {"acme/api": "created"})
        assert first.summary["results"][0]["hookId"] == str(hook.id)
        target.refresh_from_db()
        assert (target.hook_id, target.hook_url) == (str(hook.id), CALLBACK)
        assert (target.hook_state, target.last_op) == ("ok", "created")
        assert target.secret_sent == fingerprint(SECRET)
        github.requests.clear()
        second = sync()
        assert said(second) == {"acme/api": "noop"}
        assert second.summary["ok"] is True
        assert hook_requests(github) == [("GET", "/repos/acme/api/hooks")]
