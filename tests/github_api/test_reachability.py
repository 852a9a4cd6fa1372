"""The callback URL: what is said of it, and what a call of our own to it finds out."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from pytest_django.live_server_helper import LiveServer

from dockrev import preferences
from integrations.callbacks import callback_of
from integrations.github import packages, reachability
from integrations.github.reachability import PATH, Tried, try_callback
from integrations.models import Delivery, HookTarget
from tests import rows
from tests.github import SECRET
from tests.servers import CUT, Reply, Server, Starts, as_json

HTML = Reply(200, b"<!doctype html><form>", {"Content-Type": "text/html"})


def tried(url: str, *, enabled: bool = True) -> Tried:
    """Try it, as GitHub Packages is set up."""
    receiver = rows.github_receiver(enabled=enabled)
    account = packages.load().account
    account.callback_url = url
    return try_callback(account, receiver)


class TestTheWayIn:
    def test_it_works(self, transactional_db: None, live_server: LiveServer) -> None:
        result = tried(f"{live_server.url}{PATH}")
        assert (result.outcome, result.works) == ("works", True)
        (delivery,) = Delivery.objects.all()
        assert (delivery.event, delivery.reason) == ("ping", "ping")
        assert "this machine's own" in result.hints[0]
        assert not HookTarget.objects.exclude(verified_at=None).exists()

    def test_it_comes_in_where_the_feature_is_off(
        self, transactional_db: None, live_server: LiveServer
    ) -> None:
        assert tried(f"{live_server.url}{PATH}", enabled=False).outcome == "disabled"
        assert not Delivery.objects.exists()

    def test_it_comes_to_a_dockrev_with_another_secret(
        self, transactional_db: None, live_server: LiveServer
    ) -> None:
        receiver = rows.github_receiver()
        account = packages.load().account
        account.callback_url = f"{live_server.url}{PATH}"
        receiver.secret = "another one, long enough"
        assert try_callback(account, receiver).outcome == "wrong_secret"

    def test_it_misses_the_path(self, transactional_db: None, live_server: LiveServer) -> None:
        result = tried(f"{live_server.url}/api/webhooks/other")
        assert result.outcome == "not_found"
        assert PATH in result.hints[0]


@pytest.mark.django_db
class TestWhatStandsInTheWay:
    @pytest.mark.parametrize(
        ("reply", "outcome"),
        [
            (as_json(200, ok=True, decision="processed", reason="ping"), "another_dockrev"),
            (as_json(200, ok=True, decision="ignored", reason="disabled"), "another_dockrev"),
            (as_json(401, error={"code": "invalid_signature"}), "wrong_secret"),
            (as_json(400, error={"code": "invalid_argument"}), "headers_lost"),
            (as_json(429, error={"code": "rate_limited"}), "rate_limited"),
            (as_json(200, hello="world"), "not_dockrev"),
            (as_json(401, message="who are you"), "sign_in"),
            (HTML, "sign_in"),
            (Reply(401, b"no"), "sign_in"),
            (Reply(403, b"no"), "sign_in"),
            (Reply(404, b"no"), "not_found"),
            (Reply(405, b"no"), "method"),
            (Reply(413, b"no"), "too_large"),
            (Reply(500, b"no"), "server_error"),
            (Reply(502, b"<html>"), "server_error"),
            (Reply(418, b"no"), "not_dockrev"),
            (Reply(200, b""), "not_dockrev"),
            (Reply(200, b"[" * 100_000), "not_dockrev"),
            (CUT, "unreachable"),
        ],
    )
    def test_it_is_told_apart(self, serve: Starts, reply: Reply, outcome: str) -> None:
        server = serve(lambda _: reply)
        result = tried(f"http://{server.address}{PATH}")
        assert (result.outcome, result.works) == (outcome, False)
        assert result.words
        assert SECRET not in f"{result}"

    def test_it_names_the_host_of_a_redirect_and_does_not_follow(self, serve: Starts) -> None:
        other = serve(lambda _: HTML)
        there = f"http://{other.other_name}/login?next=secret"
        server = serve(lambda _: Reply(302, headers={"Location": there}))
        result = tried(f"http://{server.address}{PATH}")
        assert result.outcome == "redirected"
        assert other.other_name in result.words and "secret" not in result.words
        assert other.asked == []

    def test_it_sends_a_signed_ping_and_nothing_else(self, serve: Starts) -> None:
        server = serve(lambda _: HTML)
        tried(f"http://{server.address}{PATH}")
        (asked,) = server.asked
        assert asked.headers["x-github-event"] == "ping"
        assert asked.headers["x-hub-signature-256"].startswith("sha256=")
        assert asked.authorization == ""

    def test_it_finds_nobody_there(self) -> None:
        result = tried(f"http://127.0.0.1:9{PATH}")
        assert result.outcome == "refused"
        assert "refused the connection" in result.words
        assert "this machine's own" in result.hints[0]

    def test_it_finds_no_such_name(self) -> None:
        result = tried(f"https://dockrev.invalid{PATH}")
        assert result.outcome == "dns"
        assert "from outside" in result.hints[0]

    def test_it_finds_a_certificate_that_nobody_trusts(
        self, certificate: tuple[Path, Path]
    ) -> None:
        server = Server(lambda _: HTML)
        server.speak_tls(*certificate)
        with server.running():
            result = tried(f"https://{server.other_name}{PATH}")
        assert result.outcome == "tls"
        assert "certificate" in result.hints[-1]

    def test_it_needs_an_address_and_a_secret(self) -> None:
        assert tried("").outcome == "no_url"
        receiver = rows.github_receiver(secret="")
        account = packages.load().account
        account.callback_url = "https://dockrev.example"
        assert try_callback(account, receiver).outcome == "no_secret"


@pytest.mark.django_db
class TestTheDefault:
    def test_it_is_made_of_the_public_url(self) -> None:
        preferences.set("public_base_url", "https://dockrev.example/")
        account = packages.load().account
        assert callback_of(account) == f"https://dockrev.example{PATH}"
        account.callback_url = "https://other.example/x"
        assert callback_of(account) == "https://other.example/x"

    @pytest.mark.parametrize("public", ["", "http://dockrev.example"])
    def test_it_is_nothing_where_that_is_not_fit(self, public: str) -> None:
        preferences.set("public_base_url", public)
        assert callback_of(packages.load().account) == ""


class TestWarnings:
    @pytest.mark.parametrize(
        "host",
        ["localhost", "127.0.0.1", "[::1]", "dockrev.localhost"],
    )
    def test_it_warns_of_this_machine(self, host: str) -> None:
        (warning,) = reachability.warnings(f"https://{host}{PATH}")
        assert "this machine's own" in warning

    @pytest.mark.parametrize(
        "host",
        [
            "192.168.1.5",
            "10.0.0.1:8443",
            "[fd00::1]",
            "100.64.0.1",
            "nas",
            "nas.local",
            "x.home.arpa",
        ],
    )
    def test_it_warns_of_a_network_of_ones_own(self, host: str) -> None:
        (warning,) = reachability.warnings(f"https://{host}{PATH}")
        assert "your own network" in warning

    def test_it_warns_of_another_path(self) -> None:
        (warning,) = reachability.warnings("https://dockrev.example/hook")
        assert PATH in warning

    @pytest.mark.parametrize(
        "url", [f"https://dockrev.example{PATH}", f"https://8.8.8.8/sub{PATH}/"]
    )
    def test_it_has_nothing_against_a_public_one(self, url: str) -> None:
        assert reachability.warnings(url) == []

    def test_it_says_what_a_proxy_must_keep(self) -> None:
        words = json.dumps(reachability.what_a_proxy_must_keep())
        for name in ("X-Hub-Signature-256", "X-GitHub-Delivery", "25 MiB", PATH):
            assert name in words
