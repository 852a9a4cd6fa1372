"""A new secret beside the old one, until the hooks have it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from checks.models import Job
from checks.tasks import run_job
from integrations import rotation
from integrations.hooks.tokens import fingerprint
from integrations.models import HookAccount, HookTarget, Receiver
from tests import github as senders
from tests.fake_github.server import FakeGitHub
from tests.github import SECRET
from tests.hooks.doing import Sync, Track, said


def receiver() -> Receiver:
    return Receiver.objects.get(kind="github-packages")


def rotate() -> str:
    return rotation.rotate(receiver(), timezone.now(), username="ada", reason="ui")


def taken(client: Client, secret: str) -> bool:
    """Whether a call signed with that secret gets in."""
    body = b'{"zen": "Anything added dilutes everything else."}'
    answer: Any = senders.deliver(client, body, event="ping", signature=senders.sign(body, secret))
    assert answer.status_code in (200, 401)
    return bool(answer.status_code == 200)


@pytest.fixture
def two(track: Track, sync: Sync) -> None:
    track("acme/a")
    track("acme/b")
    sync()


@pytest.mark.usefixtures("two")
class TestRotation:
    def test_both_count_until_every_hook_has_the_new_one(
        self, github: FakeGitHub, client: Client, sync: Sync
    ) -> None:
        new = rotate()
        until = receiver().previous_until
        assert until is not None and until > timezone.now() + timedelta(days=29)
        assert taken(client, SECRET) and taken(client, new)
        sync(repos=["acme/a"])
        assert [hook.secret for hook in github.hooks("acme/a")] == [new]
        assert taken(client, SECRET) and taken(client, new)
        sync()
        assert [hook.secret for hook in github.hooks("acme/b")] == [new]
        assert taken(client, new) and not taken(client, SECRET)

    def test_it_has_the_hooks_updated(self, github: FakeGitHub, client: Client) -> None:
        new = rotate()
        job = Job.objects.get(kind="hooks.sync", finished_at=None)
        run_job(job.pk)
        job.refresh_from_db()
        assert said(job) == {"acme/a": "updated", "acme/b": "updated"}
        assert taken(client, new) and not taken(client, SECRET)

    def test_a_dry_run_refuses_nothing(self, client: Client, sync: Sync) -> None:
        rotate()
        sync(dry_run=True)
        assert taken(client, SECRET)

    def test_it_does_not_wait_for_what_has_no_hook(
        self, github: FakeGitHub, client: Client, track: Track, sync: Sync
    ) -> None:
        track("acme/gone")
        github.remove_repository("acme/gone")
        sync()
        rotate()
        assert said(sync())["acme/gone"] == "error"
        assert not taken(client, SECRET)

    def test_it_waits_for_what_could_not_be_updated(
        self, github: FakeGitHub, client: Client, sync: Sync
    ) -> None:
        rotate()
        github.fail("PATCH", "/repos/acme/b/*", 422)
        assert said(sync())["acme/b"] == "error"
        assert taken(client, SECRET)
        soon = timezone.now() + timedelta(hours=1)
        Receiver.objects.update(previous_until=soon)
        github.fail("PATCH", "/repos/acme/b/*", 422)
        sync()
        until = receiver().previous_until
        assert until is not None and until > soon + timedelta(days=20)

    def test_twice_in_a_row_it_keeps_the_one_that_the_hooks_have(
        self, client: Client, sync: Sync
    ) -> None:
        unused = rotate()
        new = rotate()
        assert taken(client, SECRET) and taken(client, new) and not taken(client, unused)
        sync()
        assert taken(client, new) and not taken(client, SECRET)

    def test_a_secret_that_some_hooks_have_got_counts_on(self, client: Client, sync: Sync) -> None:
        middle = rotate()
        sync(repos=["acme/a"])
        new = rotate()
        assert taken(client, middle) and taken(client, new)

    def test_no_sync_is_queued_that_could_not_do_it(self, account: HookAccount) -> None:
        HookAccount.objects.update(credential="")
        rotate()
        HookAccount.objects.update(credential=account.credential)
        HookTarget.objects.update(selected=False)
        rotate()
        assert not Job.objects.filter(finished_at=None).exists()


class TestWithoutHooks:
    def test_the_old_one_counts_for_a_day(self, account: HookAccount) -> None:
        rotate()
        until = receiver().previous_until
        assert until is not None
        assert timedelta(hours=23) < until - timezone.now() <= timedelta(hours=24)


class TestFingerprints:
    def test_they_tell_secrets_apart_and_nothing_of_them(self) -> None:
        one, other = fingerprint("s" * 16), fingerprint("t" * 16)
        assert one != other and len(one) == 64
        assert one == fingerprint("s" * 16)
