"""What people type, what it stands for at GitHub, and what is tracked because of it."""

from __future__ import annotations

from typing import Any

import pytest
import time_machine
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from checks import queue
from checks.models import Job, Registry
from checks.run import Run
from checks.tasks import run_job
from checks.titles import kind_label, title
from dockrev.errors import (
    ApiError,
    Conflict,
    CredentialRejected,
    InvalidArgument,
    NotFound,
    UpstreamUnavailable,
)
from integrations import targets, tracking
from integrations.hooks import credentials, listing
from integrations.models import HookAccount, HookTarget
from integrations.tracking import resolve
from tests import rows
from tests.fake_github.server import FakeGitHub
from tests.github import TOKEN

pytestmark = pytest.mark.django_db


def names(**wanted: Any) -> list[str]:
    return list(HookTarget.objects.filter(**wanted).values_list("full_name", flat=True))


@pytest.fixture
def acme(github: FakeGitHub) -> FakeGitHub:
    github.add_repository("Acme/api", private=True)
    github.add_repository("Acme/web", archived=True)
    github.add_repository("Acme/old", disabled=True)
    return github


class TestResolving:
    def test_it_asks_nobody_about_a_repository(
        self, account: HookAccount, github: FakeGitHub
    ) -> None:
        account.credential = ""
        resolved = resolve(account, "https://github.com/Acme/API/tree/main")
        (found,) = resolved.repositories
        assert (found.full_name, found.selected, found.tracked) == ("Acme/API", True, False)
        assert github.requests == []

    def test_it_lists_an_owner_and_changes_nothing(
        self, account: HookAccount, acme: FakeGitHub
    ) -> None:
        rows.tracked("acme/WEB", selected=False)
        rows.service("ghcr.io/acme/api/worker:1")
        resolved = resolve(account, "orgs/acme")
        shown = {
            each.full_name: (each.visibility, each.archived, each.disabled)
            for each in resolved.repositories
        }
        assert shown == {
            "Acme/api": ("private", False, False),
            "Acme/old": ("public", False, True),
            "Acme/web": ("public", True, False),
        }
        assert [each.tracked for each in resolved.repositories] == [False, False, True]
        assert [each.selected for each in resolved.repositories] == [False, False, False]
        assert [each.deployed for each in resolved.repositories] == [True, False, False]
        assert HookTarget.objects.count() == 1
        assert HookAccount.objects.get().inputs == []

    @pytest.mark.parametrize(
        "image", ["lscr.io/acme/api", "mirror.example/acme/api", "ghcr.io/acme/api"]
    )
    def test_it_knows_an_image_that_runs_by_another_name(
        self, account: HookAccount, acme: FakeGitHub, image: str
    ) -> None:
        Registry.objects.create(host="mirror.example", mirror_of="ghcr.io")
        rows.service(image)
        assert resolve(account, "acme/api").repositories[0].deployed

    @pytest.mark.parametrize("image", ["docker.io/acme/api", "ghcr.io/acme2/api", "ghcr.io/x/acme"])
    def test_it_takes_no_other_image_for_it(
        self, account: HookAccount, acme: FakeGitHub, image: str
    ) -> None:
        rows.service(image)
        assert not resolve(account, "acme/api").repositories[0].deployed

    def test_it_asks_the_database_little_however_many_there_are(
        self,
        account: HookAccount,
        github: FakeGitHub,
        django_assert_max_num_queries: DjangoAssertNumQueries,
    ) -> None:
        for number in range(250):
            github.add_repository(f"acme/r{number}")
        with django_assert_max_num_queries(4):
            assert len(resolve(account, "acme").repositories) == 250

    def test_it_lets_nobody_wait_for_ever(
        self, account: HookAccount, github: FakeGitHub, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        for number in range(3001):
            github.add_repository(f"acme/r{number}")
        monkeypatch.setattr(tracking, "LONGEST_LIST", -1)
        with pytest.raises(UpstreamUnavailable, match="too long"):
            resolve(account, "acme")
        with pytest.raises(UpstreamUnavailable, match="too long"):
            tracking.add(account, "acme")
        assert len(github.requests) < 30
        assert tracking.add(account, "acme", progress=lambda done, total: None).found == 3001

    def test_it_says_why_there_is_nothing(self, account: HookAccount, github: FakeGitHub) -> None:
        github.add_owner("empty")
        github.add_token(TOKEN, scopes=["public_repo", "admin:repo_hook"])
        credentials.try_and_store(account)
        resolved = resolve(account, "empty")
        assert resolved.repositories == []
        assert "no repository" in resolved.warnings[0]
        assert "scope repo" in resolved.warnings[1]

    def test_it_says_what_a_fine_grained_token_sees(
        self, account: HookAccount, github: FakeGitHub
    ) -> None:
        github.add_owner("empty")
        account.credential = "github_pat_x"
        account.save(update_fields=["credential"])
        github.add_token("github_pat_x")
        credentials.try_and_store(account)
        assert "fine-grained" in resolve(account, "empty").warnings[1]

    @pytest.mark.parametrize(
        ("fault", "error", "reason"),
        [
            (401, CredentialRejected, "pat_invalid"),
            (403, CredentialRejected, "pat_scope_insufficient"),
            ("rate_limit", UpstreamUnavailable, "rate_limited"),
            (500, UpstreamUnavailable, None),
            ("html", UpstreamUnavailable, None),
            ("cut", UpstreamUnavailable, None),
        ],
    )
    def test_it_says_why_it_cannot(
        self,
        account: HookAccount,
        github: FakeGitHub,
        fault: int | str,
        error: type[ApiError],
        reason: str | None,
    ) -> None:
        github.add_owner("acme")
        github.fail("GET", "/orgs/acme/repos", with_=fault, times=99)
        with pytest.raises(error) as caught:
            resolve(account, "acme")
        assert caught.value.details.get("reason") == reason

    def test_it_leads_to_single_sign_on(self, account: HookAccount, github: FakeGitHub) -> None:
        github.add_owner("acme")
        github.add_token(TOKEN, scopes=["repo"], unauthorized=["acme"])
        with pytest.raises(CredentialRejected) as caught:
            resolve(account, "acme")
        assert caught.value.details["reason"] == "sso_required"
        assert "/orgs/acme/sso" in caught.value.details["ssoUrl"]

    def test_it_knows_nobody_of_that_name(self, account: HookAccount) -> None:
        with pytest.raises(NotFound, match="called nobody"):
            resolve(account, "nobody")

    def test_it_needs_a_token_for_an_owner(self, account: HookAccount) -> None:
        account.credential = ""
        with pytest.raises(CredentialRejected) as caught:
            resolve(account, "acme")
        assert caught.value.details == {"reason": "pat_missing"}


class TestAdding:
    def test_it_tracks_what_an_owner_has(self, account: HookAccount, acme: FakeGitHub) -> None:
        change = tracking.add(account, "acme")
        assert (change.found, change.repositories, change.total) == (3, 3, 3)
        assert names(selected=False) == ["Acme/api", "Acme/old", "Acme/web"]
        row = HookTarget.objects.get(name_key="acme/web")
        assert (row.owner_key, row.visibility, row.archived) == ("acme", "public", True)
        (note,) = HookAccount.objects.get().inputs
        assert (note["kind"], note["name"], note["warnings"]) == ("owner", "acme", [])

    def test_it_merges_what_is_there_in_another_case(
        self, account: HookAccount, acme: FakeGitHub
    ) -> None:
        tracking.add(account, "ACME/API")
        change = tracking.add(account, "https://github.com/acme")
        assert (change.found, change.repositories, change.total) == (3, 2, 3)
        assert names(selected=True) == ["Acme/api"]
        assert HookTarget.objects.get(name_key="acme/api").visibility == "private"

    @pytest.mark.parametrize("selected", [True, False])
    def test_it_selects_all_or_none_when_told_to(
        self, account: HookAccount, acme: FakeGitHub, selected: bool
    ) -> None:
        rows.tracked("acme/api", selected=not selected)
        tracking.add(account, "acme", selected=selected)
        assert len(names(selected=selected)) == 3

    def test_it_refreshes_what_it_knows(self, account: HookAccount, acme: FakeGitHub) -> None:
        tracking.add(account, "acme")
        HookTarget.objects.filter(name_key="acme/api").update(selected=True)
        acme.world.repository("acme/api").archived = True  # type: ignore[union-attr]  # it is there
        acme.world.repository("acme/web").archived = False  # type: ignore[union-attr]  # it is there
        acme.add_repository("Acme/new")
        assert tracking.add(account, "ACME").repositories == 1
        assert names(archived=True) == ["Acme/api"]
        assert names(selected=True) == ["Acme/api"]
        assert len(HookAccount.objects.get().inputs) == 1

    def test_it_brings_back_what_was_removed(self, account: HookAccount, acme: FakeGitHub) -> None:
        tracking.add(account, "acme")
        HookTarget.objects.filter(name_key="acme/api").update(hook_id="7", selected=True)
        tracking.remove(account, "acme")
        assert names() == ["Acme/api"]
        change = tracking.add(account, "acme")
        assert (change.repositories, change.total) == (3, 3)
        row = HookTarget.objects.get(name_key="acme/api")
        assert (row.removed, row.selected, row.hook_id) == (False, False, "7")

    def test_it_adds_thousands_in_few_queries(
        self,
        account: HookAccount,
        github: FakeGitHub,
        django_assert_max_num_queries: DjangoAssertNumQueries,
    ) -> None:
        github.validates = False
        for number in range(3000):
            github.add_repository(f"acme/r{number}")
        with django_assert_max_num_queries(3000 // 25):
            change = tracking.add(account, "acme")
        assert (change.repositories, HookTarget.objects.count()) == (3000, 3000)
        assert len(github.requests) == 30

    def test_it_adds_nothing_beyond_the_limit(
        self, account: HookAccount, acme: FakeGitHub, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(tracking, "MAX_TARGETS", 2)
        with pytest.raises(Conflict) as caught:
            tracking.add(account, "acme")
        assert caught.value.details == {"limit": 2}
        assert names() == []

    def test_it_keeps_a_note_of_an_owner_without_any(
        self, account: HookAccount, github: FakeGitHub
    ) -> None:
        github.add_owner("empty")
        tracking.add(account, "empty")
        (note,) = HookAccount.objects.get().inputs
        assert note["warnings"]

    def test_it_keeps_nothing_where_github_does_not_answer(
        self, account: HookAccount, acme: FakeGitHub
    ) -> None:
        acme.fail("GET", "/orgs/acme/repos", with_=500, times=99)
        with pytest.raises(UpstreamUnavailable):
            tracking.add(account, "acme")
        assert (names(), HookAccount.objects.get().inputs) == ([], [])


class TestRemoving:
    def test_it_keeps_what_has_a_hook_until_that_is_gone(
        self, account: HookAccount, acme: FakeGitHub
    ) -> None:
        tracking.add(account, "acme", selected=True)
        HookTarget.objects.filter(name_key="acme/api").update(hook_id="7")
        HookTarget.objects.filter(name_key="acme/web").update(conflict_hooks=[{"id": "8"}])
        change = tracking.remove(account, "acme")
        assert (change.repositories, change.total) == (3, 0)
        assert names(removed=True, selected=False) == ["Acme/api", "Acme/web"]
        assert names(removed=False) == []
        assert not targets.present(account).exists()

    def test_it_keeps_what_was_typed_by_name(self, account: HookAccount, acme: FakeGitHub) -> None:
        tracking.add(account, "acme/api")
        tracking.add(account, "acme")
        assert tracking.remove(account, "acme").repositories == 2
        assert names() == ["Acme/api"]


class TestListing:
    def ask(self, account: HookAccount, text: str = "acme", **given: Any) -> Job:
        queued = listing.ask(account, text, username="ada", **given)
        return Job.objects.get(pk=queued.job_id)

    def done(self, job: Job) -> Job:
        run_job(job.pk)
        job.refresh_from_db()
        return job

    def test_it_adds_an_owner(self, account: HookAccount, acme: FakeGitHub) -> None:
        job = self.done(self.ask(account, "https://github.com/orgs/acme"))
        assert job.status == "success"
        assert job.summary == {
            "owner": "acme",
            "reposFound": 3,
            "reposAdded": 3,
            "warnings": [],
        }
        assert (job.progress_done, job.progress_total) == (3, 3)
        assert title(job) == "List the repositories of acme"
        assert kind_label(job.kind) == "Lists of repositories"

    def test_it_asks_once_for_the_same_owner(self, account: HookAccount) -> None:
        first = listing.ask(account, "acme", username="ada")
        again = listing.ask(account, "https://github.com/orgs/acme", username="bob")
        assert (again.job_id, again.reused) == (first.job_id, True)

    def test_it_fails_in_words(self, account: HookAccount, acme: FakeGitHub) -> None:
        acme.add_token(TOKEN, scopes=["repo"], unauthorized=["acme"])
        job = self.done(self.ask(account))
        assert job.status == "failed"
        assert "single sign-on" in job.summary["error"]
        assert job.summary["reason"] == "sso_required"
        assert "/sso?authorization_request=" in job.summary["ssoUrl"]

    def test_it_waits_for_as_long_as_github_wants(
        self, account: HookAccount, acme: FakeGitHub
    ) -> None:
        acme.fail("GET", "/orgs/acme/repos", with_="secondary_limit")
        job = self.done(self.ask(account))
        assert job.status == "queued" and job.not_before is not None
        assert 50 < (job.not_before - timezone.now()).total_seconds() < 70
        with time_machine.travel(job.not_before):
            assert self.done(job).summary["reposAdded"] == 3

    def test_it_can_be_cancelled(
        self, account: HookAccount, github: FakeGitHub, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        for number in range(300):
            github.add_repository(f"acme/r{number}")
        job = self.ask(account)
        told = Run.progress

        def cancel_then(run: Run, *args: Any) -> None:
            queue.cancel(job.pk)
            told(run, *args)

        monkeypatch.setattr(Run, "progress", cancel_then)
        assert self.done(job).status == "cancelled"
        assert names() == []

    def test_it_holds_no_secret(self, account: HookAccount, acme: FakeGitHub) -> None:
        job = self.done(self.ask(account))
        assert TOKEN not in str(Job.objects.filter(pk=job.pk).values())

    def test_it_is_for_owners(self, account: HookAccount) -> None:
        with pytest.raises(InvalidArgument):
            listing.ask(account, "acme/api", username="ada")

    def test_it_needs_a_token(self, account: HookAccount) -> None:
        account.credential = ""
        with pytest.raises(CredentialRejected):
            listing.ask(account, "acme", username="ada")

    def test_it_ends_where_the_account_is_gone(self, account: HookAccount) -> None:
        job = self.ask(account)
        account.delete()
        assert self.done(job).status == "failed"
