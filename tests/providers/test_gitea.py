"""What only Gitea and Forgejo have: hooks of owners, and a PATCH that forgets and keeps."""

from __future__ import annotations

import hmac
from hashlib import sha256

import pytest

from integrations.hooks.errors import Refused, Rejected
from integrations.hooks.gitea import Gitea
from integrations.hooks.provider import BadTarget, Standing, Wanted
from integrations.models import HookTarget, Receiver
from tests.hooks.doing import said
from tests.providers import cases
from tests.providers.cases import NEXT_SECRET, SECRET, TOKEN, USER
from tests.providers.conftest import access_to, account_at, audit, sync, track

NAME = "acme"
ADDRESS = "https://git.example.com/forge"


@pytest.fixture
def account(db: None, gitea: cases.Gitea) -> None:
    """One organisation is tracked, and has its hook."""
    gitea.add(NAME)
    track(account_at(gitea), NAME)
    sync()
    gitea.fake.asked.clear()


def writes(gitea: cases.Gitea) -> list[str]:
    return [each.method for each in gitea.fake.asked if each.method != "GET"]


class TestWhatAPersonAdded:
    @pytest.fixture(autouse=True)
    def _added(self, gitea: cases.Gitea, account: None) -> None:
        [hook] = gitea.fake.of(NAME)
        hook.events = ["package", "pull_request", "push"]
        hook.authorization_header, hook.branch_filter = "Bearer for-the-proxy", "main"

    def kept(self, gitea: cases.Gitea) -> None:
        [hook] = gitea.fake.of(NAME)
        assert hook.events == ["package", "pull_request", "push"]
        assert hook.authorization_header == "Bearer for-the-proxy"
        assert hook.branch_filter == "main"
        assert hook.active

    def test_it_stays_when_the_hook_is_switched_on(self, gitea: cases.Gitea) -> None:
        [hook] = gitea.fake.of(NAME)
        hook.active = False
        assert said(sync()) == {NAME: "updated"}
        assert writes(gitea) == ["PATCH"]
        assert gitea.fake.of(NAME) == [hook]
        assert hook.secret == SECRET
        self.kept(gitea)

    def test_it_stays_when_the_event_comes_back(self, gitea: cases.Gitea) -> None:
        gitea.fake.of(NAME)[0].events.remove("package")
        assert said(sync()) == {NAME: "updated"}
        self.kept(gitea)

    def test_it_stays_when_the_secret_is_another(self, gitea: cases.Gitea) -> None:
        [hook] = gitea.fake.of(NAME)
        Receiver.objects.update(secret=NEXT_SECRET)
        assert said(sync()) == {NAME: "updated"}
        assert writes(gitea) == ["POST", "DELETE"]
        assert gitea.fake.of(NAME)[0].id != hook.id
        assert gitea.fake.of(NAME)[0].secret == NEXT_SECRET
        self.kept(gitea)


@pytest.mark.usefixtures("account")
class TestHooksOfOwners:
    def test_it_is_called_with_the_signature_of_its_secret(self, gitea: cases.Gitea) -> None:
        gitea.publish(NAME)
        [call] = gitea.fake.delivered
        assert call.url == gitea.url()
        signature = hmac.new(SECRET.encode(), call.body, sha256).hexdigest()
        assert call.headers["X-Gitea-Signature"] == signature

    def test_it_sends_json(self, gitea: cases.Gitea) -> None:
        gitea.fake.of(NAME)[0].content_type = "form"
        audit()
        assert HookTarget.objects.get().last_error == "It sent forms."
        assert said(sync()) == {NAME: "updated"}
        assert gitea.fake.of(NAME)[0].content_type == "json"

    def test_it_speaks_as_to_no_chat(self, gitea: cases.Gitea) -> None:
        gitea.fake.of(NAME)[0].type = "slack"
        audit()
        assert HookTarget.objects.get().last_error == "It spoke as to slack."
        assert said(sync()) == {NAME: "updated"}
        assert [each.type for each in gitea.fake.of(NAME)] == ["gitea"]

    @pytest.mark.parametrize("total", ["", "many", "9" * 5000, "-1"])
    def test_it_reads_all_pages_whatever_they_say_of_their_number(
        self, gitea: cases.Gitea, total: str
    ) -> None:
        [ours] = gitea.fake.of(NAME)
        others = [gitea.fake.add_hook(NAME, f"https://ci/{number}") for number in range(60)]
        gitea.fake.hooks[NAME] = [*others, ours]
        gitea.fake.total = total
        assert said(sync()) == {NAME: "noop"}

    def test_it_finds_its_hook_behind_many_others(self, gitea: cases.Gitea) -> None:
        [ours] = gitea.fake.of(NAME)
        others = [gitea.fake.add_hook(NAME, f"https://ci/{number}") for number in range(130)]
        gitea.fake.hooks[NAME] = [*others, ours]
        assert said(sync()) == {NAME: "noop"}
        assert [each.first("page") for each in gitea.fake.asked if "/hooks" in each.path] == [
            "1",
            "2",
            "3",
        ]

    def test_a_hook_of_ones_own_hears_of_ones_own_packages(self, gitea: cases.Gitea) -> None:
        HookTarget.objects.create(account=HookTarget.objects.get().account, full_name="Ada")
        assert said(sync())["Ada"] == "created"
        assert gitea.publish(USER) == [202]
        assert {each.path for each in gitea.fake.asked if each.method == "POST"} == {
            "/api/v1/user/hooks"
        }

    def test_it_cannot_be_told_not_to_look_at_our_certificate(self, gitea: cases.Gitea) -> None:
        track(account_at(gitea, verify_tls=False), NAME)
        sync()
        assert said(sync()) == {NAME: "noop"}


@pytest.mark.django_db
class TestVersions:
    @pytest.mark.parametrize("is_forgejo", [True, False])
    def test_it_asks_for_a_hook_of_the_servers_kind(
        self, gitea: cases.Gitea, is_forgejo: bool
    ) -> None:
        if is_forgejo:
            gitea.fake.be_forgejo()
        gitea.add(NAME)
        track(account_at(gitea), NAME)
        sync()
        assert gitea.fake.of(NAME)[0].type == ("forgejo" if is_forgejo else "gitea")
        gitea.publish(NAME)
        assert ("X-Forgejo-Event" in gitea.fake.delivered[0].headers) is is_forgejo

    def test_it_makes_hooks_where_the_version_may_not_be_asked(self, gitea: cases.Gitea) -> None:
        gitea.fake.fail("GET", "*/version", 403, times=9)
        gitea.add(NAME)
        track(account_at(gitea), NAME)
        assert said(sync()) == {NAME: "created"}

    def test_it_leaves_no_hook_that_hears_of_no_packages(self, gitea: cases.Gitea) -> None:
        gitea.fake.knows_packages = False
        gitea.add(NAME)
        track(account_at(gitea), NAME)
        assert said(sync()) == {NAME: "error"}
        assert gitea.fake.of(NAME) == []
        assert "update it" in HookTarget.objects.get().last_error

    def test_it_breaks_no_hook_where_packages_cannot_be_asked_for(self, gitea: cases.Gitea) -> None:
        gitea.add(NAME)
        track(account_at(gitea), NAME)
        sync()
        gitea.fake.knows_packages = False
        gitea.fake.of(NAME)[0].active = False
        assert said(sync()) == {NAME: "error"}
        assert len(gitea.fake.of(NAME)) == 1


class TestTargets:
    def test_it_lists_whose_hooks_the_token_may_touch(self, gitea: cases.Gitea) -> None:
        for number in range(60):
            gitea.add(f"acme{number:02}")
        gitea.fake.add_organisation("others", owners=["bob"], members=[USER])
        gitea.fake.add_organisation("secret", owners=["bob"])
        provider = Gitea.open(access_to(gitea))
        found = provider.possible("", lambda done, total: None).repositories
        assert [each.full_name for each in found] == [USER, *(f"acme{n:02}" for n in range(60))]
        some = provider.possible("ACME5", lambda done, total: None).repositories
        assert len(some) == 10

    def test_a_member_may_not_touch_them(self, gitea: cases.Gitea) -> None:
        gitea.fake.add_organisation("others", owners=["bob"], members=[USER])
        with pytest.raises(Refused, match="Must be an organization owner"):
            Gitea.open(access_to(gitea)).hooks("others")

    @pytest.mark.parametrize(
        ("typed", "name"),
        [
            ("acme", "acme"),
            ("acme/api", "acme"),
            ("https://git.example.com/forge/acme", "acme"),
            ("https://git.example.com/forge/acme/-/packages/container/api/1", "acme"),
            ("git.example.com/acme/api:1", "acme"),
        ],
    )
    def test_it_reads_what_a_person_types(self, typed: str, name: str) -> None:
        assert Gitea.read_target(typed, ADDRESS) == name

    @pytest.mark.parametrize("typed", ["", "/", "..", "a b", "-x", "https://example.com/acme"])
    def test_it_refuses_what_names_nobody(self, typed: str) -> None:
        with pytest.raises(BadTarget):
            Gitea.read_target(typed, ADDRESS)


class TestCalls:
    def test_it_says_who_it_is_where_it_may(self, gitea: cases.Gitea) -> None:
        report = Gitea.open(access_to(gitea)).try_credential()
        assert (report.state, report.login, report.missing) == (Standing.OK, USER, ())
        assert gitea.fake.asked[0].headers["authorization"] == f"token {TOKEN}"
        gitea.fake.add_token(TOKEN, scopes=["write:organization"])
        report = Gitea.open(access_to(gitea)).try_credential()
        assert (report.state, report.enough, report.missing) == (Standing.OK, True, ("read:user",))
        gitea.revoke()
        assert Gitea.open(access_to(gitea)).try_credential().state == Standing.INVALID
        gitea.fake.fail("GET", "*", "html", times=9)
        assert Gitea.open(access_to(gitea)).try_credential().state == Standing.UNTRIED

    def test_organisations_need_no_right_to_the_user(self, gitea: cases.Gitea) -> None:
        gitea.fake.add_token(TOKEN, scopes=["write:organization"])
        gitea.add(NAME)
        provider = Gitea.open(access_to(gitea))
        provider.create(NAME, Wanted(gitea.url(), SECRET, provider.events))
        assert len(provider.hooks(NAME).items) == 1

    def test_it_asks_once_whose_token_it_is(self, gitea: cases.Gitea) -> None:
        gitea.add(NAME)
        provider = Gitea.open(access_to(gitea))
        for _time in range(3):
            provider.hooks(NAME)
        assert [each.path for each in gitea.fake.asked].count("/api/v1/user") == 1

    def test_hooks_of_owners_have_no_test(self, gitea: cases.Gitea) -> None:
        with pytest.raises(Rejected, match="cannot send a test"):
            Gitea.open(access_to(gitea)).ping(NAME, "1")
        assert gitea.fake.asked == []
