"""The page's form of an Apprise channel: what is filled in becomes a URL of the service."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from notifications import configuration
from notifications.channels.apprise import Apprise
from notifications.channels.apprise_page import SERVICES, ApprisePage
from tests.notifications.chat import message
from tests.servers import Asked, Server, as_json


@pytest.fixture
def server() -> Iterator[Server]:
    server = Server(lambda asked: as_json(200, success=True, event_id="$1"))
    with server.running():
        yield server


def url(service: str, **values: str) -> str:
    form = ApprisePage(values, variant=service)
    assert form.is_valid(), form.errors
    made = form.config()
    assert configuration.cleaned("apprise", made, {}) == made
    assert ApprisePage.variant_of(made) == service
    return str(made["url"])


def errors(service: str, **values: str) -> set[str]:
    form = ApprisePage(values, variant=service)
    assert not form.is_valid()
    return set(form.errors)


def asked(server: Server, service: str, **values: str) -> Asked:
    Apprise({"url": url(service, server=f"http://{server.address}", **values)}).send(message())
    return server.asked[-1]


WEBHOOKS = {
    "discord": "https://discord.com/api/webhooks/123456789012345678/abc-_DEF",
    "slack": "https://hooks.slack.com/services/T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ",
    "teams": "https://prod-15.uksouth.logic.azure.com:443/workflows/3f5/triggers/manual/paths/"
    "invoke?api-version=2016-06-01&sp=%2Ftriggers%2Fmanual%2Frun&sv=1.0&sig=iXKeqTzBxFLWUGAlWm",
}


class TestUrls:
    @pytest.mark.parametrize("service", WEBHOOKS)
    def test_it_takes_a_webhook_as_its_service_shows_it(self, service: str) -> None:
        assert url(service, webhook=WEBHOOKS[service]) == WEBHOOKS[service]

    @pytest.mark.parametrize("service", WEBHOOKS)
    @pytest.mark.parametrize(
        "webhook",
        [
            "https://evil.example/api/webhooks/1/2",
            "https://discord.com.evil.example/api/webhooks/1/2",
            "https://evil.example/#.hooks.slack.com",
            "http://discord.com/api/webhooks/1/2",
            "file:///etc/passwd",
            "https://[",
        ],
    )
    def test_it_refuses_a_webhook_of_another(self, service: str, webhook: str) -> None:
        assert errors(service, webhook=webhook) <= {"webhook", "__all__"}

    def test_it_makes_one_for_ntfy(self, server: Server) -> None:
        got = asked(server, "ntfy", topic="my-topic", token="tk_a/b?c=d#e")
        assert json.loads(got.body)["topic"] == "my-topic"
        assert got.authorization == "Bearer tk_a/b?c=d#e"
        assert url("ntfy", server="https://ntfy.sh/", topic="news") == "ntfys://ntfy.sh/news"

    @pytest.mark.parametrize("topic", ["../x", "a b", "a/b", "a,b", "é", "x" * 65])
    def test_it_refuses_topics_that_ntfy_does_not_have(self, topic: str) -> None:
        assert errors("ntfy", server="https://ntfy.sh", topic=topic) == {"topic"}

    def test_it_makes_one_for_gotify(self, server: Server) -> None:
        got = asked(server, "gotify", token="AbCdEfGh12345")
        assert (got.path, got.headers["x-gotify-key"]) == ("/message", "AbCdEfGh12345")
        below = url("gotify", server="https://home.example/gotify/", token="AbCdEfGh12345")
        assert below == "gotifys://home.example/gotify/AbCdEfGh12345"

    def test_it_makes_one_for_matrix(self, server: Server) -> None:
        got = asked(server, "matrix", token="syt_a/b_c", room="!abc:matrix.example")
        assert got.authorization == "Bearer syt_a/b_c"
        assert "/rooms/%21abc%3Amatrix.example/send/m.room.message" in got.path

    def test_it_makes_one_for_mattermost(self, server: Server) -> None:
        webhook = f"http://{server.address}/hooks/abcdefabcdefabcdefabcdefab"
        Apprise({"url": url("mattermost", webhook=webhook)}).send(message())
        assert server.asked[-1].path == "/hooks/abcdefabcdefabcdefabcdefab"

    def test_it_makes_one_for_rocket_chat(self, server: Server) -> None:
        hook = f"{'a' * 24}/{'b' * 43}"
        webhook = f"http://{server.address}/hooks/{hook}"
        Apprise({"url": url("rocket-chat", webhook=webhook)}).send(message())
        assert server.asked[-1].path == f"/hooks/{hook}"
        Apprise({"url": url("rocket-chat", webhook=webhook, room="#news")}).send(message())
        assert json.loads(server.asked[-1].body)["channel"] == "#news"

    def test_it_makes_one_for_signal(self, server: Server) -> None:
        to = "+15557654321, +15557654322"
        got = asked(server, "signal", **{"from": "+15551234567", "to": to})
        said = json.loads(got.body)
        assert (got.path, said["number"]) == ("/v2/send", "+15551234567")
        assert said["recipients"] in (["+15557654321"], ["+15557654322"])

    def test_it_makes_one_for_home_assistant(self, server: Server) -> None:
        got = asked(server, "home-assistant", token="eyJ.a-b_c.d")
        assert got.path == "/api/services/persistent_notification/create"
        assert got.authorization == "Bearer eyJ.a-b_c.d"

    def test_it_makes_one_for_pushover(self) -> None:
        user, token = "u3k5h8xq9p2m4n6r8t0v1w3y5z7abc", "azGDORePK8gMaC0QOYAMyEEuzJnyUi"
        assert url("pushover", user=user, token=token) == f"pover://{user}@{token}"

    def test_it_makes_one_for_zulip(self) -> None:
        made = url("zulip", bot="dockrev-bot@acme.zulipchat.com", key="a" * 32, stream="ops & dev")
        assert made == f"zulip://dockrev@acme.zulipchat.com/{'a' * 32}/ops%20%26%20dev"

    def test_it_takes_any_other(self) -> None:
        assert url("url", url="jsons://example.org/x") == "jsons://example.org/x"

    @pytest.mark.parametrize(
        "address",
        [
            "x",
            "ftp://x",
            "http://user:pass@x",
            "http://x/?a=b",
            "http://x/#a",
            "http://x y",
            "http://x/../y z",
            "http://",
        ],
    )
    def test_it_says_where_a_server_is_none(self, address: str) -> None:
        assert errors("gotify", server=address, token="AbCdEfGh12345") == {"server"}


class TestForm:
    @pytest.mark.parametrize("service", SERVICES)
    def test_it_asks_for_what_the_service_needs(self, service: str) -> None:
        form = ApprisePage(variant=service)
        assert list(form.fields) == list(SERVICES[service].values)
        assert all(field.label for field in form.fields.values())

    @pytest.mark.parametrize("variant", ["", "nonsense", "<script>"])
    def test_it_asks_for_a_url_where_no_service_was_chosen(self, variant: str) -> None:
        assert list(ApprisePage(variant=variant).fields) == ["url"]

    @pytest.mark.parametrize("service", SERVICES)
    def test_it_leaves_what_is_stored_where_all_is_empty(self, service: str) -> None:
        form = ApprisePage({}, variant=service)
        assert form.is_valid()
        assert form.config() == {}

    def test_it_says_what_is_missing(self) -> None:
        assert errors("gotify", server="https://home.example") == {"token"}

    def test_it_shows_nothing_of_what_is_stored_or_was_typed(self) -> None:
        assert ApprisePage.filled({"url": "gotify://home.example/AbCdEfGh12345"}) == {}
        form = ApprisePage({"server": "nonsense", "token": "AbCdEfGh12345"}, variant="gotify")
        assert "AbCdEfGh12345" not in form.as_p()

    @pytest.mark.parametrize("stored", [{}, {"url": "nonsense"}, {"url": "https://evil.example/"}])
    def test_it_knows_no_service_by_what_is_none(self, stored: dict[str, str]) -> None:
        assert ApprisePage.variant_of(stored) == "url"
