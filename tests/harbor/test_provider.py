"""Who is asked for at a Harbor, and what it offers."""

from __future__ import annotations

from pathlib import Path

import pytest

from integrations.hooks.errors import RateLimited, Unavailable
from integrations.hooks.harbor import Harbor
from integrations.hooks.provider import Access, BadTarget, Standing
from tests.fake_harbor.server import FakeHarbor
from tests.harbor.conftest import ROBOT, TOKEN
from tests.servers import Asked, Reply, Starts


def ignore(done: int, total: int) -> None:
    """Nobody watches."""


def opened(url: str, user: str = ROBOT, token: str = TOKEN, authorities: str = "") -> Harbor:
    return Harbor(Access(url, token, user, authorities))


class TestTheCredential:
    def test_it_knows_a_robot(self, harbor: FakeHarbor) -> None:
        report = opened(harbor.url).try_credential()
        assert (report.state, report.login, report.kind) == (Standing.OK, ROBOT, "robot")

    def test_it_knows_a_user(self, harbor: FakeHarbor) -> None:
        harbor.add_person("ada", "pw")
        report = opened(harbor.url, "ada", "pw").try_credential()
        assert (report.state, report.login, report.kind) == (Standing.OK, "ada", "")

    def test_it_says_that_a_secret_is_wrong(self, harbor: FakeHarbor) -> None:
        report = opened(harbor.url, token="wrong").try_credential()
        assert report.state == Standing.INVALID
        assert "does not accept" in report.text and "wrong" not in report.text

    def test_it_says_that_nothing_answers(self) -> None:
        assert opened("http://127.0.0.1:9").try_credential().state == Standing.UNTRIED

    @pytest.mark.parametrize(
        "reply",
        [
            Reply(200, b"<html>sign in</html>"),
            Reply(200, b"{}"),
            Reply(200, b"[]"),
            Reply(200, b'"' + b"x" * 9_000_000 + b'"'),
        ],
    )
    def test_it_takes_no_nonsense(self, serve: Starts, reply: Reply) -> None:
        server = serve(lambda asked: reply)
        assert opened(f"http://{server.address}").try_credential().state == Standing.UNTRIED

    def test_it_trusts_the_ca_that_was_given(
        self, serve: Starts, certificate: tuple[Path, Path]
    ) -> None:
        server = serve(lambda asked: Reply(200, b'{"username": "ada"}'))
        server.speak_tls(*certificate)
        url = f"https://{server.address}"
        assert opened(url).try_credential().state == Standing.UNTRIED
        trusting = opened(url, authorities=certificate[0].read_text())
        assert trusting.try_credential().state == Standing.OK

    def test_it_may_be_given_with_the_path_of_the_api(self, harbor: FakeHarbor) -> None:
        assert opened(f"{harbor.url}/api/v2.0/").try_credential().state == Standing.OK

    def test_it_goes_to_no_other_server(self, serve: Starts) -> None:
        other = serve(lambda asked: Reply(200, b"[]"))
        link = {"Link": f'<http://{other.address}/api/v2.0/projects?page=2>; rel="next"'}
        server = serve(lambda asked: Reply(200, b"[]", dict(link)))
        with pytest.raises(Unavailable):
            opened(f"http://{server.address}").possible("", ignore)
        assert other.asked == []


class TestProjects:
    def test_it_lists_all_pages(self, harbor: FakeHarbor) -> None:
        for number in range(205):
            harbor.add_project(f"p{number:03}", public=number % 2 == 0)
        owned = opened(harbor.url).possible("", ignore)
        assert len(owned.repositories) == 205 and owned.warnings == ()
        first, second, *_rest = owned.repositories
        assert (first.full_name, first.visibility) == ("p000", "public")
        assert (second.full_name, second.visibility) == ("p001", "private")

    def test_it_searches(self, harbor: FakeHarbor) -> None:
        harbor.add_project("library")
        harbor.add_project("other")
        owned = opened(harbor.url).possible("lib", ignore)
        assert [each.full_name for each in owned.repositories] == ["library"]

    @pytest.mark.parametrize(
        ("typed", "name"),
        [
            ("library", "library"),
            (" Library/ ", "library"),
            ("https://harbor.example/library", "library"),
            ("harbor.example/my-team.apps", "my-team.apps"),
        ],
    )
    def test_it_reads_what_is_typed(self, typed: str, name: str) -> None:
        assert Harbor.read_target(typed, "https://harbor.example") == name

    @pytest.mark.parametrize(
        "typed",
        [
            "",
            "a b",
            "library/nginx",
            "../x",
            "é",
            "a" * 256,
            "user:pw@host/x",
            "-a",
            "https://library",
        ],
    )
    def test_it_takes_no_name_that_is_none(self, typed: str) -> None:
        with pytest.raises(BadTarget):
            Harbor.read_target(typed, "https://harbor.example")

    def test_it_rests_when_it_is_told_to(self, harbor: FakeHarbor) -> None:
        harbor.fail("GET", "/projects", 429)
        provider = opened(harbor.url)
        for _attempt in range(2):
            with pytest.raises(RateLimited):
                provider.possible("", ignore)
        assert harbor.requests == [("GET", "/projects")]


class TestAnswersThatMakeNoSense:
    @pytest.mark.parametrize(
        "policy",
        [
            b'[{"id": true, "targets": [{"type": "http", "address": "https://x.example"}]}]',
            b'[{"id": "../7", "targets": [{"type": "http", "address": "https://x.example"}]}]',
            b'[{"id": 7, "targets": [7]}]',
            b'{"id": 7}',
            b"[null]",
        ],
    )
    def test_they_are_no_policies(self, serve: Starts, policy: bytes) -> None:
        def answer(asked: Asked) -> Reply:
            events = b'{"event_type": ["PUSH_ARTIFACT"]}'
            return Reply(200, events if asked.path.endswith("/events") else policy)

        server = serve(answer)
        with pytest.raises(Unavailable):
            opened(f"http://{server.address}").hooks("library")

    def test_of_a_policy_that_says_little_it_keeps_what_there_is(self, serve: Starts) -> None:
        def answer(asked: Asked) -> Reply:
            if asked.path.endswith("/events"):
                return Reply(200, b'{"event_type": ["PUSH_ARTIFACT", 7, null]}')
            return Reply(200, b'[{"id": 7, "targets": [{"type": "http"}], "event_types": {}}]')

        server = serve(answer)
        [hook] = opened(f"http://{server.address}").hooks("library").items
        assert (hook.url, hook.active, hook.events) == ("", False, ())
