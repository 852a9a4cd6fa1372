"""How GitHub's API is asked, and what its refusals are taken for."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from functools import partial
from threading import Event
from typing import Any

import pytest
import time_machine
from requests.structures import CaseInsensitiveDict

from dockrev.http import Response
from integrations.github import client as github_client
from integrations.github import refusals
from integrations.github.client import Client, is_same_server
from integrations.hooks import client as hooks_client
from integrations.hooks import refusals as hooks_refusals
from integrations.hooks.client import Patience, path_of
from integrations.hooks.errors import (
    CredentialInvalid,
    NotSeen,
    ProviderError,
    RateLimited,
    Refused,
    Rejected,
    Unavailable,
)
from tests.fake_github.server import FakeGitHub
from tests.github import TOKEN
from tests.servers import Asked, Reply, Starts, as_json
from tests.waiting import PATIENCE

HOOKS = "/repos/acme/api/hooks"
NOW = datetime(2026, 5, 4, 3, 2, 1, tzinfo=UTC)


@pytest.fixture
def client(github: FakeGitHub) -> Client:
    github.add_repository("acme/api")
    return Client(TOKEN, github.url)


def refused(ask: Callable[[], object]) -> ProviderError:
    with pytest.raises(ProviderError) as caught:
        ask()
    return caught.value


class TestRequests:
    def test_it_says_who_asks_and_which_version(self, client: Client, github: FakeGitHub) -> None:
        client.get("/user")
        (asked,) = github.requests
        assert asked.headers["accept"] == "application/vnd.github+json"
        assert asked.headers["x-github-api-version"] == "2022-11-28"
        assert asked.headers["authorization"] == f"Bearer {TOKEN}"
        assert asked.headers["user-agent"].startswith("Dockrev/")

    @pytest.mark.parametrize("slash", ["", "/"])
    def test_it_speaks_to_an_enterprise_server(self, github: FakeGitHub, slash: str) -> None:
        github.add_repository("acme/api")
        for number in range(101):
            github.add_hook("acme/api", url=f"https://h{number}.example/")
        listed = Client(TOKEN, github.enterprise_url + slash).all(f"{HOOKS}?per_page=100")
        assert len(listed.items) == 101
        assert {asked.prefix for asked in github.requests} == {"/api/v3"}

    @pytest.mark.parametrize("part", ["", ".", ".."])
    def test_it_asks_for_no_path_beside_the_one_that_is_meant(self, part: str) -> None:
        with pytest.raises(NotSeen):
            path_of("repos", "acme", part, "hooks")

    def test_it_writes_names_so_that_they_stay_one_part(self) -> None:
        assert path_of("repos", "a/b", "c?d") == "/repos/a%2Fb/c%3Fd"

    def test_it_knows_one_server_from_another(self) -> None:
        assert is_same_server("", github_client.API_URL)
        assert is_same_server("https://ghe.example/api/v3", "https://GHE.example:443/")
        assert not is_same_server("https://ghe.example/api/v3", "")
        assert not is_same_server("https://ghe.example:8443", "https://ghe.example")


class TestPages:
    def test_it_reads_all_pages(self, client: Client, github: FakeGitHub) -> None:
        for number in range(101):
            github.add_hook("acme/api", url=f"https://h{number}.example/")
        listed = client.all(f"{HOOKS}?per_page=100")
        assert [item["config"]["url"] for item in listed.items] == [
            f"https://h{number}.example/" for number in range(101)
        ]
        assert len(github.requests) == 2
        assert listed.etag == ""

    def test_it_asks_for_several_at_once_but_not_for_many(
        self, client: Client, github: FakeGitHub
    ) -> None:
        for number in range(60):
            github.add_hook("acme/api", url=f"https://h{number}.example/")
        full = Event()

        def wait_for_company(method: str, path: str) -> None:
            if github.most_at_once == 5:
                full.set()
            if github.requests:  # the first page says how many there are, and is asked alone
                full.wait(PATIENCE)

        github.before = wait_for_company
        told: list[tuple[int, int]] = []
        listed = client.all(f"{HOOKS}?per_page=4", progress=lambda *each: told.append(each))
        urls = [item["config"]["url"] for item in listed.items]
        assert urls == [f"https://h{number}.example/" for number in range(60)]
        assert github.most_at_once == 5
        assert [done for done, _total in told] == sorted(done for done, _total in told)

    def test_it_asks_for_no_more_at_once_however_many_threads_ask(
        self, client: Client, github: FakeGitHub
    ) -> None:
        github.latency = 0.02
        with ThreadPoolExecutor(20) as pool:
            answers = [pool.submit(client.get, "/user") for _number in range(40)]
        assert all(answer.result().status == 200 for answer in answers)
        assert github.most_at_once == 5

    def test_it_stops_when_progress_says_so(self, client: Client, github: FakeGitHub) -> None:
        for number in range(60):
            github.add_hook("acme/api", url=f"https://h{number}.example/")
        github.latency = 0.02

        def stop(done: int, total: int) -> None:
            raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            client.all(f"{HOOKS}?per_page=1", progress=stop)
        assert len(github.requests) < 20

    def test_it_stops_so_where_nobody_says_how_many_pages_there_are(self, serve: Starts) -> None:
        server = serve(lambda asked: Reply(200, b"[{}]", {"Link": f'<{here}/x>; rel="next"'}))
        here = f"http://{server.address}"

        def stop(done: int, total: int) -> None:
            raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            Client(TOKEN, here).all("/x", progress=stop)
        assert len(server.asked) == 2

    def test_it_takes_no_page_for_one_that_holds_far_more_than_it_asked_for(
        self, serve: Starts
    ) -> None:
        server = serve(lambda asked: Reply(200, json.dumps([{}] * 5000).encode()))
        client = Client(TOKEN, f"http://{server.address}")
        assert isinstance(refused(lambda: client.all("/x")), Unavailable)

    def test_it_sees_that_nothing_changed(self, client: Client, github: FakeGitHub) -> None:
        github.add_hook("acme/api", url="https://one.example/")
        listed = client.all(f"{HOOKS}?per_page=100")
        again = client.all(f"{HOOKS}?per_page=100", etag=listed.etag)
        assert listed.etag and again.unchanged and again.etag == listed.etag
        assert github.requests[-1].status == 304

    @pytest.mark.parametrize("rel", ["next", "last"])
    def test_it_does_not_carry_the_token_to_another_server(self, serve: Starts, rel: str) -> None:
        other = serve(lambda asked: Reply(200, b"[]"))
        link = {"Link": f'<http://{other.other_name}/?page=2>; rel="{rel}"'}
        server = serve(lambda asked: Reply(200, b"[]", link))
        client = Client(TOKEN, f"http://{server.address}")
        assert "another server" in str(refused(lambda: client.all("/user/repos")))
        assert other.asked == []

    def test_it_is_not_led_astray_by_what_two_readers_read_differently(self, serve: Starts) -> None:
        other = serve(lambda asked: Reply(200, b"[]"))
        server = serve(lambda asked: Reply(200, b"[]", {"Link": f'<{astray}>; rel="next"'}))
        astray = f"http://{other.other_name}\\@{server.address}/"
        client = Client(TOKEN, f"http://{server.address}")
        assert isinstance(refused(lambda: client.all("/user/repos")), Unavailable)
        assert other.asked == []

    def test_it_ends_a_list_that_never_does(
        self, serve: Starts, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(hooks_client, "MAX_PAGES", 4)
        server = serve(lambda asked: Reply(200, b"[{}]", {"Link": f'<{here}/x>; rel="next"'}))
        here = f"http://{server.address}"
        listed = Client(TOKEN, here).all("/x")
        assert (listed.cut, len(listed.items), len(server.asked)) == (True, 4, 4)
        assert len(list(Client(TOKEN, here).pages("/x"))) == 4


class TestRedirects:
    def test_it_follows_what_was_renamed(self, serve: Starts) -> None:
        def answer(asked: Asked) -> Reply:
            if asked.path.startswith("/repositories/1"):
                return Reply(200, b"[]")
            return Reply(301, b"{}", {"Location": f"http://{server.address}/repositories/1/hooks"})

        server = serve(answer)
        assert Client(TOKEN, f"http://{server.address}").all(HOOKS).items == []

    def test_it_does_not_follow_to_another_server(self, serve: Starts) -> None:
        other = serve(lambda asked: Reply(200, b"[]"))
        server = serve(lambda _: Reply(301, headers={"Location": f"http://{other.other_name}/"}))
        client = Client(TOKEN, f"http://{server.address}")
        assert isinstance(refused(lambda: client.get(HOOKS)), Unavailable)
        assert other.asked == []

    def test_it_does_not_follow_what_is_no_address(self, serve: Starts) -> None:
        server = serve(lambda _: Reply(301, headers={"Location": "https://["}))
        client = Client(TOKEN, f"http://{server.address}")
        assert isinstance(refused(lambda: client.get(HOOKS)), Unavailable)

    def test_it_does_not_follow_for_ever(self, serve: Starts) -> None:
        server = serve(lambda _: Reply(302, headers={"Location": "/again"}))
        client = Client(TOKEN, f"http://{server.address}")
        assert isinstance(refused(lambda: client.get(HOOKS)), Rejected)
        assert len(server.asked) == 2

    def test_it_says_of_a_write_that_the_repository_was_moved(self, serve: Starts) -> None:
        server = serve(lambda _: Reply(307, headers={"Location": "/repositories/1/hooks"}))
        client = Client(TOKEN, f"http://{server.address}")
        error = refused(lambda: client.send("POST", HOOKS, {}))
        assert isinstance(error, Rejected) and "renamed" in str(error)
        assert len(server.asked) == 1


class TestRefusals:
    def test_it_knows_a_token_that_is_none(self, client: Client, github: FakeGitHub) -> None:
        github.revoke(TOKEN)
        assert isinstance(refused(lambda: client.get("/user")), CredentialInvalid)

    def test_it_says_both_of_what_it_cannot_see(self, client: Client) -> None:
        error = refused(lambda: client.get("/repos/acme/none/hooks"))
        assert isinstance(error, NotSeen)
        assert "see" in str(error) and "webhooks" in str(error)

    def test_it_names_what_a_token_lacks(self, github: FakeGitHub) -> None:
        reply = as_json(403, message="Resource not accessible by personal access token")
        reply.headers["X-Accepted-OAuth-Scopes"] = "admin:repo_hook, repo"
        reply.headers["X-Accepted-GitHub-Permissions"] = "webhooks=write; metadata=read"
        error = forbidden(reply)
        assert isinstance(error, Refused)
        assert error.reason == "pat_scope_insufficient"
        assert error.accepted_scopes == (
            "admin:repo_hook",
            "repo",
            "webhooks=write",
            "metadata=read",
        )
        assert "not accessible" in str(error)

    def test_it_leads_to_single_sign_on(self, client: Client, github: FakeGitHub) -> None:
        github.fail("GET", HOOKS, with_="sso")
        error = refused(lambda: client.get(HOOKS))
        assert isinstance(error, Refused)
        assert error.reason == "sso_required"
        assert "/orgs/acme/sso?authorization_request=" in error.sso_url

    @pytest.mark.parametrize(
        "url",
        [
            "http://github.com/orgs/acme/sso",
            "https://github.com.evil.example/orgs/acme/sso",
            "https://evil.example/",
            "https://github.com@evil.example/",
            "https://ada@github.com/",
            "https://github.com:8443/",
            'https://github.com/"><script>',
            "javascript:alert(1)",
            "https://github.com/" + "a" * 1000,
            "https://[",
            "",
        ],
    )
    def test_it_shows_no_link_that_is_not_of_github(self, url: str) -> None:
        reply = as_json(403, message="SAML")
        reply.headers["X-GitHub-SSO"] = f"required; url={url}"
        error = forbidden(reply)
        assert isinstance(error, Refused)
        assert (error.reason, error.sso_url) == ("sso_required", "")

    def test_it_takes_an_archived_repository_for_no_fault_of_the_token(self) -> None:
        error = forbidden(as_json(403, message="Repository was archived so is read-only."))
        assert isinstance(error, Rejected) and "archived" in str(error)

    def test_it_gives_githubs_own_reasons(self, client: Client, github: FakeGitHub) -> None:
        body = {
            "name": "web",
            "active": True,
            "events": ["package"],
            "config": {"url": "https://dockrev.example/", "content_type": "json"},
        }
        client.send("POST", HOOKS, body)
        error = refused(lambda: client.send("POST", HOOKS, body))
        assert isinstance(error, Rejected)
        assert "Hook already exists on this repository" in str(error)
        assert [asked.status for asked in github.requests] == [201, 422]

    @pytest.mark.parametrize(
        ("body", "words"),
        [
            ({"message": "Validation Failed", "errors": ["url is bad"]}, "url is bad"),
            (
                {"message": "No", "errors": [{"resource": "Hook", "field": "url", "code": "bad"}]},
                "Hook url bad",
            ),
            ({"message": "Just no"}, "Just no"),
            ({"message": "a\x00b\u202ec\n d"}, "a b c d"),
            ({"message": "x" * 5000}, "x" * 299 + "…"),
            ({"message": f"{TOKEN} and hidden-secret"}, "•••• and ••••"),
            ({"message": 5, "errors": [5, None, {}]}, "(422)"),
            ([], "(422)"),
        ],
    )
    def test_it_shortens_and_cleans_them(self, serve: Starts, body: Any, words: str) -> None:
        server = serve(lambda _: Reply(422, json.dumps(body).encode()))
        client = Client(TOKEN, f"http://{server.address}")
        error = refused(lambda: client.send("POST", HOOKS, {}, hidden=("hidden-secret",)))
        assert isinstance(error, Rejected)
        assert words in str(error) and len(str(error)) < 400


class TestLimits:
    def test_it_waits_for_the_primary_limit_by_githubs_clock(
        self, client: Client, github: FakeGitHub
    ) -> None:
        github.clock_offset = timedelta(hours=5)
        github.rate_limit(remaining=0, reset_in=120)
        before = datetime.now(UTC)
        error = refused(lambda: client.get("/user"))
        assert isinstance(error, RateLimited)
        assert timedelta(seconds=110) < error.until - before < timedelta(seconds=130)

    def test_it_asks_no_more_before_that(self, client: Client, github: FakeGitHub) -> None:
        github.rate_limit(remaining=0, reset_in=120)
        first = refused(lambda: client.get("/user"))
        assert isinstance(first, RateLimited)
        assert isinstance(refused(lambda: client.get("/user")), RateLimited)
        assert len(github.requests) == 1
        github.rate_limit(remaining=50)
        with time_machine.travel(first.until, tick=True):
            client.get("/user")

    def test_it_asks_no_more_where_only_words_say_so(self, serve: Starts) -> None:
        words = "You have exceeded a secondary rate limit"
        server = serve(lambda _: as_json(403, message=words))
        client = Client(TOKEN, f"http://{server.address}")
        for _attempt in range(2):
            assert isinstance(refused(lambda: client.get("/user")), RateLimited)
        assert len(server.asked) == 1

    def test_it_stops_at_the_last_call_that_is_left(
        self, client: Client, github: FakeGitHub
    ) -> None:
        github.rate_limit(remaining=1)
        client.get("/user")
        assert isinstance(refused(lambda: client.get("/user")), RateLimited)
        assert [asked.status for asked in github.requests] == [200]

    @pytest.mark.parametrize("status", [403, 429])
    @pytest.mark.parametrize(
        ("headers", "message", "seconds"),
        [
            ({"Retry-After": "30"}, "slow down", 30),
            ({"Retry-After": "999999999"}, "slow down", 86400),
            ({"Retry-After": "soon"}, "You have exceeded a secondary rate limit", 60),
            ({}, "You have exceeded a secondary rate limit", 60),
            ({}, "You have triggered an abuse detection mechanism", 60),
            ({"X-RateLimit-Remaining": "0"}, "API rate limit exceeded", 60),
            ({"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "x"}, "no", 60),
            ({"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "1"}, "no", 1),
            ({"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "9" * 12}, "no", 86400),
        ],
    )
    def test_it_tells_limits_apart_from_refusals(
        self, status: int, headers: dict[str, str], message: str, seconds: int
    ) -> None:
        reply = as_json(status, message=message)
        reply.headers.update(headers)
        with time_machine.travel(NOW, tick=False):
            error = forbidden(reply)
            assert isinstance(error, RateLimited)
            assert error.until - NOW == timedelta(seconds=seconds)

    def test_it_takes_429_without_a_word_for_a_limit(self) -> None:
        assert isinstance(forbidden(Reply(429, b"")), RateLimited)


class TestFaults:
    @pytest.mark.parametrize(("fault", "most"), [(502, 1), ("cut", 2)])
    def test_it_begins_nothing_when_its_time_is_up(
        self, client: Client, github: FakeGitHub, fault: int | str, most: int
    ) -> None:
        met = github.fail("GET", "/user", with_=fault, times=99)
        hurried = Patience(total=0)
        assert isinstance(refused(lambda: client.get("/user", patience=hurried)), Unavailable)
        assert met.met <= most  # a kept connection that was cut is no attempt

    def test_it_waits_for_no_answer_that_goes_on_and_on(self, serve: Starts) -> None:
        """A person who tries a token waits ten seconds at the most, whatever is at the address."""
        server = serve(lambda asked: Reply(200, b"x", length=None))
        client = Client(TOKEN, f"http://{server.address}")
        hurried = Patience((0.1, 1.0), 0, 0.3)
        error = refused(lambda: client.get("/user", patience=hurried, max_bytes=10**9))
        assert isinstance(error, Unavailable) and "did not answer" in str(error)
        assert hooks_client.QUICK.timeout[0] + hooks_client.QUICK.longest <= 10

    @pytest.mark.parametrize("fault", [500, 502, 503, "cut", "short"])
    def test_it_tries_again_what_does_no_harm(
        self, client: Client, github: FakeGitHub, fault: int | str
    ) -> None:
        github.fail("GET", "/user", with_=fault, times=2)
        assert client.get("/user").object["login"] == "ada"

    @pytest.mark.parametrize("fault", [500, 502, "cut"])
    def test_it_gives_up_after_three(
        self, client: Client, github: FakeGitHub, fault: int | str
    ) -> None:
        met = github.fail("GET", "/user", with_=fault, times=99)
        assert isinstance(refused(lambda: client.get("/user")), Unavailable)
        assert met.met >= 3

    @pytest.mark.parametrize("fault", [500, 502, "cut", "short"])
    def test_it_never_makes_a_thing_twice(
        self, client: Client, github: FakeGitHub, fault: int | str
    ) -> None:
        github.fail("POST", HOOKS, with_=fault, times=99, done=True)
        body = {"name": "web", "events": ["package"], "config": {"url": "https://x.example/"}}
        error = refused(lambda: client.send("POST", HOOKS, body))
        assert isinstance(error, Unavailable)
        assert len(github.hooks("acme/api")) == 1
        assert [asked.method for asked in github.requests] == ["POST"]

    @pytest.mark.parametrize("fault", ["html", "truncated"])
    def test_it_takes_no_nonsense(self, client: Client, github: FakeGitHub, fault: str) -> None:
        github.fail("GET", "/user", with_=fault)
        error = refused(lambda: client.get("/user"))
        assert isinstance(error, Unavailable) and "not one of GitHub's API" in str(error)

    @pytest.mark.parametrize("body", [b"{}", b"5", b"null", b'["x"]', b"[" * 100_000, b"\xff", b""])
    def test_it_takes_no_list_for_one_that_is_none(self, serve: Starts, body: bytes) -> None:
        server = serve(lambda _: Reply(200, body))
        client = Client(TOKEN, f"http://{server.address}")
        assert isinstance(refused(lambda: client.all(HOOKS)), Unavailable)

    def test_it_reads_no_more_than_it_can_hold(self, serve: Starts) -> None:
        server = serve(lambda _: Reply(200, b"[" + b" " * 70_000, length=None))
        client = Client(TOKEN, f"http://{server.address}")
        error = refused(lambda: client.get("/user", max_bytes=100_000))
        assert isinstance(error, Unavailable) and "too long" in str(error)

    def test_it_names_a_server_that_is_not_there(self) -> None:
        error = refused(lambda: Client(TOKEN, "http://127.0.0.1:9").get("/user"))
        assert isinstance(error, Unavailable) and "127.0.0.1:9" in str(error)


def test_it_never_tells_the_token(
    client: Client, github: FakeGitHub, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    faults: list[int | str] = [401, 403, 404, 422, 429, 500, "html", "cut", "sso", "rate_limit"]
    told = [repr(client)]
    for fault in faults:
        github.fail("*", HOOKS, with_=fault, times=99)
        for ask in (Client.all, partial(Client.send, method="POST", body={"name": "web"})):
            error = refused(partial(ask, Client(TOKEN, github.url), path=HOOKS))
            told += [str(error), repr(error), repr(vars(error))]
        github.faults.clear()
    assert TOKEN not in "\n".join(told) + caplog.text


def forbidden(reply: Reply) -> ProviderError:
    """What a server's answer is taken for, without a server."""
    headers = CaseInsensitiveDict(reply.headers)
    answer = Response(reply.status, headers, reply.body, "https://api.github.com/user")
    return refusals.error_of(answer, ())


def test_it_reads_the_date_as_github_writes_it() -> None:
    written = format_datetime(NOW, usegmt=True)
    assert hooks_refusals.date_of({"Date": written}) == NOW
    assert hooks_refusals.date_of({"Date": "yesterday"}) is None


@pytest.mark.parametrize(
    "date",
    [
        "Mon, 04 May 99999999999999999999 03:02:01 GMT",
        "Mon, 04 May 2026 03:02:01 +99999999999999999",
        "Fri, 31 Dec 9999 23:59:59 -2359",
    ],
)
def test_it_reckons_with_no_date_that_is_out_of_all_time(date: str) -> None:
    assert hooks_refusals.date_of({"Date": date}) is None
    assert refusals.rest_until({"Date": date, "Retry-After": "1"}) is not None
