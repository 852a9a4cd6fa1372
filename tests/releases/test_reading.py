"""Release notes, from hosts that answer as their makers' documentation says."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.core.cache import cache
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from checks.models import Candidate, Image, ReleaseNotes, Service
from integrations.models import HookAccount
from tests import rows
from tests.github import TOKEN
from tests.pages.rows import candidate
from tests.pages.test_overview import text_of
from tests.servers import Asked, Reply, Server, Starts, as_json

pytestmark = pytest.mark.django_db
NOW = timezone.now()
BODY = "## Fixed\n\n- a leak, see [the report](https://acme.example/1)\n"
Hosts = dict[str, Reply]


def github_release(tag: str = "v1.3.0", **changed: Any) -> dict[str, Any]:
    """As "Get a release by tag name" answers, what is not read left out."""
    return {
        "html_url": f"https://github.com/acme/api/releases/tag/{tag}",
        "tag_name": tag,
        "name": "1.3: the leak",
        "draft": False,
        "prerelease": False,
        "published_at": "2026-01-02T03:04:05Z",
        "body": BODY,
        **changed,
    }


GITLAB_RELEASE: dict[str, Any] = {
    "tag_name": "v1.3.0",
    "name": "1.3: the leak",
    "description": BODY,
    "created_at": "2026-01-01T00:00:00.000Z",
    "released_at": "2026-01-02T03:04:05.000Z",
    "_links": {"self": "https://gitlab.acme.example/a/b/c/-/releases/v1.3.0"},
}


class Host:
    """Answers under some paths, 404 under all others. With `etag`, 304 where that is named."""

    def __init__(self, serve: Starts) -> None:
        self.answers: Hosts = {}
        self.etag = ""
        self.server: Server = serve(self._answer)

    def _answer(self, asked: Asked) -> Reply:
        if self.etag and asked.headers.get("if-none-match") == self.etag:
            return Reply(304)
        reply = self.answers.get(asked.path, as_json(404, message="Not Found"))
        if self.etag and reply.status == 200:
            return Reply(200, reply.body, {"ETag": self.etag})
        return reply

    @property
    def paths(self) -> list[str]:
        return [asked.path for asked in self.server.asked]


@pytest.fixture
def host(serve: Starts, db: None) -> Host:
    cache.clear()
    return Host(serve)


@pytest.fixture
def internet(host: Host, monkeypatch: pytest.MonkeyPatch) -> Host:
    """The same, as all hosts by plain http: the proxy that the environment names."""
    monkeypatch.setenv("http_proxy", f"http://{host.server.address}")
    monkeypatch.delenv("no_proxy", raising=False)
    return host


@pytest.fixture
def ours(host: Host) -> Host:
    """The same, as a GitHub server where the admin has an account."""
    rows.github_receiver()
    rows.tracked()
    api_url = f"http://{host.server.address}"
    HookAccount.objects.update(api_url=api_url)
    account = HookAccount.objects.get()
    account.credential = TOKEN
    account.save(update_fields=["credential"])
    return host


def offered(source: str, *, tag: str = "1.3.0", image: str = "ghcr.io/acme/api:1.2.0") -> Candidate:
    row = candidate(rows.service(image), tag=tag)
    row.image = Image.objects.create(digest=row.digest, source=source, read_at=NOW)
    row.save(update_fields=["image"])
    return row


def path_of(row: Candidate) -> str:
    service = Service.objects.get(pk=row.service_id)
    return f"/services/{service.stack_id}/{service.pk}/candidates/{row.pk}/notes"


def shown(client: Client, row: Candidate) -> str:
    answer = client.get(path_of(row))
    assert answer.status_code == 200
    return text_of(answer.content)


class TestHosts:
    def test_it_reads_githubs_with_the_accounts_token(self, viewer: Client, ours: Host) -> None:
        ours.answers["/repos/acme/api/releases/tags/v1.3.0"] = as_json(**github_release())
        row = offered(f"http://{ours.server.address}/acme/api")
        page = viewer.get(path_of(row)).content.decode()
        assert "1.3: the leak" in page
        assert "<h4>Fixed</h4>" in page
        assert 'href="https://acme.example/1" rel="noopener noreferrer nofollow"' in page
        assert f"http://{ours.server.address}/acme/api/releases/tag/v1.3.0" in page
        assert [asked.authorization for asked in ours.server.asked] == [f"Bearer {TOKEN}"]
        assert TOKEN not in page

    def test_it_goes_by_the_image_that_runs(self, viewer: Client, ours: Host) -> None:
        """An index was read, and not what is in it: that would have counted as a pull."""
        ours.answers["/repos/acme/api/releases/tags/v1.3.0"] = as_json(**github_release())
        row = candidate(rows.service("ghcr.io/acme/api:1.2.0", running=("sha256:1",)), tag="1.3.0")
        source = f"http://{ours.server.address}/acme/api"
        runs = Image.objects.create(digest="sha256:1", source=source, read_at=NOW)
        Service.objects.update(image=runs)
        assert "Fixed" in shown(viewer, row)

    def test_it_reads_gitlabs(self, viewer: Client, internet: Host) -> None:
        url = "http://gitlab.acme.example/api/v4/projects/a%2Fb%2Fc/releases/v1.3.0"
        internet.answers[url] = as_json(**GITLAB_RELEASE)
        row = offered("http://gitlab.acme.example/a/b/c.git")
        page = shown(viewer, row)
        assert "1.3: the leak published" in page
        assert "Fixed a leak, see the report" in page
        assert [asked.authorization for asked in internet.server.asked] == [""]

    def test_it_keeps_what_came_unencrypted_apart(self, viewer: Client, internet: Host) -> None:
        """Whoever stands on the way may have written it."""
        url = "http://gitlab.acme.example/api/v4/projects/a%2Fb%2Fc/releases/v1.3.0"
        internet.answers[url] = as_json(**GITLAB_RELEASE)
        row = offered("http://gitlab.acme.example/a/b/c")
        assert "Fixed" in shown(viewer, row)
        Image.objects.update(source="https://gitlab.acme.example/a/b/c")
        assert "Fixed" not in shown(viewer, row)

    @pytest.mark.parametrize("name", ["gitea", "forgejo"])
    def test_it_reads_giteas(self, viewer: Client, internet: Host, name: str) -> None:
        url = f"http://{name}.acme.example/api/v1/repos/acme/api/releases/tags/v1.3.0"
        internet.answers[url] = as_json(**github_release())
        assert "Fixed" in shown(viewer, offered(f"http://{name}.acme.example/acme/api"))

    def test_it_tries_the_version_without_its_letter(self, viewer: Client, ours: Host) -> None:
        ours.answers["/repos/acme/api/releases/tags/1.3.0"] = as_json(**github_release("1.3.0"))
        page = shown(viewer, offered(f"http://{ours.server.address}/acme/api"))
        assert "Fixed" in page
        names = [path.rpartition("/")[2] for path in ours.paths]
        assert names == ["v1.3.0", "1.3.0"]

    def test_it_goes_where_a_project_has_moved_to(self, viewer: Client, ours: Host) -> None:
        there = "/repositories/7/releases/tags/v1.3.0"
        ours.answers["/repos/acme/api/releases/tags/v1.3.0"] = Reply(
            301, headers={"Location": f"http://{ours.server.address}{there}"}
        )
        ours.answers[there] = as_json(**github_release())
        assert "Fixed" in shown(viewer, offered(f"http://{ours.server.address}/acme/api"))

    def test_it_takes_no_token_to_another_server(self, viewer: Client, ours: Host) -> None:
        location = f"http://{ours.server.other_name}/stolen"
        ours.answers["/repos/acme/api/releases/tags/v1.3.0"] = Reply(
            302, headers={"Location": location}
        )
        page = shown(viewer, offered(f"http://{ours.server.address}/acme/api"))
        assert "did not say what is in the release (302)" in page
        assert "/stolen" not in ours.paths

    def test_it_asks_as_nobody_where_the_token_has_ended(self, viewer: Client, ours: Host) -> None:
        def answer(asked: Asked) -> Reply:
            return as_json(401) if asked.authorization else as_json(**github_release())

        ours.server.answer = answer
        assert "Fixed" in shown(viewer, offered(f"http://{ours.server.address}/acme/api"))


class TestGuess:
    """Images of GitHub's registry need not say where they are made."""

    def test_it_takes_the_tracked_repository_of_the_same_name(self, viewer: Client) -> None:
        rows.github_receiver()
        rows.tracked("Acme/Api")
        url = "https://github.com/acme/api"
        kept = {"found": True, "body": "The leak", "fetched_at": timezone.now()}
        ReleaseNotes.objects.create(place="https://github.com/acme/api", tag="v1.3.0", **kept)
        row = offered("")
        assert "The leak" in shown(viewer, row)
        assert f"{url}/releases/tag/v1.3.0" in viewer.get(path_of(row)).content.decode()

    def test_it_guesses_nothing_else(self, viewer: Client) -> None:
        rows.github_receiver()
        rows.tracked("acme/other")
        assert "does not say where its source is" in shown(viewer, offered(""))


class TestTrouble:
    def test_it_says_what_was_looked_for(self, viewer: Client, ours: Host) -> None:
        page = shown(viewer, offered(f"http://{ours.server.address}/acme/api"))
        assert "acme/api has no release that is called v1.3.0, 1.3.0." in page
        assert "All releases of" in page

    def test_it_says_that_nobody_knows_the_version(self, viewer: Client, ours: Host) -> None:
        row = offered(f"http://{ours.server.address}/acme/api", tag="latest")
        assert "nobody knows which release it was" in shown(viewer, row)
        assert ours.paths == []

    def test_it_says_that_it_does_not_know_the_host(self, viewer: Client, host: Host) -> None:
        page = shown(viewer, offered(f"http://{host.server.address}/acme/api"))
        assert "does not know that 127.0.0.1" in page
        assert host.paths == []

    def test_it_calls_nobody_on_the_home_network(
        self, viewer: Client, host: Host, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A label is a stranger's word."""
        monkeypatch.setattr("socket.getaddrinfo", _home(host.server.port))
        page = shown(viewer, offered(f"http://gitea.acme.example:{host.server.port}/acme/api"))
        assert "is not on the Internet" in page
        assert host.paths == []

    @pytest.mark.parametrize(
        ("reply", "words"),
        [
            (as_json(403, message="API rate limit exceeded"), "it was asked too often (403)"),
            (Reply(429), "it was asked too often (429)"),
            (Reply(500), "did not say what is in the release (500)"),
            (Reply(200, b"<html>"), "did not answer as such a host does"),
            (Reply(200, b"[" * 100_000), "did not answer as such a host does"),
            (Reply(200, b"[]"), "did not answer as such a host does"),
            (Reply(200, b'{"body": "' + b"a" * 1024 * 1024 + b'"}'), "too long"),
        ],
    )
    def test_it_says_why_there_are_none(
        self, viewer: Client, ours: Host, reply: Reply, words: str
    ) -> None:
        ours.answers["/repos/acme/api/releases/tags/v1.3.0"] = reply
        row = offered(f"http://{ours.server.address}/acme/api")
        assert words in shown(viewer, row)
        service = row.service_id
        told = viewer.get(f"/api/services/{service}/candidates/{row.pk}/notes").json()
        assert words in told["error"]
        assert told["text"] is None

    @pytest.mark.parametrize(
        "changed",
        [
            {"name": None, "body": None, "published_at": None},
            {"name": ["x"], "body": {"a": 1}, "published_at": 7},
            {"name": "a\0b", "body": "a\0b \ud800", "published_at": "9999-12-31T23:59:59-23:59"},
            {"name": "n" * 5000, "body": "b" * 100_000, "published_at": "soon"},
        ],
    )
    def test_it_takes_whatever_a_release_says(
        self, viewer: Client, ours: Host, changed: dict[str, Any]
    ) -> None:
        path = "/repos/acme/api/releases/tags/v1.3.0"
        ours.answers[path] = as_json(**github_release(**changed))
        shown(viewer, offered(f"http://{ours.server.address}/acme/api"))
        kept = ReleaseNotes.objects.get()
        assert kept.found
        assert len(kept.body) <= ReleaseNotes.MAX_BODY

    def test_it_waits_for_no_endless_answer(
        self, viewer: Client, ours: Host, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("checks.releases.asking.LONGEST_BODY", -10.0)
        ours.answers["/repos/acme/api/releases/tags/v1.3.0"] = as_json(**github_release())
        page = shown(viewer, offered(f"http://{ours.server.address}/acme/api"))
        assert "did not answer within" in page

    def test_it_lets_no_stranger_write_on_the_page(self, viewer: Client, ours: Host) -> None:
        evil = github_release(name="<script>a</script>", body="<script>b</script>")
        ours.answers["/repos/acme/api/releases/tags/v1.3.0"] = as_json(**evil)
        row = offered(f"http://{ours.server.address}/acme/api")
        page = viewer.get(path_of(row)).content.decode()
        assert "&lt;script&gt;a" in page
        assert "&lt;script&gt;b" in page
        assert "<script>a" not in page
        assert "<script>b" not in page


class TestMemory:
    def test_it_asks_no_sooner_than_after_ten_minutes(self, viewer: Client, ours: Host) -> None:
        ours.answers["/repos/acme/api/releases/tags/v1.3.0"] = as_json(**github_release())
        row = offered(f"http://{ours.server.address}/acme/api")
        with time_machine.travel(NOW):
            shown(viewer, row)
        with time_machine.travel(NOW + timedelta(minutes=9)):
            shown(viewer, row)
        assert len(ours.paths) == 1
        with time_machine.travel(NOW + timedelta(minutes=11)):
            shown(viewer, row)
        assert len(ours.paths) == 2

    def test_it_asks_whether_it_changed(self, viewer: Client, ours: Host) -> None:
        ours.etag = '"abc"'
        ours.answers["/repos/acme/api/releases/tags/v1.3.0"] = as_json(**github_release())
        row = offered(f"http://{ours.server.address}/acme/api")
        with time_machine.travel(NOW):
            shown(viewer, row)
        with time_machine.travel(NOW + timedelta(hours=1)):
            assert "Fixed" in shown(viewer, row)
        assert ours.server.asked[-1].headers["if-none-match"] == '"abc"'
        assert ReleaseNotes.objects.get().fetched_at > NOW

    def test_it_shows_what_it_knows_where_the_host_is_silent(
        self, viewer: Client, ours: Host
    ) -> None:
        path = "/repos/acme/api/releases/tags/v1.3.0"
        ours.answers[path] = as_json(**github_release())
        row = offered(f"http://{ours.server.address}/acme/api")
        with time_machine.travel(NOW):
            shown(viewer, row)
        ours.answers[path] = Reply(503)
        with time_machine.travel(NOW + timedelta(hours=1, minutes=1)):
            page = shown(viewer, row)
        assert "(503)" in page
        assert "This was read 1 hour ago" in page
        assert "Fixed" in page


class TestDoors:
    def test_it_gives_htmx_what_stands_on_the_page(self, viewer: Client, ours: Host) -> None:
        ours.answers["/repos/acme/api/releases/tags/v1.3.0"] = as_json(**github_release())
        row = offered(f"http://{ours.server.address}/acme/api")
        part = viewer.get(path_of(row), headers={"HX-Request": "true"}).content.decode()
        assert "Fixed" in part
        assert "<html" not in part

    def test_it_is_in_the_api(self, viewer: Client, ours: Host) -> None:
        ours.answers["/repos/acme/api/releases/tags/v1.3.0"] = as_json(**github_release())
        row = offered(f"http://{ours.server.address}/acme/api")
        told = viewer.get(f"/api/services/{row.service_id}/candidates/{row.pk}/notes").json()
        assert told.pop("fetchedAt").endswith("Z")
        place = f"{ours.server.address}/acme/api"
        assert told == {
            "project": place,
            "url": f"http://{place}/releases/tag/v1.3.0",
            "tag": "v1.3.0",
            "name": "1.3: the leak",
            "text": BODY,
            "publishedAt": "2026-01-02T03:04:05Z",
            "error": None,
        }

    def test_it_is_of_its_own_service_alone(self, viewer: Client) -> None:
        row = offered("")
        other = rows.service(name="web")
        path = f"/services/{other.stack_id}/{other.pk}/candidates/{row.pk}/notes"
        assert viewer.get(path).status_code == 404
        api = f"/api/services/{other.pk}/candidates/{row.pk}/notes"
        assert viewer.get(api).status_code == 404

    def test_it_asks_the_database_a_few_times(self, viewer: Client, ours: Host) -> None:
        ours.answers["/repos/acme/api/releases/tags/v1.3.0"] = as_json(**github_release())
        row = offered(f"http://{ours.server.address}/acme/api")
        shown(viewer, row)
        with CaptureQueriesContext(connection) as captured:
            shown(viewer, row)
        assert len(captured) <= 8

    def test_it_offers_none_where_nobody_could_know_any(self, viewer: Client) -> None:
        row = offered("", image="nginx:1.2.0")
        service = Service.objects.get(pk=row.service_id)
        for path in ("", "/history"):
            page = viewer.get(f"/services/{service.stack_id}/{service.pk}{path}").content.decode()
            assert "Release notes" not in page

    def test_it_asks_no_host_in_a_check_or_on_the_services_page(
        self, viewer: Client, ours: Host
    ) -> None:
        row = offered(f"http://{ours.server.address}/acme/api")
        service = Service.objects.get(pk=row.service_id)
        page = viewer.get(f"/services/{service.stack_id}/{service.pk}").content.decode()
        assert f'href="{path_of(row)}"' in page
        assert f"http://{ours.server.address}/acme/api" in page
        assert ours.paths == []


def _home(port: int) -> Any:
    """Every name stands for this machine."""
    found = [(2, 1, 6, "", ("127.0.0.1", port))]
    return lambda *args, **kwargs: found
