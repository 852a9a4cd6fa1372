"""Notification channels, as a program sets them."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest
from django.utils import timezone

from dockrev.fields import HIDDEN, MASK
from notifications import announce, trying
from notifications.models import Channel
from tests.people import Program, error_of

CHANNELS = "/api/notifications/channels"
URL = "https://hooks.example/services/T00/B00/secret-part"
NEW = {"kind": "webhook", "name": "Chat", "config": {"url": URL, "secret": "shared secret"}}


class Sink(BaseHTTPRequestHandler):
    """Answers as its path says, and keeps what came."""

    seen: list[tuple[str, bytes]] = []

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.seen.append((self.headers["X-Dockrev-Event"], body))
        self.send_response(int(self.path.strip("/")))
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """Nothing: the test's own assertions say what went wrong."""


@pytest.fixture
def sink() -> Iterator[str]:
    server = HTTPServer(("127.0.0.1", 0), Sink)
    Sink.seen = []
    poll = {"poll_interval": 0.02}
    thread = threading.Thread(target=server.serve_forever, kwargs=poll, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def _made(admin: Program, **given: Any) -> dict[str, Any]:
    response = admin.post(CHANNELS, {**NEW, **given})
    assert response.status_code == 201, response.content
    result: dict[str, Any] = response.json()
    return result


def test_it_makes_a_channel_and_hides_its_secrets(admin: Program) -> None:
    made = _made(admin, config={"url": URL, "secret": "shared secret", "headers": {"X-Key": "k"}})
    assert made["config"] == {
        "url": f"https://hooks.example/{MASK}",
        "secret": MASK,
        "headers": {"X-Key": MASK},
    }
    assert (made["enabled"], made["stackIds"]) == (True, [])
    assert made["events"] == [kind for kind in announce.EVENTS if kind != announce.DIGEST]
    row = Channel.objects.get()
    assert row.settings == {"url": URL, "secret": "shared secret", "headers": {"X-Key": "k"}}
    assert admin.get(CHANNELS).json()["channels"] == [made]
    assert admin.get(f"{CHANNELS}/{made['id']}").json() == made


def test_it_keeps_what_comes_back_masked(admin: Program) -> None:
    made = _made(admin, config={**NEW["config"], "headers": {"X-Key": "k", "X-Old": "o"}})  # type: ignore[dict-item]  # a dict
    config = {**made["config"], "headers": {"X-Key": MASK, "X-New": "n"}}
    path = f"{CHANNELS}/{made['id']}"
    assert admin.patch(path, {"name": "Room", "config": config}).status_code == 200
    assert Channel.objects.get().settings == {
        "url": URL,
        "secret": "shared secret",
        "headers": {"X-Key": "k", "X-New": "n"},
    }
    assert admin.patch(path, {"config": {"secret": ""}}).status_code == 200
    assert Channel.objects.get().settings["secret"] == "shared secret"
    assert "secret" not in admin.patch(path, {"config": {"secret": None}}).json()["config"]
    assert "secret" not in Channel.objects.get().settings


def test_it_leaves_the_events_of_a_channel_as_they_were_chosen(admin: Program) -> None:
    made = _made(admin, events=["new_version_discovered"])
    path = f"{CHANNELS}/{made['id']}"
    assert admin.patch(path, {"name": "Room"}).json()["events"] == ["new_version_discovered"]
    changed = admin.patch(path, {"events": ["ghcr_webhook_anomaly", "ghcr_webhook_anomaly"]})
    assert changed.json()["events"] == ["ghcr_webhook_anomaly"]
    assert admin.patch(path, {"events": []}).json()["events"] == []


class TestAnotherServer:
    """A secret is for one server: who points a channel elsewhere gives it again."""

    HEADERS = {"Authorization": "Bearer of this server"}

    @pytest.fixture
    def path(self, admin: Program) -> str:
        config = {"url": URL, "secret": "shared secret", "headers": self.HEADERS}
        return f"{CHANNELS}/{_made(admin, config=config)['id']}"

    @pytest.mark.parametrize(
        "url",
        ["https://other.example/", "http://hooks.example/", "https://hooks.example:8443/services"],
    )
    @pytest.mark.parametrize("secret", [{}, {"secret": ""}, {"secret": MASK}])
    def test_it_asks_for_the_secret_again(
        self, admin: Program, path: str, url: str, secret: dict[str, str]
    ) -> None:
        given = {"url": url, "headers": None, **secret}
        error = error_of(admin.patch(path, {"config": given}), 400, "invalid_argument")
        assert error["details"]["field"] == "config.secret"
        assert Channel.objects.get().settings["url"] == URL

    @pytest.mark.parametrize("headers", [{}, {"headers": {"Authorization": MASK, "X": "new"}}])
    def test_it_asks_for_headers_again(
        self, admin: Program, path: str, headers: dict[str, Any]
    ) -> None:
        given = {"url": "https://other.example/", "secret": "another", **headers}
        error = error_of(admin.patch(path, {"config": given}), 400, "invalid_argument")
        assert error["details"]["field"] == "config.headers"

    def test_it_takes_both_anew_or_neither(self, admin: Program, path: str) -> None:
        other = {"url": "https://other.example/", "secret": "another", "headers": {"X-Key": "k"}}
        assert admin.patch(path, {"config": other}).status_code == 200
        assert Channel.objects.get().settings == other
        third: dict[str, Any] = {"url": "https://third.example/", "secret": None, "headers": {}}
        assert admin.patch(path, {"config": third}).status_code == 200
        assert Channel.objects.get().settings == {"url": "https://third.example/"}

    @pytest.mark.parametrize(
        "url", ["https://hooks.example/services/new", "https://HOOKS.example:443/services/new"]
    )
    def test_it_keeps_them_on_the_same_server(self, admin: Program, path: str, url: str) -> None:
        assert admin.patch(path, {"config": {"url": url}}).status_code == 200
        kept = Channel.objects.get().settings
        assert (kept["secret"], kept["headers"]) == ("shared secret", self.HEADERS)


def test_it_shows_a_url_that_holds_nothing(admin: Program) -> None:
    for url in ("https://hooks.example", "https://hooks.example/"):
        assert _made(admin, config={"url": url})["config"]["url"] == url
    for url in ("https://ada:pw@hooks.example", "https://hooks.example/?key=k"):
        shown = _made(admin, config={"url": url})["config"]["url"]
        assert shown == f"https://hooks.example/{MASK}"


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"kind": "pigeon"}, "kind"),
        ({"name": ""}, "name"),
        ({"name": "a" * 101}, "name"),
        ({"events": ["nothing"]}, "events.0"),
        ({"events": "all"}, "events"),
        ({"stackIds": ["a" * 33]}, "stackIds.0"),
        ({"stackIds": ["stk"] * 1001}, "stackIds"),
        ({"config": {}}, "config.url"),
        ({"config": []}, "config"),
        ({"config": {"url": "file:///etc/passwd"}}, "config.url"),
        ({"config": {"url": ["https://a.example"]}}, "config.url"),
        ({"config": {"url": f"https://hooks.example/{MASK}"}}, "config.url"),
        ({"config": {"url": URL, "colour": "red"}}, "config.colour"),
        ({"config": {"url": URL, "secret": "a" * 501}}, "config.secret"),
        ({"config": {"url": URL, "headers": ["X"]}}, "config.headers"),
        ({"config": {"url": URL, "headers": {"X-Key": "a\r\nHost: b"}}}, "config.headers"),
        ({"config": {"url": URL, "headers": {"X Key": "a"}}}, "config.headers"),
        ({"config": {"url": URL, "headers": {"X-Key": 5}}}, "config.headers"),
    ],
)
def test_it_makes_no_channel_that_is_wrong(
    admin: Program, given: dict[str, Any], field: str
) -> None:
    error = error_of(admin.post(CHANNELS, {**NEW, **given}), 400, "invalid_argument")
    assert error["details"]["field"] == field
    assert not Channel.objects.exists()


def test_it_switches_on_again_without_the_old_reason(admin: Program) -> None:
    made = _made(admin)
    Channel.objects.update(enabled=False, disabled_reason="It answered 410 Gone.")
    assert admin.patch(f"{CHANNELS}/{made['id']}", {"name": "x"}).json()["disabledReason"]
    again = admin.patch(f"{CHANNELS}/{made['id']}", {"enabled": True}).json()
    assert (again["enabled"], again["disabledReason"]) == (True, None)


def test_it_removes_a_channel(admin: Program) -> None:
    made = _made(admin)
    assert admin.delete(f"{CHANNELS}/{made['id']}").status_code == 204
    error_of(admin.get(f"{CHANNELS}/{made['id']}"), 404, "not_found")


def test_it_tries_a_channel_and_says_what_was_answered(admin: Program, sink: str) -> None:
    for status, ok in ((204, True), (500, False)):
        made = _made(admin, config={"url": f"{sink}/{status}"})
        tried = admin.post(f"{CHANNELS}/{made['id']}/test").json()
        assert (tried["ok"], tried["status"]) == (ok, status)
        assert bool(tried["error"]) is not ok
    assert [event for event, _body in Sink.seen] == ["notification_test"] * 2


class TestSeveral:
    def ids(self, admin: Program) -> list[str]:
        return [_made(admin, name=name)["id"] for name in ("One", "Two", "Three")]

    def test_it_switches_and_deletes_several(self, admin: Program) -> None:
        one, two, three = self.ids(admin)
        bulk = f"{CHANNELS}/bulk"
        off = admin.post(bulk, {"ids": [one, two, "chn_nobody"], "action": "disable"})
        assert off.json() == {"changed": 2}
        tomorrow = timezone.now() + timedelta(days=1)
        Channel.objects.filter(pk=one).update(
            disabled_reason="It answered 410 Gone.", paused_until=tomorrow
        )
        assert admin.post(bulk, {"ids": [one], "action": "enable"}).json() == {"changed": 1}
        known = {each["id"]: each for each in admin.get(CHANNELS).json()["channels"]}
        assert [known[each]["enabled"] for each in (one, two, three)] == [True, False, True]
        assert (known[one]["disabledReason"], known[one]["restsUntil"]) == (None, None)
        assert admin.post(bulk, {"ids": [one, two], "action": "delete"}).json() == {"changed": 2}
        assert Channel.objects.get().pk == three

    @pytest.mark.parametrize(
        ("given", "field"),
        [
            ({"ids": [], "action": "enable"}, "ids"),
            ({"ids": "all", "action": "enable"}, "ids"),
            ({"ids": ["a" * 33], "action": "enable"}, "ids.0"),
            ({"ids": ["chn"] * 201, "action": "enable"}, "ids"),
            ({"ids": ["chn"], "action": "burn"}, "action"),
        ],
    )
    def test_it_refuses_what_it_does_not_know(
        self, admin: Program, given: dict[str, Any], field: str
    ) -> None:
        error = error_of(admin.post(f"{CHANNELS}/bulk", given), 400, "invalid_argument")
        assert error["details"]["field"] == field


def test_it_keeps_a_language(admin: Program) -> None:
    made = _made(admin, language="en")
    path = f"{CHANNELS}/{made['id']}"
    assert made["language"] == "en"
    assert admin.patch(path, {"name": "x"}).json()["language"] == "en"
    assert admin.patch(path, {"language": None}).json()["language"] is None
    error = error_of(admin.patch(path, {"language": "tlh"}), 400, "invalid_argument")
    assert error["details"]["field"] == "language"


class TestExamples:
    def test_it_has_one_of_every_kind_that_never_changes(self, admin: Program) -> None:
        first, again = (admin.get("/api/notifications/examples").json() for _time in range(2))
        assert first == again
        assert [each["kind"] for each in first["examples"]] == list(announce.EVENTS)
        for each in first["examples"]:
            assert each["payload"]["kind"] == each["kind"]
            assert each["payload"]["debug"]["source"] == "example"
            assert each["headers"]["X-Dockrev-Event"] == each["kind"]
            assert each["headers"]["X-Dockrev-Signature-256"] == f"sha256={HIDDEN}"
            assert admin.get(f"/api/notifications/examples/{each['kind']}").json() == each
        error_of(admin.get("/api/notifications/examples/nothing"), 404, "not_found")

    def test_it_sends_one_as_a_test(self, admin: Program, sink: str) -> None:
        made = _made(admin, config={"url": f"{sink}/204"})
        path = f"{CHANNELS}/{made['id']}/test"
        tried = admin.post(path, {"kind": announce.ANOMALY}).json()
        assert (tried["kind"], tried["ok"], tried["status"]) == (announce.ANOMALY, True, 204)
        assert tried["durationMs"] >= 0
        [(event, body)] = Sink.seen
        assert event == announce.ANOMALY
        assert json.loads(body)["debug"]["source"] == "example"
        error_of(admin.post(path, {"kind": "nothing"}), 400, "invalid_argument")

    def test_it_tries_a_channel_a_few_times_a_minute(self, admin: Program, sink: str) -> None:
        path = f"{CHANNELS}/{_made(admin, config={'url': f'{sink}/204'})['id']}/test"
        for _one in range(trying.MOST):
            assert admin.post(path).status_code == 200
        refused = admin.post(path)
        error_of(refused, 429, "rate_limited")
        assert int(refused["Retry-After"]) > 0
        assert len(Sink.seen) == trying.MOST


def test_it_refuses_halves_of_characters_where_its_words_repeat_them(
    admin: Program, sink: str
) -> None:
    path = f"{CHANNELS}/{_made(admin, config={'url': f'{sink}/204'})['id']}"
    half = "\ud800"
    for answer in (
        admin.post(CHANNELS, {**NEW, "kind": half}),
        admin.patch(path, {"events": [half]}),
        admin.post(f"{path}/test", {"kind": half}),
        admin.post(f"{CHANNELS}/bulk", {"ids": ["x"], "action": half}),
    ):
        error_of(answer, 400, "invalid_argument")
    assert not Sink.seen
