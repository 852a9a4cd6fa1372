"""What can go wrong at GitHub, on the way there, and here, and what a sync makes of it.

Whatever happens: run again, it ends well, with one hook in each repository.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import time_machine
from django.utils import timezone

from checks.models import Job, JobLog
from checks.tasks import run_job
from dockrev import http
from integrations.hooks import asking
from integrations.hooks.tokens import fingerprint
from integrations.models import Delivery, HookAccount, HookTarget, Receiver
from tests.fake_github.server import FakeGitHub
from tests.fake_github.state import Hook
from tests.github import SECRET, TOKEN
from tests.hooks.doing import CALLBACK, Sync, Track, done, said, writes
from tests.processes.instance import Instance
from tests.waiting import until

NAMES = [f"acme/r{number}" for number in range(8)]
BROKEN = [500, 502, "html", "truncated", "short", "cut", "timeout"]


@pytest.fixture(autouse=True)
def _nobody_waits_long(monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that says nothing is given up after a third of a second."""
    request = http.request

    def impatient(*args: Any, **more: Any) -> Any:
        return request(*args, **{**more, "timeout": (5.0, 0.3)})

    monkeypatch.setattr(http, "request", impatient)


@pytest.fixture
def eight(track: Track) -> list[HookTarget]:
    return [track(name) for name in NAMES]


def one_each(github: FakeGitHub, names: list[str] = NAMES) -> list[Hook]:
    """The hooks, of which each repository must have one, with the right secret."""
    hooks = [github.hooks(name) for name in names]
    assert [len(each) for each in hooks] == [1] * len(names)
    assert {(each[0].url, each[0].secret) for each in hooks} == {(CALLBACK, SECRET)}
    return [each[0] for each in hooks]


def ends_well(github: FakeGitHub, sync: Sync, names: list[str] = NAMES) -> None:
    """Whatever was, one more sync, or two, find all in order."""
    github.faults.clear()
    assert sync().summary["ok"] is True
    one_each(github, names)
    again = sync()
    assert set(said(again).values()) == {"noop"}
    assert HookTarget.objects.exclude(hook_state="ok").count() == 0
    for hook, target in zip(one_each(github, names), targets(names), strict=True):
        assert (target.hook_id, target.secret_sent) == (str(hook.id), fingerprint(SECRET))
    tells_no_secret()


def targets(names: list[str]) -> list[HookTarget]:
    return [HookTarget.objects.get(full_name=name) for name in names]


def tells_no_secret() -> None:
    kept = [str(each) for each in Job.objects.values_list("summary", "params")]
    kept += JobLog.objects.values_list("message", flat=True)
    kept += HookTarget.objects.values_list("last_error", flat=True)
    assert not [each for each in kept if TOKEN in each or SECRET in each]


class Nth:
    """Does something in the moment in which the nth request of a method comes."""

    def __init__(self, method: str, number: int, act: Callable[[str], object]) -> None:
        self.method, self.left, self.act = method, number, act

    def __call__(self, method: str, path: str) -> None:
        if method == self.method:
            self.left -= 1
            if self.left == 0:
                self.act(path)


class TestTheToken:
    def test_it_stops_when_the_token_is_revoked_half_way(
        self, github: FakeGitHub, eight: list[HookTarget], sync: Sync
    ) -> None:
        github.before = Nth("POST", 3, lambda path: github.revoke(TOKEN))
        job = sync()
        assert job.status == "failed"
        assert "does not accept the token" in job.summary["error"]
        made = [name for name in NAMES if github.hooks(name)]
        assert set(said(job)) == set(made)
        assert [each.hook_id for each in targets(made) if each.hook_id] != []
        github.before = None
        asked_after = [each.status for each in github.requests].count(401)
        assert asked_after <= 5  # those under way, and nothing after them
        github.add_token(TOKEN, scopes=["repo"])
        ends_well(github, sync)

    def test_it_goes_on_without_what_the_token_may_not(
        self, github: FakeGitHub, eight: list[HookTarget], sync: Sync
    ) -> None:
        github.fail("*", "/repos/acme/r3/*", with_=403, times=9)
        github.fail("*", "/repos/acme/r4/*", with_="sso", times=9)
        github.fail("*", "/repos/acme/r5/*", with_=404, times=9)
        job = sync()
        assert job.status == "success"
        assert job.summary["counts"] == {"created": 5, "error": 3}
        words = {each["repo"]: each["message"] for each in job.summary["results"]}
        assert "not accessible by personal access token" in words["acme/r3"]
        assert "single sign-on" in words["acme/r4"]
        assert "GitHub shows nothing here" in words["acme/r5"]
        ends_well(github, sync)


class TestAnswersThatAreNone:
    @pytest.mark.parametrize("kind", BROKEN)
    def test_one_repository_that_cannot_be_read_stops_no_other(
        self, github: FakeGitHub, eight: list[HookTarget], sync: Sync, kind: int | str
    ) -> None:
        github.fail("GET", "/repos/acme/r3/hooks", with_=kind, times=99)
        job = sync()
        assert job.summary["counts"] == {"created": 7, "error": 1}
        assert job.summary["ok"] is False
        assert said(job)["acme/r3"] == "error"
        [broken] = targets(["acme/r3"])
        assert broken.hook_state == "error"
        assert broken.last_error
        assert "<" not in broken.last_error
        ends_well(github, sync)

    @pytest.mark.parametrize("kind", [500, 502, "short", "cut", "timeout"])
    def test_it_reads_again_what_came_to_nothing_once(
        self, github: FakeGitHub, eight: list[HookTarget], sync: Sync, kind: int | str
    ) -> None:
        github.fail("GET", "/repos/acme/r3/hooks", with_=kind)
        assert sync().summary["counts"] == {"created": 8}

    @pytest.mark.parametrize("was_done", [True, False])
    @pytest.mark.parametrize("kind", BROKEN)
    def test_it_makes_no_second_hook_when_an_answer_is_lost(
        self, github: FakeGitHub, track: Track, sync: Sync, kind: int | str, was_done: bool
    ) -> None:
        track()
        github.fail("POST", "/repos/acme/api/hooks", with_=kind, done=was_done)
        assert said(sync()) == {"acme/api": "created"}
        one_each(github, ["acme/api"])
        ends_well(github, sync, ["acme/api"])

    @pytest.mark.parametrize("was_done", [True, False])
    @pytest.mark.parametrize("kind", BROKEN)
    def test_it_mends_a_hook_although_an_answer_is_lost(
        self, github: FakeGitHub, track: Track, sync: Sync, kind: int | str, was_done: bool
    ) -> None:
        track()
        github.add_hook("acme/api", url=CALLBACK, events=["push"], content_type="form")
        github.fail("PATCH", "*", with_=kind, done=was_done)
        sync()
        ends_well(github, sync, ["acme/api"])
        [hook] = github.hooks("acme/api")
        assert hook.events == ["push", "package", "registry_package"]

    @pytest.mark.parametrize("was_done", [True, False])
    @pytest.mark.parametrize("kind", [500, 502, "cut", "timeout"])
    def test_it_deletes_a_hook_although_an_answer_is_lost(
        self, github: FakeGitHub, track: Track, sync: Sync, kind: int | str, was_done: bool
    ) -> None:
        target = track()
        sync()
        HookTarget.objects.update(selected=False)
        github.fail("DELETE", "*", with_=kind, done=was_done)
        assert said(sync()) == {"acme/api": "deleted"}
        assert github.hooks("acme/api") == []
        target.refresh_from_db()
        assert target.hook_id == ""

    def test_it_makes_no_second_hook_when_github_never_answers_a_creation(
        self, github: FakeGitHub, track: Track, sync: Sync
    ) -> None:
        track()
        github.fail("POST", "*", with_="cut", times=99, done=True)
        github.fail("PATCH", "*", with_="cut", times=99)
        assert said(sync()) == {"acme/api": "error"}
        assert len(github.hooks("acme/api")) == 1
        ends_well(github, sync, ["acme/api"])


class TestOthersWhoWorkThereToo:
    def test_it_makes_a_hook_anew_that_was_deleted_after_it_was_listed(
        self, github: FakeGitHub, track: Track, sync: Sync
    ) -> None:
        track()
        old = github.add_hook("acme/api", url=CALLBACK)
        github.before = Nth("PATCH", 1, lambda path: github.hooks("acme/api").clear())
        assert said(sync()) == {"acme/api": "created"}
        [hook] = one_each(github, ["acme/api"])
        assert hook.id != old.id
        ends_well(github, sync, ["acme/api"])

    def test_it_takes_a_hook_that_somebody_made_after_it_listed(
        self, github: FakeGitHub, track: Track, sync: Sync
    ) -> None:
        def same(path: str) -> None:
            github.add_hook("acme/api", url=CALLBACK, secret=SECRET)

        track()
        github.before = Nth("POST", 1, same)
        assert sync().summary["ok"] is True
        ends_well(github, sync, ["acme/api"])

    def test_it_has_deleted_what_is_gone_already(
        self, github: FakeGitHub, track: Track, sync: Sync
    ) -> None:
        track()
        sync()
        HookTarget.objects.update(selected=False)
        github.before = Nth("DELETE", 1, lambda path: github.hooks("acme/api").clear())
        assert said(sync()) == {"acme/api": "deleted"}

    def test_it_says_that_a_repository_went_away(
        self, github: FakeGitHub, eight: list[HookTarget], sync: Sync
    ) -> None:
        sync()
        github.remove_repository("acme/r3")
        job = sync()
        assert job.summary["counts"] == {"error": 1, "noop": 7}

    def test_it_says_that_a_repository_was_renamed(
        self, github: FakeGitHub, eight: list[HookTarget], sync: Sync
    ) -> None:
        github.rename("acme/r3", "r33")
        job = sync()
        assert job.summary["counts"] == {"created": 7, "error": 1}
        assert "renamed or moved" in targets(["acme/r3"])[0].last_error

    def test_it_finds_its_hook_behind_a_hundred_others(
        self, github: FakeGitHub, track: Track, sync: Sync
    ) -> None:
        track()
        for number in range(120):
            github.add_hook("acme/api", url=f"https://example.com/{number}", events=["push"])
        github.add_hook("acme/api", url=CALLBACK)
        assert said(sync()) == {"acme/api": "updated"}
        assert said(sync()) == {"acme/api": "noop"}
        assert [each.query["page"] for each in github.requests if "page" in each.query] == [
            ["2"],
            ["2"],
        ]

    def test_it_says_why_github_will_have_no_more_hooks(
        self, github: FakeGitHub, track: Track, sync: Sync
    ) -> None:
        track()
        for number in range(20):
            github.add_hook("acme/api", url=f"https://example.com/{number}")
        job = sync()
        assert said(job) == {"acme/api": "error"}
        [result] = job.summary["results"]
        assert 'The "package" event cannot have more than 20 hooks' in result["message"]
        assert len(github.hooks("acme/api")) == 20


class TestLimits:
    def test_it_goes_on_after_the_hour_that_github_wants(
        self, github: FakeGitHub, eight: list[HookTarget], sync: Sync
    ) -> None:
        github.rate_limit(remaining=9, reset_in=1800)
        before = timezone.now()
        job = sync()
        assert job.status == "queued"
        assert job.not_before is not None
        assert timedelta(minutes=29) < job.not_before - before < timedelta(minutes=31)
        assert job.summary["resumesAt"]
        made = said(job)
        assert set(made.values()) == {"created"}
        assert 0 < len(made) < 8
        asked = len(github.requests)
        with time_machine.travel(job.not_before + timedelta(seconds=1), tick=True):
            run_job(job.pk)
            job.refresh_from_db()
            assert (job.status, job.summary["counts"]) == ("success", {"created": 8})
            assert "resumesAt" not in job.summary
            # What was done before the rest was not asked about again.
            again = {each.path for each in github.requests[asked:]}
            assert not {f"/repos/{name}/hooks" for name in made} & again
            ends_well(github, sync)

    @pytest.mark.parametrize("kind", ["secondary_limit", 429, "rate_limit"])
    def test_it_waits_for_a_short_rest(
        self, github: FakeGitHub, eight: list[HookTarget], sync: Sync, kind: int | str
    ) -> None:
        github.fail("POST", "*", with_=kind, retry_in=1)
        job = sync()
        assert (job.status, job.summary["counts"]) == ("success", {"created": 8})
        ends_well(github, sync)

    @pytest.mark.parametrize("kind", ["secondary_limit", 429, "rate_limit"])
    def test_it_leaves_the_worker_to_others_for_a_long_rest(
        self, github: FakeGitHub, eight: list[HookTarget], sync: Sync, kind: int | str
    ) -> None:
        github.fail("POST", "*", with_=kind, times=9, retry_in=900)
        before = timezone.now()
        job = sync()
        assert (job.status, job.summary["results"]) == ("queued", [])
        assert job.not_before is not None
        assert timedelta(minutes=14) < job.not_before - before < timedelta(minutes=16)
        # One thread was told to rest, and at most four others asked at that moment.
        assert [each.method for each in github.requests].count("POST") <= 5
        github.faults.clear()
        with time_machine.travel(job.not_before + timedelta(seconds=1), tick=True):
            run_job(job.pk)
            ends_well(github, sync)


class TestClocks:
    """GitHub's clock is an hour off ours."""

    @pytest.fixture(params=[-1, 1], ids=["behind", "ahead"], autouse=True)
    def hours(self, request: pytest.FixtureRequest, github: FakeGitHub) -> int:
        github.clock_offset = timedelta(hours=request.param)
        return int(request.param)

    def test_it_does_nothing_twice(
        self, github: FakeGitHub, eight: list[HookTarget], sync: Sync
    ) -> None:
        assert sync().summary["counts"] == {"created": 8}
        ends_well(github, sync)

    def test_it_rests_as_long_as_github_wants(
        self, github: FakeGitHub, eight: list[HookTarget], sync: Sync
    ) -> None:
        github.fail("POST", "*", with_="rate_limit", times=9, retry_in=900)
        before = timezone.now()
        job = sync()
        assert job.not_before is not None
        assert timedelta(minutes=14) < job.not_before - before < timedelta(minutes=16)

    def test_it_sees_that_somebody_changed_a_hook_after_it_proved_itself(
        self, github: FakeGitHub, track: Track, sync: Sync
    ) -> None:
        target = track()
        sync()
        target.refresh_from_db()
        proves(target, timezone.now())
        [hook] = github.hooks("acme/api")
        with time_machine.travel(timezone.now() + timedelta(minutes=5), tick=True):
            hook.secret, hook.updated_at = "another secret of theirs", github.now()
            assert said(sync()) == {"acme/api": "updated"}
            one_each(github, ["acme/api"])


def proves(target: HookTarget, at: datetime) -> None:
    """A call of the hook came in, signed with the present secret."""
    Delivery.objects.create(
        receiver=target.account.receiver,
        dedupe_key=f"proof {at}",
        event="package",
        hook_id=target.hook_id,
        decision=Delivery.Decision.PROCESSED,
        payload=b"{}",
        received_at=at,
        last_received_at=at,
    )


class TestOtherJobs:
    def test_an_audit_stops_when_the_token_is_revoked_half_way(
        self, github: FakeGitHub, account: HookAccount, eight: list[HookTarget], sync: Sync
    ) -> None:
        sync()
        github.requests.clear()
        github.before = Nth("GET", 4, lambda path: github.revoke(TOKEN))
        job = done(asking.audit(account, username="ada", reason="ui"))
        assert job.status == "failed"
        assert "does not accept the token" in job.summary["error"]
        assert len(said(job, "state")) < 8
        assert writes(github) == []
        github.before = None
        github.add_token(TOKEN, scopes=["repo"])
        ends_well(github, sync)

    @pytest.mark.parametrize("kind", BROKEN)
    def test_an_audit_says_what_it_could_not_read_and_does_nothing(
        self,
        github: FakeGitHub,
        account: HookAccount,
        eight: list[HookTarget],
        sync: Sync,
        kind: int | str,
    ) -> None:
        sync()
        github.requests.clear()
        github.fail("GET", "/repos/acme/r3/hooks", with_=kind, times=99)
        job = done(asking.audit(account, username="ada", reason="ui"))
        assert job.summary["counts"] == {"error": 1, "ok": 7}
        assert writes(github) == []
        ends_well(github, sync)

    def test_a_removal_that_was_cut_off_is_finished_by_the_next(
        self, github: FakeGitHub, account: HookAccount, eight: list[HookTarget], sync: Sync
    ) -> None:
        sync()
        theirs = github.add_hook("acme/r1", url="https://example.com/theirs")
        Receiver.objects.update(enabled=False)
        account = HookAccount.objects.select_related("receiver").get()
        github.before = Nth("DELETE", 3, lambda path: github.revoke(TOKEN))
        job = done(asking.remove_all(account, username="ada", reason="ui"))
        assert job.status == "failed"
        left = [name for name in NAMES if github.hooks(name) not in ([], [theirs])]
        assert 0 < len(left) < 8
        github.before = None
        github.add_token(TOKEN, scopes=["repo"])
        github.fail("DELETE", "*", with_="cut", done=True)
        account = HookAccount.objects.select_related("receiver").get()
        job = done(asking.remove_all(account, username="ada", reason="ui"))
        assert (job.status, set(said(job).values())) == ("success", {"deleted"})
        assert [hook for name in NAMES for hook in github.hooks(name)] == [theirs]
        assert not HookTarget.objects.exclude(hook_id="").exists()


PREPARE = """
from integrations.models import HookAccount
from tests import rows
receiver = rows.github_receiver(secret={secret!r})
for n in range(8):
    rows.tracked(f"acme/r{{n}}")
account = HookAccount.objects.get(receiver=receiver)
account.api_url, account.callback_url, account.credential = {url!r}, {callback!r}, {token!r}
account.save()
"""
ASK = """
from integrations.hooks.jobs import request_for
from integrations.models import HookAccount
from checks import queue
account = HookAccount.objects.get()
print(queue.enqueue(request_for("hooks.sync", account, reason="ui")).job_id)
"""


class TestAWorkerThatIsKilled:
    @pytest.fixture
    def instance(self, tmp_path: Path) -> Iterator[Instance]:
        made = Instance(tmp_path)
        yield made
        made.end()

    def test_it_makes_no_second_hook(self, github: FakeGitHub, instance: Instance) -> None:
        """It dies when hooks are made of which it has not heard."""
        for name in NAMES:
            github.add_repository(name)
        instance.migrate()
        where = {"url": github.url, "callback": CALLBACK, "token": TOKEN, "secret": SECRET}
        self._say(instance, PREPARE.format(**where))
        instance.work()
        fault = github.fail("POST", "/repos/acme/r[3-7]/*", with_="timeout", times=99, done=True)
        job = self._say(instance, ASK).strip()
        until(lambda: fault.met >= 3, what="GitHub is silent")
        for pid in instance.workers("long"):
            os.kill(pid, signal.SIGKILL)
        heard_of = "SELECT count(*) FROM integrations_hooktarget WHERE hook_id != ''"
        [(known,)] = instance.rows(heard_of)
        made = sum(len(github.hooks(name)) for name in NAMES)
        assert made > known
        github.faults.clear()

        ended = "SELECT status, losses FROM checks_job WHERE id = ?"
        until(lambda: instance.rows(ended, job) == [("success", 1)])
        one_each(github)
        again = self._say(instance, ASK).strip()
        until(lambda: instance.rows(ended, again) == [("success", 0)])
        assert instance.rows(heard_of) == [(8,)]
        one_each(github)

    @staticmethod
    def _say(instance: Instance, code: str) -> str:
        said = instance.command("shell", "--no-imports", "--command", code)
        assert said.returncode == 0, said.stderr
        return said.stdout
