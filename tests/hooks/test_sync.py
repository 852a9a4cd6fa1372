"""What a sync does to hooks at GitHub, and what it says of it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from integrations.hooks.tokens import fingerprint
from integrations.models import Delivery, HookAccount, HookTarget, Receiver
from tests.fake_github.server import FakeGitHub
from tests.github import SECRET, TOKEN, deliver
from tests.hooks.doing import (
    CALLBACK,
    EVENTS,
    FORMER,
    Sync,
    Track,
    asked,
    result,
    said,
    writes,
)

HOUR = timedelta(hours=1)


def proven(target: HookTarget, hook_id: int, **changed: Any) -> Delivery:
    """A call of that hook that knew the present secret."""
    now = timezone.now()
    known: dict[str, Any] = {"received_at": now, "last_received_at": now, "payload": b"{}"}
    return Delivery.objects.create(
        receiver=target.account.receiver,
        dedupe_key=f"d{Delivery.objects.count()}",
        hook_id=str(hook_id),
        decision="processed",
        **{**known, **changed},
    )


class TestOneRepository:
    def test_it_makes_a_hook(self, github: FakeGitHub, track: Track, sync: Sync) -> None:
        target = track()
        job = sync()
        [hook] = github.hooks("acme/api")
        assert (hook.url, hook.events, hook.active) == (CALLBACK, EVENTS, True)
        assert (hook.content_type, hook.insecure_ssl, hook.secret) == ("json", "0", SECRET)
        assert job.status == "success"
        assert job.summary == {
            "ok": True,
            "dryRun": False,
            "counts": {"created": 1},
            "results": [
                {
                    "repo": "acme/api",
                    "action": "created",
                    "hookId": str(hook.id),
                    "conflictHooks": [],
                    "message": None,
                }
            ],
        }
        target.refresh_from_db()
        assert (target.hook_id, target.hook_url) == (str(hook.id), CALLBACK)
        assert (target.hook_state, target.last_op, target.last_error) == ("ok", "created", "")
        assert target.secret_sent == fingerprint(SECRET)
        assert target.last_sync_at is not None

    def test_it_leaves_alone_what_is_right(
        self, github: FakeGitHub, track: Track, sync: Sync
    ) -> None:
        track()
        sync()
        github.requests.clear()
        assert said(sync()) == {"acme/api": "noop"}
        assert asked(github) == ["GET acme/api/hooks"]

    def test_it_finds_its_hook_among_many(
        self, github: FakeGitHub, track: Track, sync: Sync
    ) -> None:
        track()
        for number in range(100):
            github.add_hook("acme/api", url=f"https://ci.example/{number}", events=[f"e{number}"])
        github.validates = False  # nobody has so many kinds of events
        github.add_hook("acme/api", url=CALLBACK, events=EVENTS)
        assert said(sync()) == {"acme/api": "updated"}
        assert len(github.hooks("acme/api")) == 101

    @pytest.mark.parametrize(
        ("wrong", "words"),
        [
            ({"active": False}, "switched off"),
            ({"events": ["push"]}, "events were missing"),
            ({"content_type": "form"}, "forms"),
            ({"insecure_ssl": "1"}, "certificate"),
        ],
    )
    def test_it_puts_right_what_is_wrong(
        self, github: FakeGitHub, track: Track, sync: Sync, wrong: dict[str, Any], words: str
    ) -> None:
        track()
        sync()
        [hook] = github.hooks("acme/api")
        for name, value in wrong.items():
            setattr(hook, name, value)
        changed = result(sync())
        assert changed["action"] == "updated" and words in str(changed["message"])
        assert (hook.active, hook.content_type, hook.insecure_ssl) == (True, "json", "0")
        assert set(hook.events) >= set(EVENTS)
        assert hook.secret == SECRET
        assert said(sync()) == {"acme/api": "noop"}

    def test_it_keeps_the_events_that_a_person_added(
        self, github: FakeGitHub, track: Track, sync: Sync
    ) -> None:
        track()
        github.add_hook("acme/api", url=CALLBACK, events=["push", "package"])
        sync()
        [hook] = github.hooks("acme/api")
        assert hook.events == ["push", *EVENTS]

    def test_it_counts_every_event_as_ours(
        self, github: FakeGitHub, track: Track, sync: Sync
    ) -> None:
        target = track()
        hook = github.add_hook("acme/api", url=CALLBACK, events=["*"], secret=SECRET)
        target.hook_id = str(hook.id)
        target.save(update_fields=["hook_id"])
        hook.updated_at -= HOUR
        proven(target, hook.id)
        assert said(sync()) == {"acme/api": "noop"}
        assert hook.events == ["*"]

    def test_it_writes_no_secret_that_github_shows(
        self, github: FakeGitHub, track: Track, sync: Sync
    ) -> None:
        track()
        github.add_hook("acme/api", url=CALLBACK, events=EVENTS, secret="somebody else's secret")
        assert said(sync()) == {"acme/api": "updated"}
        [hook] = github.hooks("acme/api")
        assert hook.secret == SECRET

    def test_it_knows_its_callback_however_it_is_written(
        self, github: FakeGitHub, track: Track, sync: Sync
    ) -> None:
        track()
        written = "HTTPS://DockRev.example.com:443/api/webhooks/github-packages/"
        github.add_hook("acme/api", url=written, events=EVENTS)
        sync()
        assert len(github.hooks("acme/api")) == 1

    def test_it_leaves_hooks_of_others_alone(
        self, github: FakeGitHub, track: Track, sync: Sync
    ) -> None:
        target = track()
        address = "https://ci.example.com/hook?token=theirs"
        github.add_hook("acme/api", url=address, events=["push", "package"])
        sync()
        sync()
        assert [hook.url for hook in github.hooks("acme/api")] == [address, CALLBACK]
        target.refresh_from_db()
        assert "theirs" not in str(target.hooks_seen)


class TestSecrets:
    @pytest.fixture
    def hooked(self, github: FakeGitHub, track: Track) -> HookTarget:
        """A hook that somebody made by hand, and that has called."""
        target = track()
        hook = github.add_hook("acme/api", url=CALLBACK, events=EVENTS, secret=SECRET)
        hook.updated_at -= HOUR
        target.hook_id = str(hook.id)
        target.save(update_fields=["hook_id"])
        return target

    def test_it_believes_a_hook_that_proved_itself(self, hooked: HookTarget, sync: Sync) -> None:
        proven(hooked, int(hooked.hook_id))
        assert said(sync()) == {"acme/api": "noop"}
        hooked.refresh_from_db()
        assert hooked.secret_sent == fingerprint(SECRET)

    @pytest.mark.parametrize(
        "otherwise",
        [
            {"by_previous_secret": True},
            {"reconciled": True},
            {"received_at": timezone.now() - 2 * HOUR},
            {"hook_id": "12345"},
        ],
    )
    def test_it_sends_the_secret_where_nothing_proves_it(
        self, hooked: HookTarget, sync: Sync, otherwise: dict[str, Any]
    ) -> None:
        hook_id = int(otherwise.pop("hook_id", hooked.hook_id))
        proven(hooked, hook_id, **otherwise)
        assert said(sync()) == {"acme/api": "updated"}

    def test_it_does_not_take_a_proof_of_an_older_secret(
        self, hooked: HookTarget, sync: Sync
    ) -> None:
        proven(hooked, int(hooked.hook_id), received_at=timezone.now() - HOUR / 2)
        Receiver.objects.update(secret_created_at=timezone.now() - HOUR / 4)
        assert said(sync()) == {"acme/api": "updated"}

    def test_it_sends_the_secret_again_when_somebody_changed_the_hook(
        self, github: FakeGitHub, track: Track, sync: Sync
    ) -> None:
        track()
        sync()
        [hook] = github.hooks("acme/api")
        hook.updated_at += HOUR
        hook.secret = "what somebody typed"
        assert said(sync()) == {"acme/api": "updated"}
        assert hook.secret == SECRET


class TestSeveral:
    @pytest.fixture
    def twins(self, github: FakeGitHub, track: Track) -> list[str]:
        track()
        first = github.add_hook("acme/api", url=CALLBACK, events=EVENTS)
        second = github.add_hook("acme/api", url=CALLBACK + "/", events=["*"], active=False)
        second.last_response = {"code": 502, "status": "error", "message": "Bad Gateway"}
        return [str(first.id), str(second.id)]

    def test_it_names_them_and_does_nothing(
        self, github: FakeGitHub, twins: list[str], sync: Sync
    ) -> None:
        job = sync()
        assert (job.status, job.summary["ok"]) == ("success", False)
        conflict: Any = result(job)["conflictHooks"]
        assert [each["id"] for each in conflict] == twins
        assert conflict[1] == {
            "id": twins[1],
            "url": CALLBACK + "/",
            "events": ["*"],
            "active": False,
            "lastFailure": "Bad Gateway (502)",
        }
        assert writes(github) == []
        target = HookTarget.objects.get()
        assert (target.hook_state, target.conflict_hooks) == ("conflict", conflict)

    @pytest.mark.parametrize("kept", [0, 1])
    def test_it_keeps_the_chosen_one(
        self, github: FakeGitHub, twins: list[str], sync: Sync, kept: int
    ) -> None:
        sync()
        keep, delete = twins[kept], twins[1 - kept]
        choice = {"repo": "ACME/api", "keepHookId": keep, "deleteHookIds": [delete]}
        job = sync(resolve=[choice])
        assert (said(job), result(job)["hookId"]) == ({"acme/api": "updated"}, keep)
        [hook] = github.hooks("acme/api")
        assert (str(hook.id), hook.active, hook.secret) == (keep, True, SECRET)
        target = HookTarget.objects.get()
        assert (target.hook_state, target.conflict_hooks) == ("ok", [])
        assert said(sync(resolve=[choice])) == {"acme/api": "noop"}

    def test_it_deletes_nothing_that_is_no_duplicate_any_more(
        self, github: FakeGitHub, twins: list[str], sync: Sync
    ) -> None:
        moved = github.hooks("acme/api")[1]
        moved.url = "https://ci.example.com/hook"
        choice = {"repo": "acme/api", "keepHookId": twins[0], "deleteHookIds": [twins[1]]}
        sync(resolve=[choice])
        assert moved in github.hooks("acme/api")

    def test_it_deletes_nothing_when_the_chosen_one_is_gone(
        self, github: FakeGitHub, twins: list[str], sync: Sync
    ) -> None:
        github.hooks("acme/api").pop(0)
        choice = {"repo": "acme/api", "keepHookId": twins[0], "deleteHookIds": [twins[1]]}
        job = sync(resolve=[choice])
        assert (said(job), result(job)["hookId"]) == ({"acme/api": "updated"}, twins[1])

    def test_it_remembers_its_own_among_them(
        self, github: FakeGitHub, track: Track, sync: Sync
    ) -> None:
        target = track()
        sync()
        [hook] = github.hooks("acme/api")
        github.add_hook("acme/api", url=CALLBACK, events=["push"])
        assert said(sync()) == {"acme/api": "conflict"}
        target.refresh_from_db()
        assert target.hook_id == str(hook.id)


class TestWhatIsNotWantedAnyMore:
    def test_it_deletes_the_hook_of_what_was_deselected(
        self, github: FakeGitHub, track: Track, sync: Sync
    ) -> None:
        target = track()
        sync()
        HookTarget.objects.update(selected=False)
        assert said(sync()) == {"acme/api": "deleted"}
        assert github.hooks("acme/api") == []
        target.refresh_from_db()
        assert (target.hook_id, target.hook_state, target.secret_sent) == ("", "unknown", "")
        assert sync().summary["results"] == []

    def test_it_forgets_what_was_removed(
        self, github: FakeGitHub, track: Track, sync: Sync
    ) -> None:
        track()
        sync()
        HookTarget.objects.update(selected=False, removed=True)
        assert said(sync()) == {"acme/api": "deleted"}
        assert github.hooks("acme/api") == []
        assert not HookTarget.objects.exists()

    def test_it_forgets_at_the_second_try_what_is_not_there_to_be_seen(
        self, github: FakeGitHub, track: Track, sync: Sync
    ) -> None:
        track()
        sync()
        github.remove_repository("acme/api")
        HookTarget.objects.update(selected=False, removed=True)
        assert said(sync()) == {"acme/api": "error"}
        assert HookTarget.objects.exists()
        assert said(sync()) == {"acme/api": "noop"}
        assert not HookTarget.objects.exists()

    def test_it_deletes_no_hook_but_the_one_that_it_made(
        self, github: FakeGitHub, track: Track, sync: Sync
    ) -> None:
        track()
        sync()
        [ours] = github.hooks("acme/api")
        theirs = github.add_hook("acme/api", url=CALLBACK, events=["push"])
        HookTarget.objects.update(selected=False)
        sync()
        assert github.hooks("acme/api") == [theirs]
        assert ours not in github.hooks("acme/api")

    def test_it_leaves_a_hook_that_somebody_took_over(
        self, github: FakeGitHub, track: Track, sync: Sync
    ) -> None:
        track()
        sync()
        [hook] = github.hooks("acme/api")
        hook.url = "https://ci.example.com/hook"
        HookTarget.objects.update(selected=False)
        assert said(sync()) == {"acme/api": "noop"}
        assert github.hooks("acme/api") == [hook]
        assert HookTarget.objects.get().hook_id == ""

    def test_it_replaces_the_hook_of_a_former_callback(
        self, github: FakeGitHub, account: HookAccount, track: Track, sync: Sync
    ) -> None:
        track()
        HookAccount.objects.update(callback_url=FORMER)
        sync()
        [former] = github.hooks("acme/api")
        assert former.url == FORMER
        HookAccount.objects.update(callback_url=CALLBACK)
        github.requests.clear()
        job = sync()
        assert said(job) == {"acme/api": "created"}
        assert "former" in str(result(job)["message"])
        [hook] = github.hooks("acme/api")
        assert hook.url == CALLBACK
        # The new one first: no moment is without a hook.
        assert [each.split()[0] for each in asked(github)] == ["GET", "POST", "DELETE"]
        assert said(sync()) == {"acme/api": "noop"}

    def test_it_forgets_no_former_hook_because_the_new_one_called_first(
        self, client: Client, github: FakeGitHub, track: Track, sync: Sync
    ) -> None:
        track()
        HookAccount.objects.update(callback_url=FORMER)
        sync()
        HookAccount.objects.update(callback_url=CALLBACK)
        fault = github.fail("DELETE", "/repos/acme/api/hooks/*", with_=500, times=99)
        assert said(sync()) == {"acme/api": "error"}
        _former, new = github.hooks("acme/api")
        ping = {"zen": "Keep it calm.", "repository": {"full_name": "acme/api"}}
        deliver(client, ping, event="ping", **{"X-GitHub-Hook-ID": str(new.id)})
        github.faults.remove(fault)
        sync()
        assert github.hooks("acme/api") == [new]
        assert HookTarget.objects.get().verified_at is not None

    def test_it_lists_anew_for_another_callback(
        self, github: FakeGitHub, track: Track, sync: Sync
    ) -> None:
        track()
        github.add_hook("acme/api", url=CALLBACK, events=["package"])
        HookAccount.objects.update(callback_url=FORMER)
        sync()
        sync()
        HookAccount.objects.update(callback_url=CALLBACK)
        assert said(sync()) == {"acme/api": "updated"}
        assert [hook.url for hook in github.hooks("acme/api")] == [CALLBACK]

    def test_it_comes_back_for_a_former_hook_that_it_could_not_delete(
        self, github: FakeGitHub, track: Track, sync: Sync
    ) -> None:
        track()
        HookAccount.objects.update(callback_url=FORMER)
        sync()
        HookAccount.objects.update(callback_url=CALLBACK)
        github.fail("DELETE", "*", 422)
        assert said(sync()) == {"acme/api": "error"}
        assert len(github.hooks("acme/api")) == 2
        sync()
        [hook] = github.hooks("acme/api")
        assert hook.url == CALLBACK
        assert said(sync()) == {"acme/api": "noop"}


class TestDryRun:
    def test_it_says_the_same_and_writes_nothing(
        self, github: FakeGitHub, account: HookAccount, track: Track, sync: Sync
    ) -> None:
        for name in ("new", "gone", "form", "right", "twins"):
            track(f"acme/{name}")
        sync()
        github.hooks("acme/new").clear()
        github.hooks("acme/form")[0].content_type = "form"
        github.add_hook("acme/twins", url=CALLBACK, events=["push"])
        HookTarget.objects.filter(name_key="acme/gone").update(selected=False)
        track("acme/forgotten")
        HookTarget.objects.filter(name_key="acme/forgotten").update(selected=False, removed=True)
        before = list(HookTarget.objects.values())
        github.requests.clear()
        dry = sync(dry_run=True)
        assert said(dry) == {
            "acme/form": "updated",
            "acme/gone": "deleted",
            "acme/new": "created",
            "acme/right": "noop",
            "acme/twins": "conflict",
        }
        assert dry.summary["dryRun"] is True
        assert {each.method for each in github.requests} == {"GET"}
        assert list(HookTarget.objects.values()) == before
        assert said(sync()) == said(dry)


class TestMany:
    def test_it_asks_once_for_each_and_five_at_once(
        self, github: FakeGitHub, track: Track, sync: Sync
    ) -> None:
        for number in range(500):
            track(f"acme/r{number:03}")
        sync()
        sync()  # now every list is known by its ETag
        github.requests.clear()
        github.latency, github.most_at_once = 0.002, 0
        with CaptureQueriesContext(
            connection,
        ) as queries:
            job = sync()
        assert job.summary["counts"] == {"noop": 500}
        hooks = [each for each in github.requests if "/hooks" in each.path]
        assert len(hooks) == 500
        assert {each.status for each in hooks} == {304}
        assert github.most_at_once == 5
        written = [q for q in queries if q["sql"].startswith("UPDATE") and "hooktarget" in q["sql"]]
        assert len(written) == 10
        assert len(queries) < 100  # not one for each
        assert (job.progress_done, job.progress_total) == (500, 500)
        assert not HookTarget.objects.filter(last_sync_at=None).exists()

    def test_it_does_only_what_it_is_asked_for(
        self, github: FakeGitHub, track: Track, sync: Sync
    ) -> None:
        for name in ("acme/a", "acme/b", "acme/c"):
            track(name, selected=name != "acme/c")
        job = sync(repos=["ACME/B", "acme/c"])
        assert said(job) == {"acme/b": "created", "acme/c": "noop"}
        assert github.hooks("acme/a") == []

    def test_it_goes_on_where_one_fails(self, github: FakeGitHub, track: Track, sync: Sync) -> None:
        for name in ("acme/a", "acme/b", "acme/c"):
            track(name)
        github.remove_repository("acme/b")
        job = sync()
        assert said(job) == {"acme/a": "created", "acme/b": "error", "acme/c": "created"}
        assert (job.status, job.summary["ok"]) == ("success", False)
        failed = HookTarget.objects.get(name_key="acme/b")
        assert (failed.hook_state, failed.last_op) == ("error", "error")
        assert failed.last_error
        assert TOKEN not in str(job.summary)
