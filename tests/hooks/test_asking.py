"""What may be asked of an account's hooks, and what is said at once."""

from __future__ import annotations

from typing import Any

import pytest

from checks.models import Hold, Job
from checks.tasks import run_job
from dockrev.errors import ApiError, Conflict, CredentialRejected, InvalidArgument
from integrations.hooks import asking
from integrations.models import HookAccount, HookTarget, Receiver
from tests.at_once import at_once
from tests.fake_github.server import FakeGitHub
from tests.github import TOKEN
from tests.hooks.doing import Sync, Track, done, said

WHO: Any = {"username": "ada", "reason": "api"}


def choice(**changed: Any) -> dict[str, Any]:
    return {"repo": "acme/api", "keepHookId": "1", "deleteHookIds": ["2"], **changed}


class TestSync:
    def test_it_is_queued_for_who_asked(self, account: HookAccount, track: Track) -> None:
        track()
        queued = asking.sync(account, repos=["ACME/Api"], dry_run=True, **WHO)
        job = Job.objects.get(pk=queued.job_id)
        assert (job.kind, job.reason, job.created_by) == ("hooks.sync", "api", "ada")
        assert job.params == {"account": account.pk, "repos": ["acme/api"], "dryRun": True}

    def test_it_is_asked_for_once_at_a_time(self, account: HookAccount, track: Track) -> None:
        track()
        first, second = asking.sync(account, **WHO), asking.sync(account, **WHO)
        assert (second.job_id, second.reused) == (first.job_id, True)

    @pytest.mark.django_db(transaction=True)
    def test_it_is_asked_for_once_at_one_moment(self, account: HookAccount, track: Track) -> None:
        track()
        queued = at_once(lambda: asking.sync(account, **WHO), times=8)
        assert len({each.job_id for each in queued}) == 1
        assert sorted(each.reused for each in queued) == [False] + [True] * 7

    def test_another_one_waits_for_the_first(self, account: HookAccount, track: Track) -> None:
        track()
        first, other = asking.sync(account, **WHO), asking.sync(account, dry_run=True, **WHO)
        Hold.objects.create(resource=f"account:{account.pk}", job_id=first.job_id)
        run_job(other.job_id)
        assert Job.objects.get(pk=other.job_id).status == "queued"
        Hold.objects.all().delete()
        Job.objects.update(not_before=Job.objects.get(pk=other.job_id).created_at)
        run_job(other.job_id)
        assert Job.objects.get(pk=other.job_id).status == "success"

    def test_it_needs_the_feature_to_be_on(self, account: HookAccount) -> None:
        account.receiver.enabled = False
        for ask in (asking.sync, asking.audit, asking.repair):
            assert refused(Conflict, ask, account)["reason"] == "disabled"

    def test_it_needs_a_callback(self, account: HookAccount) -> None:
        account.callback_url = ""
        assert refused(Conflict, asking.sync, account)["reason"] == "callback_missing"

    def test_it_makes_the_callback_from_the_public_url(
        self, github: FakeGitHub, account: HookAccount, track: Track, sync: Sync, settings: Any
    ) -> None:
        track()
        HookAccount.objects.update(callback_url="")
        settings.PUBLIC_URL = "https://d.example/"
        sync()
        [hook] = github.hooks("acme/api")
        assert hook.url == "https://d.example/api/webhooks/github-packages"

    @pytest.mark.parametrize(
        ("token", "reason"), [("", "pat_missing"), ("ghp_unknown", "pat_invalid")]
    )
    def test_it_needs_a_token_that_works(
        self, account: HookAccount, token: str, reason: str
    ) -> None:
        account.credential = token
        account.save(update_fields=["credential"])
        for ask in (asking.sync, asking.audit):
            assert refused(CredentialRejected, ask, account)["reason"] == reason
        assert not Job.objects.exists()

    def test_it_names_what_is_not_tracked(self, account: HookAccount, track: Track) -> None:
        track()
        names = ["acme/api", "acme/naïve ☃", "nobody"]
        details = refused(InvalidArgument, asking.sync, account, repos=names)
        assert details == {"field": "repos", "unknown": ["acme/naïve ☃", "nobody"]}

    def test_it_takes_ten_thousand_at_once(self, account: HookAccount) -> None:
        names = [f"acme/r{number}" for number in range(10_000)]
        HookTarget.objects.bulk_create(
            HookTarget(account=account, full_name=name, name_key=name, owner_key="acme")
            for name in names
        )
        job = Job.objects.get(pk=asking.sync(account, repos=names, **WHO).job_id)
        assert len(job.params["repos"]) == 10_000
        details = refused(InvalidArgument, asking.sync, account, repos=[*names, "acme/more"])
        assert details == {"field": "repos"}

    @pytest.mark.parametrize(
        "given",
        [
            [choice(repo="acme/unknown")],
            [choice(deleteHookIds=[])],
            [choice(deleteHookIds=["1", "2"])],
            [choice(deleteHookIds=[str(n) for n in range(2, 23)])],
            [choice(keepHookId="")],
            [choice(keepHookId="9" * 301)],
            [choice(), choice(repo="ACME/API")],
            [choice()] * 501,
        ],
    )
    def test_it_checks_choices(
        self, account: HookAccount, track: Track, given: list[dict[str, Any]]
    ) -> None:
        track()
        details = refused(InvalidArgument, asking.sync, account, resolve=given)
        assert details["field"] == "resolveConflicts"

    def test_what_is_resolved_takes_part(self, account: HookAccount, track: Track) -> None:
        for name in ("acme/api", "acme/web", "acme/other"):
            track(name)
        queued = asking.sync(account, repos=["acme/web"], resolve=[choice()], **WHO)
        assert sorted(said(done(queued))) == ["acme/api", "acme/web"]

    def test_it_says_nowhere_what_is_secret(
        self, account: HookAccount, track: Track, sync: Sync
    ) -> None:
        track()
        job = sync(resolve=[choice()])
        kept = f"{job.params}{job.summary}{list(job.log_lines.values())}{job.dedupe_key}"
        assert TOKEN not in kept and account.receiver.secret not in kept


class TestWhenTheJobComes:
    @pytest.mark.parametrize(
        ("changed", "words"),
        [
            ({"enabled": False}, "switched off"),
            ({"secret": ""}, "no secret"),
            ({"credential": ""}, "no token"),
        ],
    )
    def test_it_does_nothing_that_is_not_wanted_any_more(
        self,
        github: FakeGitHub,
        account: HookAccount,
        track: Track,
        changed: dict[str, Any],
        words: str,
    ) -> None:
        track()
        queued = asking.sync(account, **WHO)
        rows: Any = HookAccount if "credential" in changed else Receiver
        rows.objects.update(**changed)
        github.requests.clear()
        job = done(queued)
        assert job.status == "failed" and words in job.summary["error"]
        assert github.requests == []


class TestRepair:
    def test_it_syncs_what_is_broken_and_nothing_else(
        self, account: HookAccount, track: Track
    ) -> None:
        states = ("ok", "missing", "drift", "error", "conflict", "unknown")
        for state in states:
            target = track(f"acme/{state}")
            target.hook_state = state
            target.save(update_fields=["hook_state"])
        job = done(asking.repair(account, **WHO))
        assert sorted(said(job)) == ["acme/drift", "acme/error", "acme/missing"]

    def test_it_says_that_nothing_is_broken(self, account: HookAccount, track: Track) -> None:
        track()
        assert refused(Conflict, asking.repair, account)["reason"] == "nothing_to_repair"


class TestRemoval:
    def test_it_deletes_every_hook_of_ours_and_keeps_the_rest(
        self, github: FakeGitHub, account: HookAccount, track: Track, sync: Sync
    ) -> None:
        for name in ("acme/a", "acme/b", "acme/c"):
            track(name)
        sync()
        theirs = github.add_hook("acme/b", url="https://ci.example.com/", events=["push"])
        HookTarget.objects.filter(name_key="acme/c").update(selected=False, removed=True)
        Receiver.objects.update(enabled=False)
        account.refresh_from_db()
        job = done(asking.remove_all(account, **WHO))
        assert said(job) == dict.fromkeys(("acme/a", "acme/b", "acme/c"), "deleted")
        assert (github.hooks("acme/a"), github.hooks("acme/b")) == ([], [theirs])
        kept = HookTarget.objects.values_list("full_name", "selected", "hook_id", "hook_state")
        assert list(kept) == [("acme/a", True, "", "unknown"), ("acme/b", True, "", "unknown")]

    def test_it_is_refused_while_the_feature_is_on(self, account: HookAccount) -> None:
        assert refused(Conflict, asking.remove_all, account)["reason"] == "enabled"

    def test_it_stops_when_the_feature_is_on_again(
        self, github: FakeGitHub, account: HookAccount, track: Track, sync: Sync
    ) -> None:
        track()
        sync()
        account.receiver.enabled = False
        queued = asking.remove_all(account, **WHO)
        job = done(queued)
        assert job.status == "failed"
        assert len(github.hooks("acme/api")) == 1


def refused(kind: type[ApiError], ask: Any, account: HookAccount, **given: Any) -> dict[str, Any]:
    with pytest.raises(kind) as caught:
        ask(account, **WHO, **given)
    return caught.value.details
