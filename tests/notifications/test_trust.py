"""Whose certificate a server may have that messages are posted to."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from notifications.models import Channel
from notifications.trying import try_out
from tests.certificates import Authority
from tests.people import Program, error_of, person
from tests.servers import Asked, Reply, Server

pytestmark = [
    pytest.mark.django_db,
    pytest.mark.filterwarnings("ignore::urllib3.exceptions.InsecureRequestWarning"),
]

CHANNELS = "/api/notifications/channels"


@pytest.fixture
def admin() -> Program:
    return Program(person("admin"))


@pytest.fixture
def authority() -> Authority:
    return Authority()


@pytest.fixture
def server(authority: Authority, tmp_path: Path) -> Iterator[Server]:
    def answer(_asked: Asked) -> Reply:
        return Reply(204)

    made = Server(answer)
    made.speak_tls(*authority.sign_for("127.0.0.1", tmp_path))
    with made.running():
        yield made


def channel(server: Server, kind: str = "webhook", **config: Any) -> Channel:
    given = {"url": f"https://{server.address}/hook", "secret": "of the channel", **config}
    return Channel.objects.create(kind=kind, name="x", config=json.dumps(given))


@pytest.mark.parametrize("kind", ["webhook", "doco-cd"])
class TestSending:
    def test_a_strangers_certificate_is_refused(self, server: Server, kind: str) -> None:
        tried = try_out(channel(server, kind))
        assert not tried.ok
        assert server.asked == []

    def test_that_of_an_own_authority_is_taken(
        self, server: Server, authority: Authority, kind: str
    ) -> None:
        assert try_out(channel(server, kind, ca=authority.pem)).ok

    def test_another_authority_does_not_help(self, server: Server, kind: str) -> None:
        assert not try_out(channel(server, kind, ca=Authority().pem)).ok

    def test_the_check_can_be_switched_off(self, server: Server, kind: str) -> None:
        assert try_out(channel(server, kind, verify=False)).ok
        assert not try_out(channel(server, kind, verify=True)).ok
        assert not try_out(channel(server, kind)).ok


class TestSetting:
    def made(self, admin: Program, **config: Any) -> Any:
        given = {"url": "https://hooks.example/x", **config}
        return admin.post(CHANNELS, {"kind": "webhook", "name": "x", "config": given})

    def test_what_is_not_said_is_checked(self, admin: Program) -> None:
        assert self.made(admin).status_code == 201
        assert Channel.objects.get().settings.get("verify", True) is True

    def test_a_change_of_something_else_leaves_it_as_it_is(self, admin: Program) -> None:
        made = self.made(admin, verify=False).json()
        assert made["config"]["verify"] is False
        admin.patch(f"{CHANNELS}/{made['id']}", {"config": {"secret": "of the channel"}})
        assert Channel.objects.get().settings["verify"] is False
        admin.patch(f"{CHANNELS}/{made['id']}", {"config": {"verify": True}})
        assert Channel.objects.get().settings["verify"] is True

    @pytest.mark.parametrize("value", ["no", 0, 1, [], "off", {}])
    def test_it_is_true_or_false(self, admin: Program, value: object) -> None:
        error = error_of(self.made(admin, verify=value), 400, "invalid_argument")
        assert error["details"]["field"] == "config.verify"

    def test_certificates_are_kept_and_shown(self, admin: Program, authority: Authority) -> None:
        made = self.made(admin, ca=f"a note\n{authority.pem}").json()
        assert made["config"]["ca"].strip() == authority.pem.strip()

    @pytest.mark.parametrize("text", ["nonsense", "key"])
    def test_nothing_else_is(self, admin: Program, authority: Authority, text: str) -> None:
        given = authority.private_key if text == "key" else text
        error = error_of(self.made(admin, ca=given), 400, "invalid_argument")
        assert error["details"]["field"] == "config.ca"
        assert given.strip() not in json.dumps(error)
        assert not Channel.objects.exists()
