"""What a sync, an audit and a removal do to a Harbor's webhook policies."""

from __future__ import annotations

from typing import Any

import pytest

from checks.models import Job
from checks.tasks import run_job
from integrations.hooks import asking
from integrations.hooks import audit as auditing
from integrations.models import HookAccount, HookTarget, Receiver
from notifications.models import Channel, Notification
from tests.fake_harbor.server import FakeHarbor
from tests.harbor.conftest import CALLBACK, SECRET, TOKEN
from tests.hooks.doing import Sync, Track, done, result, said

WANTED = ["PUSH_ARTIFACT", "REPLICATION", "SCANNING_COMPLETED"]
OURS = {
    "type": "http",
    "address": CALLBACK,
    "auth_header": SECRET,
    "skip_cert_verify": False,
    "payload_format": "Default",
}
THEIRS = {
    "type": "slack",
    "address": "https://hooks.slack.example/T0/secret",
    "auth_header": "theirs",
    "skip_cert_verify": True,
    "payload_format": "Default",
}


class TestOneProject:
    def test_it_makes_a_policy(self, harbor: FakeHarbor, track: Track, sync: Sync) -> None:
        target = track()
        job = sync()
        assert (job.status, said(job)) == ("success", {"library": "created"})
        [policy] = harbor.of("library")
        assert (policy.targets, policy.event_types, policy.enabled) == ([OURS], WANTED, True)
        target.refresh_from_db()
        assert (target.hook_state, target.hook_url) == ("ok", CALLBACK)
        assert target.hook_id.startswith(f"{policy.id}.")
        assert target.hook_id == job.summary["results"][0]["hookId"]

    def test_it_leaves_alone_what_is_right(
        self, harbor: FakeHarbor, track: Track, sync: Sync
    ) -> None:
        track()
        sync()
        harbor.requests.clear()
        assert said(sync()) == {"library": "noop"}
        assert harbor.writes() == []

    def test_it_takes_over_what_a_person_made_right(
        self, harbor: FakeHarbor, track: Track, sync: Sync
    ) -> None:
        """Harbor shows the header, so nothing has to be sent to know that it is right."""
        target = track()
        harbor.add_policy("library", CALLBACK, auth_header=SECRET, event_types=WANTED)
        assert said(sync()) == {"library": "noop"}
        assert harbor.writes() == []
        target.refresh_from_db()
        assert (target.hook_state, bool(target.hook_id)) == ("ok", True)

    @pytest.mark.parametrize(
        ("wrong", "words"),
        [
            ({"enabled": False}, "switched off"),
            ({"event_types": ["PULL_ARTIFACT"]}, "events were missing"),
            ({"auth_header": "another"}, "another secret"),
            ({"skip_cert_verify": True}, "did not check the certificate"),
            ({"payload_format": "CloudEvents"}, "the format CloudEvents"),
        ],
    )
    def test_it_puts_right_what_is_wrong(
        self,
        harbor: FakeHarbor,
        account: HookAccount,
        track: Track,
        sync: Sync,
        wrong: dict[str, Any],
        words: str,
    ) -> None:
        target = track()
        sync()
        [policy] = harbor.of("library")
        for name, value in wrong.items():
            if hasattr(policy, name):
                setattr(policy, name, value)
            else:
                policy.targets[0][name] = value
        assert said(audit(account), "state") == {"library": "drift"}
        target.refresh_from_db()
        assert words.lower() in target.last_error.lower()
        put_right = result(sync())
        assert put_right["action"] == "updated" and words in str(put_right["message"])
        assert policy.targets == [OURS] and policy.enabled
        assert set(policy.event_types) >= set(WANTED)
        assert said(sync()) == {"library": "noop"}

    def test_it_checks_no_certificate_where_that_was_said(
        self, harbor: FakeHarbor, account: HookAccount, track: Track, sync: Sync
    ) -> None:
        track()
        sync()
        HookAccount.objects.update(verify_tls=False)
        changed = result(sync())
        assert changed["action"] == "updated" and "it checked the" in str(changed["message"])
        assert harbor.of("library")[0].targets[0]["skip_cert_verify"] is True
        assert said(sync()) == {"library": "noop"}

    def test_it_keeps_what_a_person_added(
        self, harbor: FakeHarbor, track: Track, sync: Sync
    ) -> None:
        track()
        sync()
        [policy] = harbor.of("library")
        policy.name, policy.description = "Images", "ours and theirs"
        policy.event_types.append("QUOTA_EXCEED")
        policy.targets.insert(0, dict(THEIRS))
        policy.targets[1]["auth_header"] = "another"
        assert said(sync()) == {"library": "updated"}
        assert policy.targets == [THEIRS, OURS]
        assert policy.event_types == [*WANTED, "QUOTA_EXCEED"]
        assert (policy.name, policy.description) == ("Images", "ours and theirs")

    def test_it_sends_nobody_else_more_than_they_asked_for(
        self, harbor: FakeHarbor, track: Track, sync: Sync
    ) -> None:
        """A policy that calls others, too, and is off: they are not called again for our sake."""
        track()
        shared = harbor.add_policy(
            "library", CALLBACK, auth_header=SECRET, event_types=WANTED, enabled=False
        )
        shared.targets.append(dict(THEIRS))
        assert said(sync()) == {"library": "updated"}
        assert (shared.targets, shared.enabled) == ([THEIRS], False)
        [ours] = [policy for policy in harbor.of("library") if policy is not shared]
        assert (ours.targets, ours.enabled) == ([OURS], True)
        assert said(sync()) == {"library": "noop"}

    def test_it_wants_no_more_than_is_offered(
        self, harbor: FakeHarbor, track: Track, sync: Sync
    ) -> None:
        harbor.events = ("PUSH_ARTIFACT", "PULL_ARTIFACT")
        harbor.has_formats = False
        track()
        assert said(sync()) == {"library": "created"}
        [policy] = harbor.of("library")
        assert policy.event_types == ["PUSH_ARTIFACT"]
        assert "payload_format" not in policy.targets[0]
        assert said(sync()) == {"library": "noop"}

    def test_it_says_that_no_push_is_offered(
        self, harbor: FakeHarbor, track: Track, sync: Sync
    ) -> None:
        harbor.events = ("PULL_ARTIFACT",)
        track()
        failed = result(sync())
        assert failed["action"] == "error" and "offers no event" in str(failed["message"])
        assert harbor.of("library") == []

    def test_it_finds_a_name_that_is_free(
        self, harbor: FakeHarbor, track: Track, sync: Sync
    ) -> None:
        track()
        for name in ("Dockrev", "Dockrev 2"):
            harbor.add_policy("library", "https://ci.example/", name=name)
        assert said(sync()) == {"library": "created"}
        assert harbor.of("library")[-1].name == "Dockrev 3"

    def test_it_finds_what_it_made_without_being_told_where(
        self, harbor: FakeHarbor, track: Track, sync: Sync
    ) -> None:
        harbor.tells_locations = False
        target = track()
        assert said(sync()) == {"library": "created"}
        target.refresh_from_db()
        assert target.hook_id.startswith(f"{harbor.of('library')[0].id}.")

    def test_it_speaks_of_a_project_by_its_name(
        self, harbor: FakeHarbor, track: Track, sync: Sync
    ) -> None:
        """One may be named like the number of another."""
        other = harbor.add_project("other")
        track(str(other.id))
        assert said(sync()) == {str(other.id): "created"}
        assert harbor.of("other") == [] and len(harbor.of(str(other.id))) == 1


class TestConflicts:
    def test_it_leaves_the_choice_to_a_person(
        self, harbor: FakeHarbor, account: HookAccount, track: Track, sync: Sync
    ) -> None:
        target = track()
        first = harbor.add_policy("library", CALLBACK, auth_header=SECRET, event_types=WANTED)
        second = harbor.add_policy("library", CALLBACK + "/", auth_header=SECRET)
        harbor.requests.clear()
        assert said(sync()) == {"library": "conflict"}
        assert harbor.writes() == []
        target.refresh_from_db()
        ids = [hook["id"] for hook in target.conflict_hooks]
        assert [each.partition(".")[0] for each in ids] == [str(first.id), str(second.id)]
        choice = {"repo": "library", "keepHookId": ids[1], "deleteHookIds": [ids[0]]}
        assert said(sync(resolve=[choice])) == {"library": "updated"}
        assert harbor.of("library") == [second]
        assert second.event_types == WANTED


class TestTheEnd:
    def test_it_deletes_what_is_not_wanted_any_more(
        self, harbor: FakeHarbor, track: Track, sync: Sync
    ) -> None:
        target = track()
        harbor.add_policy("library", "https://ci.example/")
        sync()
        HookTarget.objects.update(selected=False)
        assert said(sync()) == {"library": "deleted"}
        assert [policy.targets[0]["address"] for policy in harbor.of("library")] == [
            "https://ci.example/"
        ]
        target.refresh_from_db()
        assert (target.hook_id, target.hook_url, target.secret_sent) == ("", "", "")

    def test_it_deletes_no_policy_that_calls_others_too(
        self, harbor: FakeHarbor, track: Track, sync: Sync
    ) -> None:
        track()
        sync()
        [policy] = harbor.of("library")
        policy.targets.append(dict(THEIRS))
        HookTarget.objects.update(selected=False)
        assert said(sync()) == {"library": "deleted"}
        assert policy.targets == [THEIRS]

    def test_it_removes_all_once_it_is_off(
        self, harbor: FakeHarbor, account: HookAccount, track: Track, sync: Sync
    ) -> None:
        track("a")
        track("b")
        sync()
        Receiver.objects.update(enabled=False)
        now = HookAccount.objects.get(pk=account.pk)
        job = done(asking.remove_all(now, username="ada", reason="ui"))
        assert said(job) == {"a": "deleted", "b": "deleted"}
        assert not harbor.policies


class TestDryRun:
    def test_it_says_what_it_would_do_and_does_nothing(
        self, harbor: FakeHarbor, track: Track, sync: Sync
    ) -> None:
        track("a")
        track("b")
        harbor.add_policy("b", CALLBACK, auth_header="another")
        harbor.requests.clear()
        job = sync(dry_run=True)
        assert said(job) == {"a": "created", "b": "updated"}
        assert job.summary["dryRun"] is True
        assert {method for method, _path in harbor.requests} == {"GET"}
        assert not HookTarget.objects.exclude(last_sync_at=None).exists()


class TestErrors:
    def test_one_project_keeps_no_other_from_its_policy(
        self, harbor: FakeHarbor, track: Track, sync: Sync
    ) -> None:
        track("a")
        track("b")
        track("gone")
        del harbor.projects["gone"]
        harbor.people["robot$dockrev"].projects = {"a", "gone"}
        job = sync()
        assert said(job) == {"a": "created", "b": "error", "gone": "error"}
        words = {each["repo"]: each["message"] for each in job.summary["results"]}
        assert "may not do this at Harbor: forbidden" in words["b"]
        assert "shows nothing here" in words["gone"]
        assert TOKEN not in str(job.summary) and SECRET not in str(job.summary)

    def test_it_goes_on_where_nobody_knows_what_came_of_it(
        self, harbor: FakeHarbor, track: Track, sync: Sync
    ) -> None:
        track()
        harbor.fail("POST", "/projects/library/webhook/policies", 502, done=True)
        assert said(sync()) == {"library": "created"}
        assert len(harbor.of("library")) == 1

    def test_it_waits_where_it_was_asked_too_often(
        self, harbor: FakeHarbor, track: Track, sync: Sync
    ) -> None:
        track()
        harbor.fail("GET", "/projects/library/webhook/policies", 429, retry_after="3600")
        job = sync()
        assert job.status == "queued" and job.summary["resumesAt"]

    def test_it_says_that_the_robot_is_gone(
        self, harbor: FakeHarbor, account: HookAccount, track: Track
    ) -> None:
        track()
        queued = asking.sync(account, username="ada", reason="ui")
        harbor.people.clear()
        job = done(queued)
        assert job.status == "failed"
        assert "does not accept the user name" in job.summary["error"]

    def test_it_tells_harbors_words_without_a_secret(
        self, harbor: FakeHarbor, track: Track, sync: Sync
    ) -> None:
        track()
        reply = harbor.fail
        reply("POST", "/projects/library/webhook/policies", 400)
        harbor.faults[0].reply = type(harbor.faults[0].reply)(
            400, f'{{"errors": [{{"message": "no {SECRET} for {TOKEN}"}}]}}'.encode()
        )
        harbor.faults[0].left = 2
        failed = result(sync())
        assert "no •••• for ••••" in str(failed["message"])


class TestTheSchedule:
    def test_it_tells_what_it_found_and_leads_to_the_account(
        self, harbor: FakeHarbor, account: HookAccount, track: Track, sync: Sync
    ) -> None:
        channel = Channel.objects.create(
            kind="webhook",
            name="sink",
            events=["ghcr_webhook_anomaly"],
            config='{"url": "http://127.0.0.1:9/"}',
        )
        track()
        sync()
        harbor.policies.clear()
        auditing.enqueue_scheduled()
        run_job(Job.objects.get(kind="hooks.audit", finished_at=None).pk)
        told = Notification.objects.get(channel=channel)
        assert told.content["audit"]["settings_path"] == f"/settings/hook-accounts/{account.pk}"
        assert [one["full_name"] for one in told.content["found"]] == ["library"]


def audit(account: HookAccount) -> Any:
    now = HookAccount.objects.select_related("receiver").get(pk=account.pk)
    return done(asking.audit(now, username="ada", reason="ui"))
