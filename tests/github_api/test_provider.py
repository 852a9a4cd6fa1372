"""Hooks, repositories and deliveries at GitHub, as the provider's contract says."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from integrations.hooks import client
from integrations.hooks.errors import NotSeen, Refused, Rejected, Unavailable
from integrations.hooks.github import GitHub
from integrations.hooks.provider import Hook, Repository, Wanted
from tests.fake_github.server import FakeGitHub
from tests.github import TOKEN, published
from tests.servers import Reply, Starts

URL = "https://dockrev.example/api/webhooks/github-packages"
WANTED = Wanted(URL, "a secret of some length", GitHub.events)


def ignore(done: int, total: int) -> None:
    """Nobody looks."""


@pytest.fixture
def repository(github: FakeGitHub) -> str:
    github.add_repository("acme/api", private=True)
    return "acme/api"


@pytest.mark.usefixtures("repository")
class TestHooks:
    def test_it_makes_one_as_it_should_be(self, provider: GitHub, github: FakeGitHub) -> None:
        made = provider.create("acme/api", WANTED)
        (hook,) = github.hooks("acme/api")
        assert (hook.url, hook.secret, hook.active) == (URL, WANTED.secret, True)
        assert hook.events == ["package", "registry_package"]
        assert (hook.content_type, hook.insecure_ssl) == ("json", "0")
        assert made == Hook(
            str(hook.id), URL, True, GitHub.events, "json", False, hook.updated_at, ""
        )

    def test_it_lists_them_all(self, provider: GitHub, github: FakeGitHub) -> None:
        for number in range(101):
            github.add_hook("acme/api", url=f"https://h{number}.example/")
        hooks = provider.hooks("acme/api")
        assert len(hooks.items) == 101
        assert hooks.etag == ""

    def test_it_remembers_a_list_of_one_page(self, provider: GitHub, github: FakeGitHub) -> None:
        github.add_hook("acme/api", url=URL, content_type="form", insecure_ssl="1", active=False)
        hooks = provider.hooks("acme/api")
        (hook,) = hooks.items
        assert (hook.content_type, hook.insecure_ssl, hook.active) == ("form", True, False)
        again = provider.hooks("acme/api", etag=hooks.etag)
        assert (again.items, again.unchanged, again.etag) == ((), True, hooks.etag)

    def test_it_mends_one_and_keeps_what_a_person_added(
        self, provider: GitHub, github: FakeGitHub
    ) -> None:
        github.add_hook(
            "acme/api",
            url=URL + "/",
            events=["push", "package"],
            active=False,
            content_type="form",
            insecure_ssl="1",
            secret="an old one",
        )
        (seen,) = provider.hooks("acme/api").items
        mended = provider.update("acme/api", seen, WANTED)
        (hook,) = github.hooks("acme/api")
        assert hook.events == ["push", "package", "registry_package"]
        assert (hook.url, hook.secret, hook.active) == (URL, WANTED.secret, True)
        assert (hook.content_type, hook.insecure_ssl) == ("json", "0")
        assert mended.events == ("push", "package", "registry_package")
        sent = json.loads(github.requests[-1].body)
        assert sent["add_events"] == ["registry_package"] and "events" not in sent

    def test_it_adds_nothing_to_a_hook_for_everything(
        self, provider: GitHub, github: FakeGitHub
    ) -> None:
        github.add_hook("acme/api", url=URL, events=["*"])
        (seen,) = provider.hooks("acme/api").items
        provider.update("acme/api", seen, WANTED)
        assert github.hooks("acme/api")[0].events == ["*"]

    def test_it_deletes_one_and_does_not_mind_that_it_is_gone(
        self, provider: GitHub, github: FakeGitHub
    ) -> None:
        hook = github.add_hook("acme/api", url=URL)
        provider.delete("acme/api", str(hook.id))
        assert github.hooks("acme/api") == []
        provider.delete("acme/api", str(hook.id))

    def test_it_says_that_a_hook_to_mend_is_gone(
        self, provider: GitHub, github: FakeGitHub
    ) -> None:
        github.add_hook("acme/api", url=URL)
        (seen,) = provider.hooks("acme/api").items
        github.hooks("acme/api").clear()
        with pytest.raises(NotSeen):
            provider.update("acme/api", seen, WANTED)

    def test_it_has_one_pinged(self, provider: GitHub, github: FakeGitHub) -> None:
        hook = github.add_hook("acme/api", url=URL)
        provider.ping("acme/api", str(hook.id))
        github.settle()
        assert [attempt.event for attempt in hook.deliveries] == ["ping"]

    def test_it_says_that_twenty_are_the_limit(self, provider: GitHub, github: FakeGitHub) -> None:
        for number in range(20):
            github.add_hook("acme/api", url=f"https://h{number}.example/")
        with pytest.raises(Rejected, match="20 hooks"):
            provider.create("acme/api", WANTED)

    def test_it_needs_the_right_to(self, github: FakeGitHub) -> None:
        github.add_token("github_pat_x", scopes=None, webhooks="read")
        provider = GitHub("github_pat_x", github.url)
        assert provider.hooks("acme/api").items == ()
        with pytest.raises(Refused):
            provider.create("acme/api", WANTED)

    @pytest.mark.parametrize(
        ("response", "words"),
        [
            ({"code": None, "status": "unused", "message": None}, ""),
            ({"code": 202, "status": "active", "message": "OK"}, ""),
            (
                {"code": 502, "status": "invalid", "message": "Invalid HTTP Response: 502"},
                "Invalid HTTP Response: 502",
            ),
            ({"code": 404, "status": "error", "message": "not there"}, "not there (404)"),
            ({"code": 0, "status": "timeout", "message": None}, "timeout"),
        ],
    )
    def test_it_says_why_the_last_call_failed(
        self, provider: GitHub, github: FakeGitHub, response: dict[str, Any], words: str
    ) -> None:
        github.add_hook("acme/api", url=URL).last_response = response
        (hook,) = provider.hooks("acme/api").items
        assert hook.last_failure == words


@pytest.mark.parametrize(
    "item",
    [
        {},
        {"id": 1},
        {"id": None, "config": {}},
        {"id": 1, "config": []},
        {"id": True, "config": {}},
        {"id": -1, "config": {}},
        {"id": 1.5, "config": {}},
        {"id": "../../user", "config": {}},
        {"id": 10**60, "config": {}},
    ],
)
def test_it_takes_no_hook_for_one_that_is_none(serve: Starts, item: dict[str, Any]) -> None:
    server = serve(lambda _: Reply(200, json.dumps([item]).encode()))
    with pytest.raises(Unavailable):
        GitHub(TOKEN, f"http://{server.address}").hooks("acme/api")


def test_it_takes_no_part_of_the_hooks_for_all_of_them(
    serve: Starts, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client, "MAX_PAGES", 2)
    server = serve(lambda _: Reply(200, b"[]", {"Link": f'<http://{server.address}/>; rel="next"'}))
    with pytest.raises(Unavailable, match="more webhooks"):
        GitHub(TOKEN, f"http://{server.address}").hooks("acme/api")


def test_it_reads_a_hook_that_says_little(serve: Starts) -> None:
    item = {"id": 1, "config": {"url": 5, "insecure_ssl": 1}, "events": "x", "updated_at": "x"}
    server = serve(lambda _: Reply(200, json.dumps([item]).encode()))
    hooks = GitHub(TOKEN, f"http://{server.address}").hooks("acme/api")
    assert hooks.items == (Hook("1", "", False, (), "form", True, None, ""),)


def test_it_keeps_of_a_hook_what_can_be_shown(serve: Starts) -> None:
    events = ["package", "\ud800\0x", "y" * 1000, *["z"] * 5000]
    times = ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-12:00"]
    items = [
        {"id": number, "config": {}, "events": events, "updated_at": time}
        for number, time in enumerate(times)
    ]
    server = serve(lambda _: Reply(200, json.dumps(items).encode()))
    for hook in GitHub(TOKEN, f"http://{server.address}").hooks("acme/api").items:
        assert hook.updated_at is None
        assert hook.events[:2] == ("package", "x")
        assert len(hook.events) <= 200 and max(map(len, hook.events)) <= 60


def test_it_tells_no_end_of_a_token_that_no_page_could_show(serve: Starts) -> None:
    headers = {"GitHub-Authentication-Token-Expiration": "0001-01-01 00:00:00 +1400"}
    server = serve(lambda _: Reply(200, b'{"login": "ada"}', headers))
    report = GitHub(TOKEN, f"http://{server.address}").try_credential()
    assert (report.state, report.expires_at) == ("ok", None)


class TestRepositories:
    def test_it_lists_an_organisation_of_thousands(
        self, provider: GitHub, github: FakeGitHub
    ) -> None:
        for number in range(3001):
            github.add_repository(f"Acme/r{number}", archived=number == 7, disabled=number == 8)
        told: list[tuple[int, int]] = []
        owned = provider.repositories("acme", lambda *each: told.append(each))
        names = [each.full_name for each in owned.repositories]
        assert len(names) == 3001
        assert names == sorted(names, key=str.lower)
        assert owned.warnings == ()
        assert len(github.requests) == 31
        assert told[-1] == (3001, 3001) and len(told) > 20
        marked = [each for each in owned.repositories if each.archived or each.disabled]
        assert marked == [
            Repository("Acme/r7", "public", archived=True),
            Repository("Acme/r8", "public", disabled=True),
        ]

    def test_it_lists_a_person_with_what_is_private(
        self, provider: GitHub, github: FakeGitHub
    ) -> None:
        github.add_owner("ada", "User")
        github.add_repository("ada/open")
        github.add_repository("ada/Closed", private=True)
        github.add_owner("bob", "User")
        github.add_repository("bob/shared", private=True, readers=["ada"])
        owned = provider.repositories("ADA", ignore)
        assert [(each.full_name, each.visibility) for each in owned.repositories] == [
            ("ada/Closed", "private"),
            ("ada/open", "public"),
        ]
        paths = [asked.path for asked in github.requests]
        assert paths == ["/orgs/ADA/repos", "/users/ADA/repos", "/user/repos"]

    def test_it_merges_what_two_lists_have(self, serve: Starts) -> None:
        def answer(asked: Any) -> Reply:
            if asked.path.startswith("/orgs"):
                return Reply(404, b"{}")
            name = "ada/One" if asked.path.startswith("/users") else "Ada/one"
            return Reply(200, json.dumps([{"full_name": name, "private": True}]).encode())

        server = serve(answer)
        owned = GitHub(TOKEN, f"http://{server.address}").repositories("ada", ignore)
        assert owned.repositories == (Repository("ada/One", "private"),)

    def test_it_says_that_nobody_is_called_so(self, provider: GitHub) -> None:
        with pytest.raises(NotSeen, match="called nobody"):
            provider.repositories("nobody", ignore)

    def test_it_demands_single_sign_on(self, github: FakeGitHub) -> None:
        github.add_repository("acme/api")
        github.add_token("ghp_sso", scopes=["repo"], unauthorized=["acme"])
        with pytest.raises(Refused) as caught:
            GitHub("ghp_sso", github.url).repositories("acme", ignore)
        assert caught.value.reason == "sso_required"

    def test_it_warns_of_a_list_that_is_not_whole(self, serve: Starts) -> None:
        headers = {"X-GitHub-SSO": "partial-results; organizations=1,2"}
        server = serve(lambda _: Reply(200, b"[]", headers))
        owned = GitHub(TOKEN, f"http://{server.address}").repositories("acme", ignore)
        (warning,) = owned.warnings
        assert "single sign-on" in warning

    def test_it_keeps_what_is_public_where_the_rest_is_refused(
        self, provider: GitHub, github: FakeGitHub
    ) -> None:
        github.add_owner("bob", "User")
        github.add_repository("bob/one")
        github.fail("GET", "/user/repos", with_=403)
        owned = provider.repositories("bob", ignore)
        assert [each.full_name for each in owned.repositories] == ["bob/one"]
        assert "Private repositories are left out" in owned.warnings[0]

    @pytest.mark.parametrize("name", ["acme", "acme/", "acme/a/b", "acme/a b", "acme/é", 5, None])
    def test_it_takes_no_name_that_is_none(self, serve: Starts, name: object) -> None:
        server = serve(lambda _: Reply(200, json.dumps([{"full_name": name}]).encode()))
        with pytest.raises(Unavailable):
            GitHub(TOKEN, f"http://{server.address}").repositories("acme", ignore)


@pytest.mark.usefixtures("repository")
class TestSent:
    def test_it_lists_what_was_sent_newest_first(
        self, provider: GitHub, github: FakeGitHub
    ) -> None:
        hook = github.add_hook("acme/api", url=URL)
        for number in range(150):
            github.publish("acme/api", published(), down=number == 149)
        pages = list(provider.sent("acme/api", str(hook.id)))
        assert [len(page.items) for page in pages] == [100, 50]
        first = pages[0].items[0]
        assert first.event == "package" and first.failure
        assert pages[0].items[1].failure == ""
        assert first.guid == hook.deliveries[-1].guid
        assert pages[0].etag and not pages[1].etag
        clock = pages[0].clock
        assert clock is not None and abs((clock - datetime.now(UTC)).total_seconds()) < 60

    def test_it_asks_for_a_page_only_when_it_is_wanted(
        self, provider: GitHub, github: FakeGitHub
    ) -> None:
        hook = github.add_hook("acme/api", url=URL)
        for _number in range(101):
            github.publish("acme/api", published())
        next(iter(provider.sent("acme/api", str(hook.id))))
        assert len(github.requests) == 1

    def test_it_sees_that_nothing_was_sent_since(
        self, provider: GitHub, github: FakeGitHub
    ) -> None:
        hook = github.add_hook("acme/api", url=URL)
        github.publish("acme/api", published())
        (page,) = provider.sent("acme/api", str(hook.id))
        (again,) = provider.sent("acme/api", str(hook.id), etag=page.etag)
        assert (again.unchanged, again.items) == (True, ())

    def test_it_fetches_what_a_delivery_said(self, provider: GitHub, github: FakeGitHub) -> None:
        hook = github.add_hook("acme/api", url=URL, secret=WANTED.secret, content_type="form")
        body = published()
        github.publish("acme/api", body)
        ((sent,),) = (page.items for page in provider.sent("acme/api", str(hook.id)))
        incoming = provider.sent_payload("acme/api", str(hook.id), sent.id)
        assert json.loads(incoming.body) == body
        assert incoming.headers["x-github-delivery"] == sent.guid
        assert incoming.headers["x-github-event"] == "package"
        assert incoming.headers["content-type"] == "application/json"
        assert not [name for name in incoming.headers if "signature" in name]

    def test_it_keeps_no_header_that_no_page_could_show(self, serve: Starts) -> None:
        headers = {"X-GitHub-Event": "package", "X-One": "\ud800", "X-\ud800": "two"}
        body = json.dumps({"request": {"headers": headers, "payload": {}}}).encode()
        server = serve(lambda _: Reply(200, body))
        incoming = GitHub(TOKEN, f"http://{server.address}").sent_payload("acme/api", "1", "2")
        assert set(incoming.headers) == {"x-github-event", "content-type"}

    def test_it_says_that_a_payload_is_not_kept(self, serve: Starts) -> None:
        body = json.dumps({"request": {"headers": None, "payload": None}}).encode()
        server = serve(lambda _: Reply(200, body))
        with pytest.raises(NotSeen):
            GitHub(TOKEN, f"http://{server.address}").sent_payload("acme/api", "1", "2")
