"""`dockrev sync-github-hooks`: the same job, without a worker."""

from __future__ import annotations

import json
from io import StringIO
from typing import Any, NamedTuple

import pytest
from django.core.management import CommandError, call_command

from checks.models import Hold, Job
from dockrev import cli
from integrations.models import HookAccount, HookTarget, Receiver
from tests.fake_github.server import FakeGitHub
from tests.github import TOKEN
from tests.hooks.doing import CALLBACK, Track, writes


class Ended(NamedTuple):
    code: int
    out: str
    err: str


def run(*args: str) -> Ended:
    out, err = StringIO(), StringIO()
    try:
        call_command("sync_github_hooks", *args, stdout=out, stderr=err)
    except CommandError as error:
        return Ended(error.returncode, out.getvalue(), str(error))
    except SystemExit as end:
        return Ended(int(str(end.code)), out.getvalue(), err.getvalue())
    raise AssertionError("it ends with a code")


class TestWhatItDoes:
    def test_it_brings_hooks_in_line(self, github: FakeGitHub, track: Track) -> None:
        track("acme/api")
        track("acme/longer-name")
        assert run() == Ended(
            0, "acme/api          created\nacme/longer-name  created\n2 created\n", ""
        )
        assert len(github.hooks("acme/api")) == 1
        job = Job.objects.get()
        assert (job.kind, job.status) == ("hooks.sync", "success")
        assert not Hold.objects.exists()

    def test_it_prints_what_the_job_says(self, github: FakeGitHub, track: Track) -> None:
        track()
        ended = run("--json")
        assert json.loads(ended.out) == Job.objects.get().summary
        assert ended.code == 0

    def test_it_only_says_what_it_would_do(self, github: FakeGitHub, track: Track) -> None:
        track()
        ended = run("--dry-run")
        assert (ended.code, "Nothing was done" in ended.out) == (0, True)
        assert writes(github) == []

    def test_it_does_what_it_is_told_to(self, github: FakeGitHub, track: Track) -> None:
        for name in ("acme/a", "acme/b", "acme/c"):
            track(name)
        run("--repo", "acme/a", "--repo", "ACME/C")
        assert not github.hooks("acme/b") and github.hooks("acme/a") and github.hooks("acme/c")

    def test_it_says_that_nothing_is_selected(self, account: HookAccount) -> None:
        assert run() == Ended(0, "No repository is selected.\n", "")


class TestHowItEnds:
    def test_with_one_after_errors(self, github: FakeGitHub, track: Track) -> None:
        track("acme/a")
        track("acme/b")
        github.remove_repository("acme/a")
        ended = run()
        assert ended.code == 1
        assert "acme/b  created" in ended.out

    def test_with_one_after_conflicts(self, github: FakeGitHub, track: Track) -> None:
        track()
        for _twin in range(2):
            github.add_hook("acme/api", url=CALLBACK, secret=str(_twin))
        assert run().code == 1

    def test_with_one_where_the_token_is_refused_half_way(
        self, github: FakeGitHub, track: Track
    ) -> None:
        track()
        github.fail("GET", "/repos/*", 401)
        ended = run()
        assert ended.code == 1 and "token" in ended.err
        report = HookAccount.objects.get().credential_report
        assert report["state"] == "invalid"

    @pytest.mark.parametrize(
        "changed",
        [
            (Receiver, {"enabled": False}),
            (HookAccount, {"credential": ""}),
            (HookAccount, {"credential": "ghp_unknown"}),
            (HookAccount, {"callback_url": ""}),
        ],
    )
    def test_with_two_where_it_could_not_start(
        self, github: FakeGitHub, track: Track, changed: tuple[Any, dict[str, Any]]
    ) -> None:
        track()
        model, columns = changed
        model.objects.update(**columns)
        ended = run("--json")
        assert (ended.code, ended.out) == (2, "")
        assert ended.err and TOKEN not in ended.err
        assert not Job.objects.exists()

    def test_with_two_for_what_is_not_tracked(self, track: Track) -> None:
        track()
        ended = run("--repo", "acme/other")
        assert ended.code == 2 and "acme/other" in ended.err

    def test_with_two_where_another_is_at_work(self, account: HookAccount, track: Track) -> None:
        track()
        assert run().code == 0
        Hold.objects.create(resource=f"account:{account.pk}", job=Job.objects.get())
        assert run().code == 2
        assert Job.objects.count() == 1


class TestItsName:
    def test_it_is_typed_with_hyphens(self, monkeypatch: pytest.MonkeyPatch) -> None:
        called: list[list[str]] = []
        monkeypatch.setattr(cli, "manage", called.append)
        monkeypatch.setattr("sys.argv", ["dockrev", "sync-github-hooks", "--dry-run"])
        cli.main()
        assert called == [["dockrev", "sync_github_hooks", "--dry-run"]]


def test_nothing_is_left_behind(track: Track) -> None:
    track()
    run()
    assert HookTarget.objects.get().hook_state == "ok"
