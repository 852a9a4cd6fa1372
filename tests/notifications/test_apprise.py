"""The Apprise channel: the library really sends, to servers on loopback."""

from __future__ import annotations

import ast
import json
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from html.parser import HTMLParser
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import requests
from django.core.exceptions import ValidationError
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from notifications import configuration, trying
from notifications.announce import NEW_VERSION
from notifications.channels import apprise_schemes, supervised
from notifications.channels.apprise import Apprise
from notifications.channels.base import SendError
from notifications.models import Channel, Notification
from tests.notifications.chat import URL, message
from tests.notifications.test_outbox import send_all, tell
from tests.servers import Asked, Reply, Server, as_json
from tests.sink import Sink, sink

TAKEN = Reply(200, b"{}")


@pytest.fixture
def place() -> Iterator[Sink]:
    with sink() as place:
        place.url = place.url.removeprefix("http://").partition("/")[0]
        yield place


@contextmanager
def serving(answer: Callable[[Asked], Reply | None]) -> Iterator[Server]:
    server = Server(answer)
    with server.running():
        yield server


def send(to: str, *args: Any, **given: Any) -> int | None:
    return Apprise({"url": to}).send(message(*args, **given))


def refusal(url: str) -> SendError:
    with pytest.raises(SendError) as caught:
        send(url)
    return caught.value


def cleaned(url: object, stored: dict[str, Any] | None = None) -> dict[str, Any]:
    return configuration.cleaned("apprise", {"url": url}, stored or {})


def wrong(url: object) -> str:
    with pytest.raises(ValidationError) as caught:
        cleaned(url)
    return str(caught.value.message_dict["url"][0])


class TestSending:
    def test_it_sends_json(self, place: Sink) -> None:
        place.answers = [200]
        assert send(f"json://{place.url}/token", "A & B", "<b>one</b>\ntwo", log=["x"]) == 200
        sent = place.received[0].json
        assert sent["title"] == "A & B"
        assert sent["message"] == f"<b>one</b>\ntwo\nx\n{URL}"
        assert sent["type"] == "info"

    def test_it_sends_to_ntfy(self, place: Sink) -> None:
        place.answers = [200]
        send(f"ntfy://{place.url}/news")
        sent = place.received[0].json
        assert (sent["topic"], sent["title"]) == ("news", "A title")
        assert sent["message"] == f"A line.\n{URL}"

    def test_it_sends_html_where_that_is_wanted(self, place: Sink) -> None:
        place.answers = [200]
        send(f"json://{place.url}/?format=html", "</a><b>", "</p><script>\ntwo", log=["<l>"])
        sent = place.received[0].json
        assert sent["title"] == "</a><b>"
        assert sent["message"] == (
            "<p>&lt;/p&gt;&lt;script&gt;<br/>two</p><pre>&lt;l&gt;</pre>"
            f'<p><a href="{URL}">{URL}</a></p>'
        )

    def test_it_sends_markdown_where_nothing_else_is_taken(self, place: Sink) -> None:
        place.answers = [200]
        to = f"rocket://{'a' * 24}%2F{'b' * 43}@{place.url}/"
        send(to, "*2* [x](y)", "shop / my_api: *1*\n1. <b>", log=["```", "_x_"])
        assert place.received[0].json["text"] == (
            "# \\*2\\* \\[x\\](y)\nshop / my_api: \\*1\\*  \n1\\. \\<b\\>"
            "\n\n```\n~~~\n_x_\n```\n\n".replace("~", "'")
            + URL
        )

    def test_it_puts_the_title_into_the_text_of_services_without_titles(self, place: Sink) -> None:
        place.answers = [200]
        send(f"mmost://{place.url}/abcdefabcdefabcdef", "A title", "A line.", url="/queue")
        assert place.received[0].json["text"].split() == ["A", "title", "A", "line."]

    @pytest.mark.parametrize(
        ("kind", "status", "urgent", "expected"),
        [
            ("job_finished", "success", False, "success"),
            ("job_finished", "failed", True, "failure"),
            ("job_finished", "rolled_back", False, "failure"),
            ("receiver_silent", "", True, "warning"),
            (NEW_VERSION, "", False, "info"),
        ],
    )
    def test_it_says_how_bad_it_is(
        self, place: Sink, kind: str, status: str, urgent: bool, expected: str
    ) -> None:
        place.answers = [200]
        said = message(kind=kind, urgent=urgent, job={"status": status})
        Apprise({"url": f"json://{place.url}/"}).send(said)
        assert place.received[0].json["type"] == expected

    def test_it_calls_nobody(self, place: Sink) -> None:
        """What an image says of itself is in the text."""
        place.answers = [200]
        send(f"json://{place.url}/", "@everyone", "<!channel> <@U1> @here @**all** me@all.example")
        sent = place.received[0].json
        assert sent["title"] == "@\u200beveryone"
        shown = "<\u200b!channel> <\u200b@U1> @\u200bhere @\u200b**all** me@\u200ball.example"
        assert sent["message"].startswith(shown)

    def test_it_sends_neither_control_characters_nor_a_megabyte(self, place: Sink) -> None:
        place.answers = [200]
        send(f"ntfy://{place.url}/news", "a\x00\x1b[31mb\nc", "\x1b]0;t\x07x" * 200_000)
        sent = place.received[0].json
        assert sent["title"] == "ab c"
        assert set(sent["message"].partition("…")[0]) == {"x"}
        assert sent["message"].endswith(URL)
        assert 7000 < len(sent["message"]) <= 7800
        assert len(place.received) == 1

    def test_it_splits_nothing_into_many(self, place: Sink) -> None:
        place.answers = [200]
        send(f"json://{place.url}/?overflow=split", text="x" * 200_000)
        assert len(place.received) == 1

    @settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50)
    @given(title=st.text(max_size=300), text=st.text(max_size=9000), log=st.text(max_size=9000))
    def test_it_sends_html_that_is_whole_whatever_it_says(
        self, place: Sink, title: str, text: str, log: str
    ) -> None:
        place.answers, place.received[:] = [200], []
        send(f"json://{place.url}/?format=html", title, text, log=[log])
        checker = _Balanced()
        checker.feed(place.received[0].json["message"])
        assert checker.open == []


class _Balanced(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: object) -> None:
        if tag != "br":
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag != "br":
            assert self.open.pop() == tag


class TestTrouble:
    @pytest.mark.parametrize("status", [408, 425, 429, 500, 503])
    def test_it_tries_again_what_may_pass(self, place: Sink, status: int) -> None:
        place.answers = [status]
        error = refusal(f"json://{place.url}/secret-path")
        assert (error.final, error.status) == (False, status)
        assert str(error) == f"JSON answered {status}."

    @pytest.mark.parametrize("status", [400, 401, 403, 404, 422])
    def test_it_gives_up_what_stays_wrong(self, place: Sink, status: int) -> None:
        place.answers = [status]
        error = refusal(f"json://{place.url}/secret-path")
        assert (error.final, error.gone, error.status) == (True, False, status)

    def test_it_says_that_an_address_is_gone(self, place: Sink) -> None:
        place.answers = [410]
        assert refusal(f"json://{place.url}/").gone

    def test_it_comes_again_when_it_is_told_to(self) -> None:
        with serving(lambda asked: Reply(429, headers={"Retry-After": "77"})) as server:
            error = refusal(f"json://{server.address}/")
        assert error.retry_after == timedelta(seconds=77)

    @pytest.mark.parametrize("wanted", ["", "?redirect=yes"])
    def test_it_follows_no_redirect(self, place: Sink, wanted: str) -> None:
        target = {"Location": f"http://{place.url}/elsewhere"}
        with serving(lambda asked: Reply(307, headers=target)) as server:
            error = refusal(f"json://{server.address}/{wanted}")
        assert (error.final, error.status) == (True, 307)
        assert not place.received
        assert "redirect" in str(error)

    def test_it_follows_none_though_a_plugin_asks_for_it(self, place: Sink) -> None:
        target = {"Location": f"http://{place.url}/elsewhere"}
        with (
            serving(lambda asked: Reply(307, headers=target)) as server,
            supervised.conversation() as held,
        ):
            answer = requests.post(f"http://{server.address}/", timeout=5, allow_redirects=True)
        assert (answer.status_code, answer.history) == (307, [])
        assert held.refused is not None
        assert not place.received

    def test_it_says_who_did_not_answer(self) -> None:
        error = refusal("json://127.0.0.1:9/secret-path")
        assert not error.final
        assert str(error) == "127.0.0.1:9 refused the connection."

    @pytest.mark.parametrize("host", ["169.254.169.254", "[fd00:ec2::254]", "100.100.100.200"])
    def test_it_asks_no_cloud_for_its_secrets(self, host: str) -> None:
        assert "never calls" in str(refusal(f"json://{host}/latest"))

    def test_it_asks_only_global_addresses_where_that_is_set(
        self, place: Sink, settings: Any
    ) -> None:
        settings.PUBLIC_TARGETS_ONLY = True
        assert "not on the Internet" in str(refusal(f"json://{place.url}/"))
        assert not place.received

    def test_it_reads_no_answer_without_end(self) -> None:
        endless = Reply(200, b"x" * 65536, length=None)
        with serving(lambda asked: endless) as server:
            assert send(f"json://{server.address}/") == 200

    def test_it_ends_when_the_time_is_over(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """However long a URL says that it may take."""
        monkeypatch.setattr(supervised, "LONGEST", 0.3)
        with serving(lambda asked: None) as server:
            error = refusal(f"json://{server.address}/?rto=3600&cto=3600&retry=5&wait=60")
            assert len(server.asked) == 1
            server.over.set()
        assert not error.final

    def test_it_asks_only_so_often(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(supervised, "MAX_REQUESTS", 3)
        topics = "/".join(f"t{number}" for number in range(9))
        with serving(lambda asked: TAKEN) as server:
            refusal(f"ntfy://{server.address}/{topics}")
            assert len(server.asked) == 3

    def test_it_waits_for_nobody_between_its_requests(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The library would sleep five seconds before each."""

        def sleep(seconds: float) -> None:
            raise AssertionError

        monkeypatch.setattr("time.sleep", sleep)
        answers = [Reply(200, b"{}"), Reply(200, b"{}"), Reply(200, b"{}")]
        with serving(lambda asked: answers.pop()) as server:
            assert send(f"ntfy://{server.address}/a/b/c") == 200
            assert len(server.asked) == 3

    def test_it_says_that_a_service_took_nothing_though_it_answered_well(self) -> None:
        answer = as_json(200, error="not_in_channel", success=False)
        with serving(lambda asked: answer) as server:
            error = refusal(f"rocket://user:password@{server.address}/%23room")
        assert not error.final

    def test_it_logs_nothing_and_tells_no_secret(
        self, place: Sink, caplog: pytest.LogCaptureFixture
    ) -> None:
        place.answers = [500]
        with caplog.at_level(logging.DEBUG):
            error = refusal(f"json://user:pass-word@{place.url}/secret-path?+X-Key=secret-key")
            wrong("json://user:pass-word@/secret-path")
        told = f"{error} {caplog.text} {error.__context__!r}"
        assert not any(secret in told for secret in ("pass-word", "secret-path", "secret-key"))

    def test_it_shows_what_was_answered_unless_a_part_of_the_url_is_in_it(self) -> None:
        replies = [Reply(400, b"no such room"), Reply(400, b"no: secret/path is not known")]
        with serving(lambda asked: replies.pop(0)) as server:
            assert refusal(f"json://{server.address}/secret%2Fpath").excerpt == "no such room"
            assert refusal(f"json://{server.address}/secret%2Fpath").excerpt == ""

    def test_it_survives_a_plugin_that_breaks(self, place: Sink, monkeypatch: Any) -> None:
        plugin = import_module("apprise.plugins.custom_json").NotifyJSON

        def broken(*args: object, **given: object) -> bool:
            raise RuntimeError("http://127.0.0.1/secret-path")

        monkeypatch.setattr(plugin, "send", broken)
        error = refusal(f"json://{place.url}/secret-path")
        assert str(error) == "The library for JSON failed (RuntimeError)."

    def test_it_leaves_others_their_ways(self, place: Sink) -> None:
        """Outside of a message the library for HTTP is as it was."""
        place.answers = [200]
        send(f"json://{place.url}/")
        target = {"Location": f"http://{place.url}/x"}
        with serving(lambda asked: Reply(302, headers=target)) as server:
            answer = requests.post(
                f"http://{server.address}/", allow_redirects=False, timeout=5, data=b"x"
            )
        assert (answer.status_code, answer.headers["Location"]) == (302, target["Location"])


class TestConfiguration:
    @pytest.mark.parametrize(
        "url",
        [
            "discord://123456789012345678/abcdefghijklmnopqrstuvwxyz",
            "https://discord.com/api/webhooks/123456789012345678/abcdefghijklmnopqrstuvwxyz",
            "https://hooks.slack.com/services/T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ",
            "ntfys://ntfy.sh/a-topic",
            "JSONS://example.org/x",
        ],
    )
    def test_it_takes_what_the_library_understands(self, url: str) -> None:
        assert cleaned(url) == {"url": url}

    @pytest.mark.parametrize("scheme", sorted(apprise_schemes.REFUSED))
    def test_it_refuses_what_is_not_http(self, scheme: str) -> None:
        assert "cannot be used" in wrong(f"{scheme}://user:pass@example.org/x/y?to=a@b.example")

    @pytest.mark.parametrize(
        "url",
        [
            "file:///etc/passwd",
            "include://x",
            "schema://x",
            "no url",
            "json:/x",
            "//x",
            "gopher://x",
        ],
    )
    def test_it_refuses_what_is_no_service(self, url: str) -> None:
        wrong(url)

    @pytest.mark.parametrize(
        "query",
        [
            "file=/etc/passwd",
            "attach=file:///etc/passwd",
            "ATTACH=/etc/passwd",
            "attach-as=x",
            "%61ttach=/etc/passwd",
            "keyfile=/etc/passwd",
            "config=/etc/passwd",
            "include=/etc/passwd",
        ],
    )
    def test_it_refuses_what_names_files(self, query: str) -> None:
        assert "names a file" in wrong(f"json://example.org/?{query}")

    @pytest.mark.parametrize(
        "template", ["/etc/passwd", "file:///etc/passwd", "http://127.0.0.1/x"]
    )
    def test_it_refuses_templates_that_are_files(self, template: str) -> None:
        discord = "discord.com/api/webhooks/123456789012345678/abcdefghijklmnopqrstuvwxyz"
        assert "names a file" in wrong(f"discord://1234/token?template={template}")
        assert "does not understand" in wrong(f"https://{discord}?template={template}")

    @pytest.mark.parametrize(
        "url",
        [
            "json://a.example/ json://b.example/",
            "json://a.example,json://b.example",
            "json://a.example\njson://b.example",
            "json://a.example/\x00",
            "json://a.example/\x1b[31m",
        ],
    )
    def test_it_refuses_more_than_one_and_what_is_not_seen(self, url: str) -> None:
        wrong(url)

    @pytest.mark.parametrize(
        "url",
        [
            "discord://",
            "slack://x",
            "json://[::1",
            "gotifys://host",
            "x" * 3000,
            "json://" + "[" * 900,
        ],
    )
    def test_it_refuses_what_the_library_does_not_understand(self, url: str) -> None:
        wrong(url)

    def test_it_shows_no_more_than_the_scheme(self) -> None:
        stored = cleaned("pover://user-key@app-token")
        shown = configuration.masked("apprise", stored)
        assert shown == {"url": "pover://••••••••"}
        assert cleaned(shown["url"], stored) == stored
        assert cleaned("", stored) == stored
        assert "mask" in wrong(shown["url"])

    def test_it_replaces_the_whole_url(self) -> None:
        stored = cleaned("pover://user-key@app-token")
        assert cleaned("json://example.org/", stored) == {"url": "json://example.org/"}


class TestLibrary:
    """What a new version of the library brings has to be looked at before it can be used."""

    def plugins(self) -> list[Any]:
        manager = import_module("apprise.manager_plugins").NotificationManager()
        manager.load_modules()
        return list(manager.plugins(include_disabled=True))

    def schemes(self, plugin: Any) -> set[str]:
        named = (plugin.protocol, plugin.secure_protocol)
        return {
            scheme
            for names in named
            for scheme in ([names] if isinstance(names, str) else names or ())
        }

    def test_it_knows_all_schemes(self) -> None:
        known = set().union(*(self.schemes(plugin) for plugin in self.plugins()))
        assert not apprise_schemes.ALLOWED & apprise_schemes.REFUSED
        assert known == apprise_schemes.ALLOWED | apprise_schemes.REFUSED

    def test_it_allows_only_what_speaks_http_alone(self) -> None:
        other = {"socket", "ssl", "subprocess", "smtplib", "asyncio", "ctypes", "http", "ftplib"}
        other |= {"shutil", "multiprocessing", "concurrent", "websocket", "paho", "dbus"}
        for plugin in self.plugins():
            if self.schemes(plugin) & apprise_schemes.ALLOWED:
                for source in self.sources(plugin):
                    assert not self.imports(source) & other, plugin
                    assert "Thread(" not in source, plugin  # it would be outside of a conversation

    def sources(self, plugin: Any) -> list[str]:
        file = Path(str(import_module(plugin.__module__).__file__))
        parts = [file] if file.parent.name == "plugins" else file.parent.glob("*.py")
        return [part.read_text() for part in parts]

    def imports(self, source: str) -> set[str]:
        """The modules that are imported: from elsewhere by their first name, the library's own by
        their last."""
        found: set[str] = set()
        for node in ast.walk(ast.parse(source)):
            if isinstance(node, ast.Import):
                found |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                found.add(node.module.partition(".")[0])
            elif isinstance(node, ast.ImportFrom) and node.module == "utils.socket":
                found.add("socket")
        return found


@pytest.mark.django_db
class TestChannel:
    def test_it_tells_of_newer_images_through_the_outbox(self, place: Sink) -> None:
        config = json.dumps({"url": f"json://{place.url}/"})
        row = Channel.objects.create(kind="apprise", name="a", events=[NEW_VERSION], config=config)
        place.answers = [500, 200, 200]
        tell()
        send_all()
        assert Notification.objects.get().error == "JSON answered 500."
        send_all(timedelta(minutes=2))
        assert Notification.objects.get().status == "sent"
        assert place.received[1].json["title"] == "shop / api has an update"
        tried = trying.try_out(row)
        assert (tried.ok, tried.status) == (True, 200)
