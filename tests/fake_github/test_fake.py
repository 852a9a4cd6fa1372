"""What the fake GitHub promises: each line is something that GitHub documents, or is seen to do."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from threading import Barrier, Thread
from typing import Any
from urllib.parse import parse_qs, unquote_plus

import pytest
import requests

from tests.fake_github.server import FakeGitHub
from tests.github import published, sign
from tests.servers import Asked, Reply, Starts
from tests.sink import Sink, sink
from tests.waiting import PATIENCE

CLASSIC = "ghp_classic"
FINE = "github_pat_fine"
SECRET = "a secret of the hook's"


class Caller:
    """Asks as a client would. It holds on to its connection."""

    def __init__(self, github: FakeGitHub, token: str = CLASSIC, prefix: str = "") -> None:
        self.base = github.url + prefix
        self.session = requests.Session()
        self.session.headers["User-Agent"] = "tests"
        if token:
            self.session.headers["Authorization"] = f"Bearer {token}"

    def __call__(self, method: str, path: str, **how: Any) -> requests.Response:
        url = path if path.startswith("http") else self.base + path
        return self.session.request(method, url, timeout=PATIENCE, allow_redirects=False, **how)

    def make(self, url: str, secret: str = SECRET, **more: Any) -> requests.Response:
        config = {"url": url, "content_type": "json", "insecure_ssl": "0", "secret": secret}
        body = {"name": "web", "active": True, "events": ["package"], "config": config, **more}
        return self("POST", "/repos/acme/api/hooks", json=body)


@pytest.fixture
def called() -> Iterator[Sink]:
    with sink() as kept:
        yield kept


@pytest.fixture
def ask(github: FakeGitHub) -> Caller:
    github.add_owner("ada", "User")
    github.add_token(CLASSIC, login="ada", scopes=["repo", "admin:repo_hook", "read:user"])
    github.add_token(FINE, login="ada")
    github.add_repository("acme/api")
    return Caller(github)


def messages(answer: requests.Response) -> list[str]:
    return [each["message"] for each in answer.json()["errors"]]


# Who asks


def test_it_tells_the_scopes_of_classic_tokens_only(github: FakeGitHub, ask: Caller) -> None:
    expires = datetime(2031, 5, 6, 7, 8, 9, tzinfo=UTC)
    github.add_token("ghp_soon", login="ada", scopes=["repo"], expires_at=expires)
    classic, fine = ask("GET", "/user"), Caller(github, FINE)("GET", "/user")
    assert classic.json()["login"] == fine.json()["login"] == "ada"
    assert classic.headers["X-OAuth-Scopes"] == "repo, admin:repo_hook, read:user"
    assert "X-OAuth-Scopes" not in fine.headers
    soon = Caller(github, "ghp_soon")("GET", "/user")
    header = "github-authentication-token-expiration"
    assert soon.headers[header] == "2031-05-06 07:08:09 UTC"
    assert header not in classic.headers


def test_it_refuses_tokens_that_it_does_not_know_any_more(github: FakeGitHub, ask: Caller) -> None:
    over = github.now() - timedelta(seconds=1)
    github.add_token("ghp_over", login="ada", scopes=["repo"], expires_at=over)
    for token in ("ghp_nobody", "ghp_over"):
        answer = Caller(github, token)("GET", "/repos/acme/api")
        assert (answer.status_code, answer.json()["message"]) == (401, "Bad credentials")
    github.revoke(CLASSIC)
    assert ask("GET", "/user").status_code == 401


def test_it_answers_anonymous_callers_what_is_public(github: FakeGitHub, ask: Caller) -> None:
    github.add_repository("acme/hidden", private=True)
    anyone = Caller(github, token="")
    assert anyone("GET", "/repos/acme/api").status_code == 200
    assert anyone("GET", "/repos/acme/hidden").status_code == 404
    assert [each["name"] for each in anyone("GET", "/orgs/acme/repos").json()] == ["api"]
    assert anyone("GET", "/repos/acme/api/hooks").status_code == 404
    assert anyone("GET", "/user").status_code == 401
    assert anyone("GET", "/meta").json()["hooks"]


def test_it_wants_a_user_agent_and_a_version_that_it_knows(ask: Caller) -> None:
    assert ask("GET", "/meta", headers={"User-Agent": ""}).status_code == 403
    assert ask("GET", "/meta", headers={"X-GitHub-Api-Version": "2020-01-01"}).status_code == 400
    assert ask("GET", "/meta", headers={"X-GitHub-Api-Version": "2022-11-28"}).status_code == 200


@pytest.mark.parametrize(
    ("scopes", "read", "written", "deleted"),
    [
        (["repo"], 200, 200, 204),
        (["public_repo"], 200, 200, 204),
        (["admin:repo_hook"], 200, 200, 204),
        (["write:repo_hook"], 200, 200, 404),
        (["read:repo_hook"], 200, 404, 404),
        (["read:user"], 404, 404, 404),
        ([], 404, 404, 404),
    ],
)
def test_it_hides_hooks_from_classic_tokens_without_the_scope(
    github: FakeGitHub, ask: Caller, scopes: list[str], read: int, written: int, deleted: int
) -> None:
    github.add_token("ghp_some", login="ada", scopes=scopes)
    some = Caller(github, "ghp_some")
    path = f"/repos/acme/api/hooks/{github.add_hook('acme/api', url='http://a.example').id}"
    assert some("GET", path).status_code == read
    assert some("PATCH", path, json={"active": True}).status_code == written
    assert some("DELETE", path).status_code == deleted


def test_it_hides_private_repositories_and_what_others_administer(
    github: FakeGitHub, ask: Caller
) -> None:
    github.add_repository("acme/theirs", private=True, readers=["bob"])
    github.add_repository("acme/bobs", admins=["bob"])
    assert ask("GET", "/repos/acme/theirs").status_code == 404
    assert ask("GET", "/repos/acme/bobs").status_code == 200
    assert ask("GET", "/repos/acme/bobs/hooks").status_code == 404
    github.add_token("ghp_public", login="ada", scopes=["public_repo", "admin:repo_hook"])
    github.add_repository("acme/private", private=True)
    public = Caller(github, "ghp_public")
    assert public("GET", "/repos/acme/private").status_code == 404
    assert public("GET", "/repos/acme/private/hooks").status_code == 200


def test_it_says_which_permission_a_fine_grained_token_lacks(
    github: FakeGitHub, ask: Caller
) -> None:
    github.add_token("github_pat_reads", webhooks="read")
    github.add_token("github_pat_one", repositories=["Acme/Other"])
    reads = Caller(github, "github_pat_reads")
    assert reads("GET", "/repos/acme/api/hooks").status_code == 200
    refused = reads.make("http://a.example")
    assert refused.status_code == 403
    assert refused.headers["X-Accepted-GitHub-Permissions"] == "repository_hooks=write"
    assert Caller(github, "github_pat_one")("GET", "/repos/acme/api/hooks").status_code == 404


def test_it_demands_single_sign_on(github: FakeGitHub, ask: Caller) -> None:
    github.add_token("ghp_sso", login="ada", scopes=["repo"], unauthorized=["ACME"])
    github.add_repository("ada/mine", private=True)
    caller = Caller(github, "ghp_sso")
    for path in ("/orgs/acme/repos", "/repos/acme/api", "/repos/acme/api/hooks"):
        refused = caller("GET", path)
        assert refused.status_code == 403
        assert refused.headers["X-GitHub-SSO"].startswith("required; url=https://127.0.0.1/orgs/")
    listed = caller("GET", "/user/repos")
    assert [each["full_name"] for each in listed.json()] == ["ada/mine"]
    acme = github.add_owner("acme").id
    assert listed.headers["X-GitHub-SSO"] == f"partial-results; organizations={acme}"


# Lists


def test_it_lists_the_repositories_of_organisations_and_people(
    github: FakeGitHub, ask: Caller
) -> None:
    github.add_repository("acme/hidden", private=True)
    github.add_repository("ada/notes", private=True)
    github.add_repository("ada/blog", archived=True)

    def names(path: str) -> list[str]:
        return [each["full_name"] for each in ask("GET", path).json()]

    assert names("/orgs/ACME/repos") == ["acme/api", "acme/hidden"]
    assert names("/users/acme/repos") == ["acme/api"]
    assert names("/users/ada/repos") == ["ada/blog"]
    assert names("/user/repos?affiliation=owner") == ["ada/notes", "ada/blog"]
    assert names("/user/repos?visibility=private") == ["acme/hidden", "ada/notes"]
    assert names("/user/repos?sort=full_name&affiliation=owner") == ["ada/blog", "ada/notes"]
    assert ask("GET", "/orgs/ada/repos").status_code == 404
    assert ask("GET", "/users/nobody/repos").status_code == 404
    assert ask("GET", "/user/repos?type=owner&visibility=private").status_code == 422


def test_it_shows_what_is_archived_disabled_and_private(github: FakeGitHub, ask: Caller) -> None:
    github.add_repository("acme/old", archived=True, disabled=True, private=True)
    [_api, old] = ask("GET", "/orgs/acme/repos").json()
    shown = {name: old[name] for name in ("archived", "disabled", "private", "visibility")}
    assert shown == {"archived": True, "disabled": True, "private": True, "visibility": "private"}


def test_it_leads_from_page_to_page(github: FakeGitHub, ask: Caller) -> None:
    for number in range(204):
        github.add_repository(f"acme/r{number}")
    acme = github.add_owner("acme").id
    answer = ask("GET", "/orgs/acme/repos?per_page=1000&page=1")
    assert len(answer.json()) == 100
    answer = ask("GET", "/orgs/acme/repos?per_page=100")
    at = f"{github.url}/organizations/{acme}/repos?per_page=100"
    assert {rel: link["url"] for rel, link in answer.links.items()} == {
        "next": f"{at}&page=2",
        "last": f"{at}&page=3",
    }
    middle = ask("GET", answer.links["next"]["url"])
    assert set(middle.links) == {"prev", "next", "first", "last"}
    last = ask("GET", middle.links["next"]["url"])
    assert len(last.json()) == 5
    assert set(last.links) == {"prev", "first"}
    assert len(ask("GET", "/orgs/acme/repos").json()) == 30


def test_it_knows_names_in_any_case_and_old_ones(github: FakeGitHub, ask: Caller) -> None:
    assert ask("GET", "/repos/ACME/Api").json()["full_name"] == "acme/api"
    github.rename("acme/api", "backend")
    moved = ask("GET", "/repos/acme/api/hooks")
    assert moved.status_code == 301
    assert ask("GET", moved.headers["Location"]).json() == []
    assert ask.make("http://a.example").status_code == 307


def test_it_works_below_the_path_of_an_enterprise_server(github: FakeGitHub, ask: Caller) -> None:
    github.add_repository("acme/web")
    caller = Caller(github, prefix="/api/v3")
    answer = caller("GET", "/orgs/acme/repos?per_page=1")
    assert answer.links["next"]["url"].startswith(github.enterprise_url + "/")
    assert caller("GET", answer.links["next"]["url"]).json()[0]["name"] == "web"
    assert {each.prefix for each in github.requests} == {"/api/v3"}


def test_it_answers_304_to_what_it_gave_before(github: FakeGitHub, ask: Caller) -> None:
    first = ask("GET", "/repos/acme/api/hooks")
    used = int(first.headers["X-RateLimit-Used"])
    known = {"If-None-Match": first.headers["ETag"]}
    again = ask("GET", "/repos/acme/api/hooks", headers=known)
    assert (again.status_code, again.content) == (304, b"")
    assert int(again.headers["X-RateLimit-Used"]) == used
    github.add_hook("acme/api", url="http://a.example")
    changed = ask("GET", "/repos/acme/api/hooks", headers=known)
    assert changed.status_code == 200
    assert int(changed.headers["X-RateLimit-Used"]) == used + 1


# Limits


def test_it_refuses_all_once_the_limit_is_used_up(github: FakeGitHub, ask: Caller) -> None:
    github.rate_limit(remaining=1, reset_in=90)
    assert ask("GET", "/user").headers["X-RateLimit-Remaining"] == "0"
    refused = ask("GET", "/user")
    assert refused.status_code == 403
    assert refused.headers["X-RateLimit-Remaining"] == "0"
    assert int(refused.headers["X-RateLimit-Reset"]) - github.now().timestamp() in range(88, 91)
    assert "rate limit exceeded" in refused.json()["message"]
    core = ask("GET", "/rate_limit").json()["resources"]["core"]
    assert core["remaining"] == 0
    github.clock_offset = timedelta(seconds=91)
    assert ask("GET", "/user").status_code == 200


def test_it_can_have_a_clock_of_its_own(github: FakeGitHub, ask: Caller) -> None:
    github.clock_offset = timedelta(hours=-1)
    answer = ask.make("http://a.example")
    told = parsedate_to_datetime(answer.headers["Date"])
    assert timedelta(minutes=59) < datetime.now(UTC) - told < timedelta(minutes=61)
    updated = datetime.fromisoformat(answer.json()["updated_at"])
    assert abs(updated - told) < timedelta(seconds=5)


@pytest.mark.parametrize(
    ("kind", "status", "header", "value"),
    [
        (500, 500, "Content-Type", "application/json; charset=utf-8"),
        (502, 502, "Content-Type", "text/html; charset=utf-8"),
        ("html", 200, "Content-Type", "text/html; charset=utf-8"),
        ("rate_limit", 403, "X-RateLimit-Remaining", "0"),
        ("secondary_limit", 403, "Retry-After", "7"),
        (429, 429, "Retry-After", "7"),
        (401, 401, "X-GitHub-Media-Type", "github.v3; format=json"),
    ],
)
def test_it_fails_when_told_to(
    github: FakeGitHub, ask: Caller, kind: int | str, status: int, header: str, value: str
) -> None:
    github.fail("GET", "/repos/*/api/hooks", with_=kind, times=2, retry_in=7)
    assert ask("GET", "/repos/acme/api").status_code == 200
    for _time in range(2):
        answer = ask("GET", "/repos/acme/api/hooks")
        assert (answer.status_code, answer.headers[header]) == (status, value)
    assert ask("GET", "/repos/acme/api/hooks").status_code == 200
    assert [each.status for each in github.requests] == [200, status, status, 200]


def test_it_breaks_off_when_told_to(github: FakeGitHub, ask: Caller) -> None:
    github.fail("GET", "/user", with_="cut")
    with pytest.raises(requests.ConnectionError):
        ask("GET", "/user")
    github.fail("GET", "/user", with_="truncated")
    with pytest.raises(requests.JSONDecodeError):
        ask("GET", "/user").json()
    github.fail("GET", "/user", with_="short")
    with pytest.raises(requests.exceptions.ChunkedEncodingError):
        ask("GET", "/user")
    github.fail("GET", "/user", with_="timeout")
    with pytest.raises(requests.ReadTimeout):
        ask.session.get(f"{github.url}/user", timeout=0.05)
    assert [each.status for each in github.requests] == [0, 200, 200, 0]


def test_it_can_do_what_is_asked_and_lose_the_answer(github: FakeGitHub, ask: Caller) -> None:
    github.fail("POST", "*", with_="cut")
    with pytest.raises(requests.ConnectionError):
        ask.make("http://a.example")
    assert github.hooks("acme/api") == []
    github.delivers = False
    github.fail("POST", "*", with_="cut", done=True)
    with pytest.raises(requests.ConnectionError):
        ask.make("http://a.example")
    assert len(github.hooks("acme/api")) == 1


def test_it_tells_tests_before_it_answers_and_how_many_asked_at_once(
    github: FakeGitHub, ask: Caller
) -> None:
    together = Barrier(3)
    github.before = lambda method, path: together.wait(PATIENCE)
    threads = [Thread(target=Caller(github), args=("GET", "/meta")) for _each in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert github.most_at_once == 3
    assert [each.status for each in github.requests] == [200] * 3


# Hooks


def test_it_makes_a_hook_and_never_shows_its_secret(github: FakeGitHub, ask: Caller) -> None:
    github.delivers = False
    answer = ask.make("https://hooks.example/x")
    assert answer.status_code == 201
    [hook] = github.hooks("acme/api")
    assert hook.secret == SECRET
    shown = answer.json()
    assert shown["config"] == {
        "content_type": "json",
        "insecure_ssl": "0",
        "secret": "********",
        "url": "https://hooks.example/x",
    }
    assert answer.headers["Location"] == shown["url"]
    assert shown["last_response"] == {"code": None, "status": "unused", "message": None}
    assert SECRET not in ask("GET", shown["url"]).text + ask("GET", "/repos/acme/api/hooks").text


def test_it_fills_in_what_a_new_hook_does_not_say(github: FakeGitHub, ask: Caller) -> None:
    github.delivers = False
    config = {"url": "https://hooks.example"}
    shown = ask("POST", "/repos/acme/api/hooks", json={"config": config}).json()
    assert (shown["events"], shown["active"]) == (["push"], True)
    assert shown["config"] == {
        "content_type": "form",
        "insecure_ssl": "0",
        "url": "https://hooks.example",
    }


def test_it_refuses_hooks_that_github_would_not_have(github: FakeGitHub, ask: Caller) -> None:
    github.delivers = False
    ask.make("https://hooks.example/x")
    same = ask.make("https://hooks.example/x", events=["push", "package"])
    assert same.status_code == 422
    assert messages(same) == ["Hook already exists on this repository"]
    assert ask.make("https://hooks.example/x", events=["push"]).status_code == 201
    for url in ("", "hooks.example", "ftp://hooks.example", "http://a b"):
        assert ask.make(url).status_code == 422
    assert ask.make("https://hooks.example/y", events=["packages"]).status_code == 422
    assert ask.make("https://hooks.example/y", name="email").status_code == 422
    github.world.public_targets_only = True
    for url in ("http://127.0.0.1/x", "http://localhost:8000/", "http://10.1.2.3", "http://[::1]/"):
        [text] = messages(ask.make(url))
        assert "isn't reachable over the public Internet" in text
    assert len(github.hooks("acme/api")) == 2


def test_it_has_no_more_than_twenty_hooks_of_an_event(github: FakeGitHub, ask: Caller) -> None:
    github.delivers = False
    for number in range(20):
        github.add_hook("acme/api", url=f"https://hooks.example/{number}", events=["package"])
    refused = ask.make("https://hooks.example/more", events=["package", "push"])
    assert messages(refused) == ['The "package" event cannot have more than 20 hooks']
    assert ask.make("https://hooks.example/more", events=["push"]).status_code == 201
    assert len(ask("GET", "/repos/acme/api/hooks?per_page=20").links) == 2


def test_it_puts_a_config_in_place_whole(github: FakeGitHub, ask: Caller) -> None:
    hook = github.add_hook(
        "acme/api",
        url="https://hooks.example/x",
        secret=SECRET,
        events=["push", "star"],
        updated_at=datetime(2026, 1, 1, tzinfo=UTC),
    )
    path = f"/repos/acme/api/hooks/{hook.id}"
    shown = ask("PATCH", path, json={"add_events": ["package", "push"]}).json()
    assert shown["events"] == ["push", "star", "package"]
    assert shown["updated_at"] > "2026-01-02"
    assert shown["created_at"] == "2026-01-01T00:00:00Z"
    assert hook.secret == SECRET
    ask("PATCH", path, json={"remove_events": ["star"], "active": False})
    assert (hook.events, hook.active) == (["push", "package"], False)
    ask("PATCH", path, json={"config": {"url": "https://hooks.example/y"}})
    assert (hook.url, hook.secret, hook.content_type) == ("https://hooks.example/y", "", "form")
    ask("PATCH", path, json={"events": ["watch"]})
    assert hook.events == ["watch"]


def test_it_deletes_a_hook_once(github: FakeGitHub, ask: Caller) -> None:
    path = f"/repos/acme/api/hooks/{github.add_hook('acme/api', url='http://a.example').id}"
    assert ask("DELETE", path).status_code == 204
    assert [ask(method, path).status_code for method in ("GET", "DELETE")] == [404, 404]
    assert ask("PATCH", path, json={"active": True}).status_code == 404


def test_it_lets_nobody_change_what_is_archived_or_disabled(
    github: FakeGitHub, ask: Caller
) -> None:
    github.add_repository("acme/api", archived=True)
    assert ask("GET", "/repos/acme/api/hooks").status_code == 200
    assert ask.make("http://a.example").status_code == 403
    github.add_repository("acme/api", disabled=True)
    assert ask("GET", "/repos/acme/api/hooks").status_code == 403


# Deliveries


def test_it_pings_a_new_hook_signed(github: FakeGitHub, ask: Caller, called: Sink) -> None:
    hook = ask.make(called.url).json()
    [ping] = called.wait_for(1)
    headers = ping.headers
    assert headers["X-GitHub-Event"] == "ping"
    assert headers["X-GitHub-Hook-ID"] == str(hook["id"])
    assert headers["X-Hub-Signature-256"] == sign(ping.body, SECRET)
    assert headers["User-Agent"].startswith("GitHub-Hookshot/")
    assert headers["X-GitHub-Hook-Installation-Target-Type"] == "repository"
    repository = ask("GET", "/repos/acme/api").json()
    assert headers["X-GitHub-Hook-Installation-Target-ID"] == str(repository["id"])
    assert len(headers["X-GitHub-Delivery"]) == 36
    assert ping.json["hook_id"] == hook["id"]
    assert ping.json["hook"]["config"]["secret"] == "********"
    assert ping.json["repository"]["full_name"] == "acme/api"
    github.settle()
    assert ask("GET", hook["url"]).json()["last_response"] == {
        "code": 204,
        "status": "active",
        "message": "OK",
    }


def test_it_pings_when_asked_unsigned_without_a_secret(
    github: FakeGitHub, ask: Caller, called: Sink
) -> None:
    hook = github.add_hook("acme/api", url=called.url, content_type="form")
    assert ask("POST", f"/repos/acme/api/hooks/{hook.id}/pings").status_code == 204
    [ping] = called.wait_for(1)
    assert "X-Hub-Signature-256" not in ping.headers
    assert ping.headers["Content-Type"] == "application/x-www-form-urlencoded"
    assert unquote_plus(parse_qs(ping.body.decode())["payload"][0]).startswith('{"zen"')


def test_it_calls_all_hooks_that_want_an_event_with_one_guid(
    github: FakeGitHub, ask: Caller, called: Sink
) -> None:
    github.add_hook("acme/api", url=called.url, events=["package"], secret=SECRET)
    github.add_hook("acme", url=called.url, events=["*"])
    github.add_hook("acme/api", url=called.url, events=["push"])
    github.add_hook("acme/api", url=called.url, events=["package"], active=False)
    made = github.publish("acme/api", published())
    assert [each.status_code for each in made] == [204, 204]
    assert len({each.headers["X-GitHub-Delivery"] for each in called.received}) == 1
    kinds = [each.headers["X-GitHub-Hook-Installation-Target-Type"] for each in called.received]
    assert kinds == ["repository", "organization"]
    assert called.received[0].json == published()


def test_it_keeps_what_came_of_a_delivery(github: FakeGitHub, ask: Caller, serve: Starts) -> None:
    def answer(asked: Asked) -> Reply:
        return Reply(500, b"out of order", {"X-Who": "me"})

    hook = github.add_hook("acme/api", url=f"http://{serve(answer).address}/x", secret=SECRET)
    [made] = github.publish("acme/api", published())
    path = f"/repos/acme/api/hooks/{hook.id}/deliveries"
    [listed] = ask("GET", path).json()
    expected = {"id": made.id, "guid": made.guid, "event": "package", "action": "published"}
    expected |= {"status": "Invalid HTTP Response: 500", "status_code": 500, "redelivery": False}
    assert {name: listed[name] for name in expected} == expected
    shown = ask("GET", f"{path}/{made.id}").json()
    assert shown["request"]["payload"] == published()
    assert shown["request"]["headers"]["X-GitHub-Delivery"] == made.guid
    assert shown["response"]["payload"] == "out of order"
    assert shown["response"]["headers"]["X-Who"] == "me"
    last = ask("GET", f"/repos/acme/api/hooks/{hook.id}").json()["last_response"]
    assert (last["code"], last["status"]) == (500, "misconfigured")
    assert ask("GET", f"{path}/1").status_code == 404


def test_it_cannot_reach_what_is_down(github: FakeGitHub, ask: Caller, called: Sink) -> None:
    hook = github.add_hook("acme/api", url=called.url)
    gone = github.add_hook("acme/api", url="http://127.0.0.1:9/x")
    github.publish("acme/api", published(), down=True)
    github.publish("acme/api", published())
    codes = [[each.status_code for each in each.deliveries] for each in (hook, gone)]
    assert codes == [[502, 204], [502, 502]]
    assert gone.deliveries[1].status == "failed to connect to host"
    assert len(called.received) == 1


def test_it_calls_nobody_when_told_so(github: FakeGitHub, ask: Caller, called: Sink) -> None:
    github.delivers = False
    ask.make(called.url)
    github.settle()
    [ping] = github.hooks("acme/api")[0].deliveries
    assert (ping.event, ping.status_code, called.received) == ("ping", 200, [])


def test_it_delivers_again_with_the_same_guid(
    github: FakeGitHub, ask: Caller, called: Sink
) -> None:
    hook = github.add_hook("acme/api", url=called.url, secret=SECRET)
    [missed] = github.publish("acme/api", published(), down=True)
    path = f"/repos/acme/api/hooks/{hook.id}/deliveries"
    assert ask("POST", f"{path}/{missed.id}/attempts").status_code == 202
    [again] = called.wait_for(1)
    assert again.headers["X-GitHub-Delivery"] == missed.guid
    github.settle()
    newest, oldest = ask("GET", path).json()
    assert newest["guid"] == oldest["guid"]
    assert (newest["redelivery"], oldest["redelivery"]) == (True, False)
    failures = ask("GET", f"{path}?status=failure").json()
    assert [each["id"] for each in failures] == [missed.id]
    assert [each["id"] for each in ask("GET", f"{path}?status=success").json()] == [newest["id"]]


def test_it_lists_deliveries_newest_first_by_cursor(github: FakeGitHub, ask: Caller) -> None:
    github.delivers = False
    hook = github.add_hook("acme/api", url="http://a.example")
    made = [github.publish("acme/api", published())[0].id for _each in range(5)]
    answer = ask("GET", f"/repos/acme/api/hooks/{hook.id}/deliveries?per_page=2")
    seen = [each["id"] for each in answer.json()]
    while "next" in answer.links:
        answer = ask("GET", answer.links["next"]["url"])
        seen += [each["id"] for each in answer.json()]
    assert seen == made[::-1]
    assert answer.links == {}
    bad = ask("GET", f"/repos/acme/api/hooks/{hook.id}/deliveries?cursor=nonsense")
    assert bad.status_code == 422


# What the description says


def test_it_notices_requests_that_are_not_described(github: FakeGitHub, ask: Caller) -> None:
    github.delivers = False
    hook = github.add_hook("acme/api", url="http://a.example")
    ask("GET", "/repos/acme/api/hooks?state=open")
    ask("GET", "/repos/acme/api/hooks?per_page=many")
    ask("GET", "/user/repos?visibility=internal")
    ask("GET", "/repos/acme/api/hooks/test")
    ask("GET", "/repos/acme/api/pulls")
    ask.make("http://b.example", colour="red")
    ask(
        "PATCH",
        f"/repos/acme/api/hooks/{hook.id}",
        json={"config": {"uri": "x", "url": "http://c"}},
    )
    ask("PATCH", f"/repos/acme/api/hooks/{hook.id}", json={"active": "yes"})
    found = "\n".join(github.violations)
    for text in (
        "query state is unknown",
        "query per_page: 'many' is not of type 'integer'",
        "query visibility: 'internal' is not one of",
        "path hook_id: 'test' is not of type 'integer'",
        "no such route is described",
        "'colour' was unexpected",
        "body.config.uri is unknown",
        "body.active: 'yes' is not of type 'boolean'",
    ):
        assert text in found
    github.violations.clear()


def test_it_notices_answers_of_its_own_that_are_not_described(
    github: FakeGitHub, ask: Caller
) -> None:
    hook = github.add_hook("acme/api", url="http://a.example")
    hook.last_response = {"code": "two hundred"}
    ask("GET", "/repos/acme/api/hooks")
    assert len(github.violations) == 3
    github.violations.clear()
    github.validates = False
    ask("GET", "/repos/acme/api/hooks")
    assert github.violations == []
