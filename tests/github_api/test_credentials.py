"""Tokens: what GitHub says of them, what is kept of that, and what is refused because of it."""

from __future__ import annotations

import json
import logging
from datetime import UTC, datetime

import pytest

from dockrev.errors import CredentialRejected, UpstreamUnavailable
from integrations.github.tokens import kind_of, missing_of, read_expiry, read_scopes
from integrations.hooks import credentials
from integrations.hooks.errors import CredentialInvalid, RateLimited, Rejected
from integrations.hooks.github import GitHub
from integrations.hooks.provider import Report, Standing
from integrations.models import HookAccount
from tests.fake_github.server import FakeGitHub
from tests.github import TOKEN
from tests.people import Program, error_of
from tests.servers import Reply, Starts

SETTINGS = "/api/github-packages/settings"
FINE = "github_pat_" + "a1" * 20
END = datetime(2027, 1, 31, 9, 0, tzinfo=UTC)

pytestmark = pytest.mark.django_db


class TestWhatATokenSays:
    @pytest.mark.parametrize(
        ("token", "kind"),
        [
            ("ghp_x", "classic"),
            ("github_pat_x", "fine-grained"),
            ("gho_x", "oauth"),
            ("ghu_x", "app-user"),
            ("ghs_x", "app-installation"),
            ("0123456789abcdef", ""),
        ],
    )
    def test_it_tells_kinds_apart_by_how_they_begin(self, token: str, kind: str) -> None:
        assert kind_of(token) == kind

    @pytest.mark.parametrize(
        ("scopes", "missing"),
        [
            (None, ()),
            (("repo",), ()),
            (("repo", "admin:repo_hook"), ()),
            (("public_repo", "admin:repo_hook"), ()),
            (("public_repo",), ("admin:repo_hook",)),
            (("public_repo", "write:repo_hook"), ("admin:repo_hook",)),
            (("admin:repo_hook",), ("public_repo",)),
            (("gist",), ("public_repo", "admin:repo_hook")),
            ((), ("public_repo", "admin:repo_hook")),
        ],
    )
    def test_it_names_the_scopes_that_are_missing(
        self, scopes: tuple[str, ...] | None, missing: tuple[str, ...]
    ) -> None:
        assert missing_of(scopes) == missing

    def test_it_tells_no_scopes_from_scopes_that_are_not_told(self) -> None:
        assert read_scopes({}) is None
        assert read_scopes({"X-OAuth-Scopes": ""}) == ()
        assert read_scopes({"X-OAuth-Scopes": "repo, gist"}) == ("repo", "gist")

    @pytest.mark.parametrize(
        ("written", "read"),
        [
            ("2027-01-31 09:00:00 UTC", END),
            ("2027-01-31 10:00:00 +0100", END),
            ("", None),
            ("never", None),
            ("2027-01-31 09:00:00", None),
        ],
    )
    def test_it_reads_when_a_token_ends(self, written: str, read: datetime | None) -> None:
        assert read_expiry({"GitHub-Authentication-Token-Expiration": written}) == read


class TestTrying:
    def test_it_reports_a_classic_token(self, github: FakeGitHub) -> None:
        github.add_token("ghp_few", login="bob", scopes=["public_repo"], expires_at=END)
        report = GitHub("ghp_few", github.url).try_credential()
        assert report == Report(
            Standing.OK,
            "bob",
            "classic",
            expires_at=END,
            scopes=("public_repo",),
            missing=("admin:repo_hook",),
        )

    def test_it_knows_no_rights_of_a_fine_grained_one(self, github: FakeGitHub) -> None:
        github.add_token(FINE, login="bob")
        report = GitHub(FINE, github.url).try_credential()
        assert (report.kind, report.scopes, report.missing) == ("fine-grained", None, ())

    def test_it_reports_one_that_github_does_not_know(self, github: FakeGitHub) -> None:
        report = GitHub("ghp_wrong", github.url).try_credential()
        assert report.state == "invalid" and "does not accept" in report.text

    @pytest.mark.parametrize("fault", [500, "html", "cut", "rate_limit", "secondary_limit"])
    def test_it_leaves_one_untried_where_github_does_not_answer(
        self, provider: GitHub, github: FakeGitHub, fault: int | str
    ) -> None:
        github.fail("GET", "/user", with_=fault, times=99)
        report = provider.try_credential()
        assert report.state == "untried" and report.text

    def test_it_doubts_the_address_where_github_has_no_such_page(self, serve: Starts) -> None:
        server = serve(lambda _: Reply(404, b"<html>"))
        report = GitHub(TOKEN, f"http://{server.address}").try_credential()
        assert report.state == "untried" and "/api/v3" in report.text


class TestKeeping:
    def test_it_keeps_what_was_said(self, account: HookAccount, github: FakeGitHub) -> None:
        said = credentials.try_and_store(account)
        kept = HookAccount.objects.get()
        assert credentials.report_of(kept) == said
        assert credentials.checked_at(kept) is not None
        assert TOKEN not in json.dumps(kept.credential_report)

    def test_it_keeps_what_was_said_before_where_nobody_answers(
        self, account: HookAccount, github: FakeGitHub
    ) -> None:
        said = credentials.try_and_store(account)
        github.fail("GET", "/user", with_=500, times=99)
        assert credentials.try_and_store(account).state == "untried"
        assert credentials.report_of(HookAccount.objects.get()) == said

    def test_it_keeps_nothing_of_a_token_that_was_replaced_meanwhile(
        self, account: HookAccount
    ) -> None:
        HookAccount.objects.update(credential="ghp_newer")
        credentials.try_and_store(account)
        assert HookAccount.objects.get().credential_report == {}

    @pytest.mark.parametrize("kept", [[], None, "x", {}, {"state": "fine"}, {"state": 5}])
    def test_it_makes_nothing_of_what_it_cannot_read(
        self, account: HookAccount, kept: object
    ) -> None:
        account.credential_report = kept
        assert credentials.report_of(account) is None
        assert credentials.checked_at(account) is None

    def test_it_reads_what_it_can(self, account: HookAccount) -> None:
        account.credential_report = {"state": "ok", "scopes": "x", "expiresAt": 5, "login": []}
        assert credentials.report_of(account) == Report(Standing.OK, scopes=())


class TestDemanding:
    def test_it_lets_a_good_one_pass(self, account: HookAccount) -> None:
        credentials.require(account)

    def test_it_demands_one(self, account: HookAccount) -> None:
        account.credential = ""
        with pytest.raises(CredentialRejected) as caught:
            credentials.require(account)
        assert caught.value.details == {"reason": "pat_missing"}

    def test_it_refuses_one_that_was_revoked(
        self, account: HookAccount, github: FakeGitHub
    ) -> None:
        github.revoke(TOKEN)
        with pytest.raises(CredentialRejected) as caught:
            credentials.require(account)
        assert caught.value.details == {"reason": "pat_invalid"}
        report = credentials.report_of(HookAccount.objects.get())
        assert report and report.state == "invalid"

    def test_it_refuses_one_that_can_write_no_hook(
        self, account: HookAccount, github: FakeGitHub
    ) -> None:
        github.add_token(TOKEN, scopes=["gist", "read:repo_hook"])
        with pytest.raises(CredentialRejected) as caught:
            credentials.require(account)
        assert caught.value.details == {
            "reason": "pat_scope_insufficient",
            "acceptedScopes": ["public_repo", "admin:repo_hook"],
        }

    def test_it_says_that_github_does_not_answer(
        self, account: HookAccount, github: FakeGitHub
    ) -> None:
        github.fail("GET", "/user", with_=502, times=99)
        with pytest.raises(UpstreamUnavailable):
            credentials.require(account)

    def test_it_keeps_that_a_token_is_refused_in_the_middle_of_work(
        self, account: HookAccount
    ) -> None:
        credentials.try_and_store(account)
        with pytest.raises(CredentialRejected):
            credentials.refuse(account, CredentialInvalid("no more"))
        report = credentials.report_of(HookAccount.objects.get())
        assert report and (report.state, report.login, report.text) == ("invalid", "ada", "no more")

    def test_it_says_when_to_come_again(self) -> None:
        error = credentials.api_error(RateLimited("slow", datetime.now(UTC)))
        assert isinstance(error, UpstreamUnavailable)
        assert error.headers == {"Retry-After": "1"}
        assert isinstance(credentials.api_error(Rejected("no")), UpstreamUnavailable)


class TestSaving:
    def test_it_tries_a_token_that_is_new(self, admin: Program, github: FakeGitHub) -> None:
        admin.put(SETTINGS, {"apiUrl": github.url, "pat": TOKEN})
        report = credentials.report_of(HookAccount.objects.get())
        assert report and (report.state, report.login) == ("ok", "ada")
        assert len(github.requests) == 1

    @pytest.mark.parametrize("kept", ["", None, "ghp_...", "••••••••"])
    def test_it_does_not_try_it_again_where_it_stays(
        self, admin: Program, github: FakeGitHub, kept: str | None
    ) -> None:
        admin.put(SETTINGS, {"apiUrl": github.url, "pat": TOKEN})
        admin.put(SETTINGS, {"pat": kept, "callbackUrl": "https://dockrev.example/"})
        assert HookAccount.objects.get().credential == TOKEN
        assert len(github.requests) == 1

    def test_it_saves_one_that_is_refused(self, admin: Program, github: FakeGitHub) -> None:
        response = admin.put(SETTINGS, {"apiUrl": github.url, "pat": "ghp_wrong"})
        assert response.status_code == 200
        account = HookAccount.objects.get()
        report = credentials.report_of(account)
        assert account.credential == "ghp_wrong"
        assert report and report.state == "invalid"

    def test_it_saves_one_where_github_does_not_answer(self, admin: Program) -> None:
        assert admin.put(SETTINGS, {"pat": TOKEN}).status_code == 200
        account = HookAccount.objects.get()
        report = credentials.report_of(account)
        assert account.credential == TOKEN
        assert report and report.state == "untried"

    def test_it_forgets_what_was_said_with_the_token(
        self, admin: Program, github: FakeGitHub
    ) -> None:
        admin.put(SETTINGS, {"apiUrl": github.url, "pat": TOKEN})
        admin.put(SETTINGS, {"clearPat": True})
        account = HookAccount.objects.get()
        assert (account.credential, account.credential_report) == ("", {})

    def test_it_carries_a_stored_token_to_no_other_server(
        self, admin: Program, github: FakeGitHub, serve: Starts
    ) -> None:
        other = serve(lambda _: Reply(200, b"{}"))
        url = f"http://{other.address}"
        admin.put(SETTINGS, {"apiUrl": github.url, "pat": TOKEN})
        for given in ({"apiUrl": url}, {"apiUrl": url, "pat": "ghp_..."}):
            error = error_of(admin.put(SETTINGS, given), 400, "invalid_argument")
            assert error["details"]["field"] == "pat"
        assert other.asked == []
        assert HookAccount.objects.get().api_url == github.url

    def test_it_carries_the_token_of_an_enterprise_server_not_to_github_com(
        self, admin: Program, serve: Starts
    ) -> None:
        server = serve(lambda _: Reply(200, b"{}"))
        admin.put(SETTINGS, {"apiUrl": f"http://{server.address}", "pat": TOKEN})
        error = error_of(admin.put(SETTINGS, {"apiUrl": ""}), 400, "invalid_argument")
        assert error["details"]["field"] == "pat"

    def test_it_takes_another_path_of_the_same_server(
        self, admin: Program, github: FakeGitHub
    ) -> None:
        admin.put(SETTINGS, {"apiUrl": github.url, "pat": TOKEN})
        assert admin.put(SETTINGS, {"apiUrl": github.enterprise_url}).status_code == 200
        assert github.requests[-1].prefix == "/api/v3"
        report = credentials.report_of(HookAccount.objects.get())
        assert report and report.state == "ok"

    def test_it_moves_with_a_new_token_or_with_none(
        self, admin: Program, github: FakeGitHub
    ) -> None:
        admin.put(SETTINGS, {"apiUrl": "https://ghe.example/api/v3", "webhookSecret": "s" * 16})
        assert admin.put(SETTINGS, {"apiUrl": github.url, "pat": TOKEN}).status_code == 200
        gone = admin.put(SETTINGS, {"apiUrl": "https://ghe.example/api/v3", "clearPat": True})
        assert gone.status_code == 200
        assert HookAccount.objects.get().credential == ""

    def test_it_writes_no_token_into_the_log(
        self, admin: Program, github: FakeGitHub, caplog: pytest.LogCaptureFixture
    ) -> None:
        caplog.set_level(logging.DEBUG)
        for fault in (None, 401, 500, "cut"):
            if fault:
                github.fail("GET", "/user", with_=fault, times=99)
            response = admin.put(SETTINGS, {"apiUrl": github.url, "pat": TOKEN})
            assert TOKEN not in response.content.decode()
        assert TOKEN not in caplog.text
