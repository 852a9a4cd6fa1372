"""What reaches a mailbox, by servers of every kind."""

from __future__ import annotations

import json
import socket
import ssl
from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from django.utils import timezone

from dockrev import preferences
from dockrev.ids import new_id
from notifications import announce, trying
from notifications.announce import ANOMALY, NEW_VERSION
from notifications.channels import smtp, smtp_url
from notifications.channels.base import Message, PartlyTaken, SendError
from notifications.channels.email import PATIENCE, Email
from notifications.channels.letter import letter
from notifications.models import Channel, Notification
from tests.certificates import Authority
from tests.mail_server import PASSWORD, USER, StartsMail, scripted, server_tls
from tests.notifications.test_outbox import news, send_all, tell
from tests.people import Program, person

pytestmark = pytest.mark.django_db

WHO = f"{quote(USER, safe='')}:{quote(PASSWORD, safe='')}@"
THREE = "?to=ann@example.org,bob@example.org,eve@example.org"


def message(**given: Any) -> Message:
    payload = {
        "human": {"title": "shop / api has an update", "summary": "shop / api: 1.0 to 1.1"},
        "links": {"primaryUrl": "/services/stk_1/svc_1"},
    }
    return Message(**{"id": new_id("ntf"), "kind": "test", "payload": payload, **given})


def send(url: str, **given: Any) -> int:
    return Email({"smtpUrl": url}, "chn_1").send(message(**given))


def refused(url: str, **given: Any) -> SendError:
    with pytest.raises(SendError) as caught:
        send(url, **given)
    said = f"{caught.value} {caught.value!r}"
    assert PASSWORD not in said
    assert USER not in said
    return caught.value


def signed(url: str) -> str:
    return url.replace("://", f"://{WHO}")


@pytest.fixture
def tls(authority: Authority, tmp_path: Path) -> ssl.SSLContext:
    return server_tls(authority, tmp_path)


class TestTheWay:
    def test_it_writes_in_clear_where_nothing_else_is_offered(
        self, mail_server: StartsMail
    ) -> None:
        server = mail_server()
        assert send(server.url()) == 250
        [kept] = server.kept
        assert (kept.is_encrypted, kept.recipients) == (False, ["bob@example.org"])
        assert kept.sender == "dockrev@localhost"

    @pytest.mark.parametrize("wanted", ["", "&tls=required", "&tls=opportunistic"])
    def test_it_takes_starttls_where_it_is_offered(
        self, mail_server: StartsMail, tls: ssl.SSLContext, wanted: str
    ) -> None:
        server = mail_server(tls=tls)
        send(server.url(f"?to=bob@example.org{wanted}"))
        assert [kept.is_encrypted for kept in server.kept] == [True]

    def test_it_leaves_starttls_where_that_was_said(
        self, mail_server: StartsMail, tls: ssl.SSLContext
    ) -> None:
        server = mail_server(tls=tls)
        send(server.url("?to=bob@example.org&tls=off"))
        assert [kept.is_encrypted for kept in server.kept] == [False]

    def test_it_sends_nothing_without_starttls_where_that_is_required(
        self, mail_server: StartsMail
    ) -> None:
        server = mail_server(auth=True)
        error = refused(signed(server.url("?to=bob@example.org&tls=required")))
        assert "no STARTTLS" in str(error)
        assert (server.kept, server.sign_ins) == ([], [])

    def test_it_speaks_tls_from_the_first_byte(
        self, mail_server: StartsMail, tls: ssl.SSLContext
    ) -> None:
        server = mail_server(tls=tls, implicit=True, auth=True)
        send(signed(server.url(scheme="smtps")))
        [kept] = server.kept
        assert (kept.user, kept.sender) == (USER, USER)

    def test_it_says_that_a_server_does_not_begin_with_tls(self, mail_server: StartsMail) -> None:
        error = refused(mail_server().url(scheme="smtps"))
        assert "does not begin with TLS" in str(error)

    @pytest.mark.parametrize("implicit", [True, False])
    def test_it_trusts_no_certificate_that_nobody_signed(
        self, mail_server: StartsMail, certificate: tuple[Path, Path], implicit: bool
    ) -> None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*certificate)
        server = mail_server(tls=context, implicit=implicit, auth=True)
        error = refused(signed(server.url(scheme="smtps" if implicit else "smtp")))
        assert "certificate of 127.0.0.1" in str(error)
        assert (error.final, server.kept, server.sign_ins) == (False, [], [])

    def test_it_trusts_no_certificate_of_another_host(
        self, mail_server: StartsMail, tls: ssl.SSLContext
    ) -> None:
        server = mail_server(tls=tls)
        url = server.url().replace("127.0.0.1", "localhost.localdomain")
        with _resolving():
            assert "is not trusted" in str(refused(url))

    def test_it_refuses_words_that_were_put_in_before_the_encryption(self) -> None:
        replies = ["220 x\r\n", "250-x\r\n250 STARTTLS\r\n", "220 go\r\n250 x AUTH PLAIN\r\n"]
        with scripted(*replies) as server:
            assert "as a mail server does" in str(refused(signed(server.url())))
            assert not any(b"AUTH" in line for line in server.heard)


@contextmanager
def _resolving() -> Iterator[None]:
    """Every name is this machine."""
    real = socket.getaddrinfo
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            socket, "getaddrinfo", lambda _host, *rest, **named: real("127.0.0.1", *rest, **named)
        )
        yield


class TestSigningIn:
    @pytest.mark.parametrize("without", [[], ["PLAIN"]])
    def test_it_signs_in_as_the_server_offers(
        self, mail_server: StartsMail, tls: ssl.SSLContext, without: list[str]
    ) -> None:
        server = mail_server(tls=tls, auth=True, auth_exclude_mechanism=without)
        send(signed(server.url()))
        assert [kept.user for kept in server.kept] == [USER]
        assert server.sign_ins == [(USER.encode(), PASSWORD.encode())]

    def test_it_gives_up_where_the_password_is_wrong(
        self, mail_server: StartsMail, tls: ssl.SSLContext
    ) -> None:
        server = mail_server(tls=tls, auth=True)
        url = signed(server.url()).replace(quote(PASSWORD, safe=""), "another")
        error = refused(url)
        assert (error.status, error.final) == (535, True)
        assert str(error) == "127.0.0.1 did not let us sign in. Check user and password."
        assert len(server.sign_ins) == 1  # more could lock the account

    def test_it_tries_again_where_sign_in_is_out_of_order(self) -> None:
        replies = ["220 x\r\n", "250-x\r\n250 AUTH PLAIN\r\n", "454 later\r\n"]
        with scripted(*replies) as server:
            error = refused(signed(server.url()))
        assert (error.status, error.final) == (454, False)

    def test_it_gives_up_where_no_way_to_sign_in_is_known(self) -> None:
        with scripted("220 x\r\n", "250-x\r\n250 AUTH GSSAPI\r\n") as server:
            assert refused(signed(server.url())).final

    def test_it_gives_no_password_away_in_clear(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """To another machine: from here this one looks like one."""
        monkeypatch.setattr(smtp, "is_this_machine", lambda _address: False)
        offer = ["220 x\r\n", "250-x\r\n250 AUTH PLAIN\r\n", "235 in\r\n", "250 x\r\n"]
        with scripted(*offer) as server:
            error = refused(signed(server.url()))
            assert "clear text" in str(error)
        assert not any(b"AUTH" in line for line in server.heard)
        with scripted(*offer, "550 no\r\n") as server:
            refused(signed(server.url("?to=bob@example.org&tls=off")))
        assert any(b"AUTH" in line for line in server.heard)

    def test_it_repeats_nothing_that_a_server_echoes(self) -> None:
        secret = b64encode(f"\0{USER}\0{PASSWORD}".encode()).decode()
        for echo in (PASSWORD, secret, f"user {USER}", "ADA is nobody"):
            replies = ["220 x\r\n", "250-x\r\n250 AUTH PLAIN\r\n", "235 in\r\n"]
            with scripted(*replies, f"550 5.7.1 {echo}\r\n") as server:
                error = refused(signed(server.url()))
            assert secret not in str(error)
            assert "ada" not in str(error).lower()
            assert error.status == 550


class TestRefusals:
    def test_it_gives_up_where_the_mail_is_refused(self, mail_server: StartsMail) -> None:
        server = mail_server()
        server.answers = ["554 5.7.1 <bob@example.org> spam\x07 \u202ehere"]
        error = refused(server.url())
        assert (error.status, error.final) == (554, True)
        assert str(error) == "127.0.0.1 did not take the mail. It answered 554 5.7.1 … spam here."

    def test_it_tries_again_after_451(self, mail_server: StartsMail) -> None:
        server = mail_server()
        server.answers = ["451 4.7.1 greylisted", "250"]
        mail = new_id("ntf")
        error = refused(server.url(), id=mail)
        assert (error.status, error.final) == (451, False)
        assert send(server.url(), id=mail) == 250

    def test_it_reaches_the_others_where_one_is_refused(self, mail_server: StartsMail) -> None:
        server = mail_server()
        server.refusals = {"bob@example.org": "550 5.1.1 <bob@example.org> unknown"}
        with pytest.raises(PartlyTaken) as caught:
            send(server.url(THREE))
        [kept] = server.kept
        assert kept.recipients == ["ann@example.org", "eve@example.org"]
        assert str(caught.value) == (
            "It was sent, but not to 1 recipient, whom 127.0.0.1 refused. "
            "It answered 550 5.1.1 … unknown."
        )

    def test_it_waits_with_all_for_one_that_is_refused_for_now(
        self, mail_server: StartsMail
    ) -> None:
        server, mail = mail_server(), new_id("ntf")
        server.refusals = {"bob@example.org": "450 greylisted"}
        error = refused(server.url(THREE), id=mail)
        assert (error.final, server.kept) == (False, [])
        server.refusals = {}
        assert send(server.url(THREE), id=mail) == 250
        assert [len(kept.recipients) for kept in server.kept] == [3]

    def test_it_waits_for_none_too_long(self, mail_server: StartsMail) -> None:
        server = mail_server()
        server.refusals = {"bob@example.org": "452 mailbox full"}
        since = timezone.now() - PATIENCE - timedelta(minutes=1)
        with pytest.raises(PartlyTaken):
            send(server.url(THREE), tried_since=since)
        assert [len(kept.recipients) for kept in server.kept] == [2]

    @pytest.mark.parametrize(("answer", "final"), [("550 no", True), ("450 later", False)])
    def test_it_fails_where_all_are_refused(
        self, mail_server: StartsMail, answer: str, final: bool
    ) -> None:
        server = mail_server()
        server.refusals = {"bob@example.org": answer}
        assert refused(server.url()).final is final
        assert not server.kept

    def test_it_fails_where_the_sender_is_refused(self) -> None:
        with scripted("220 x\r\n", "250 x\r\n", "553 not you\r\n") as server:
            error = refused(server.url())
        assert (error.final, "takes no mail from this sender" in str(error)) == (True, True)


class TestBadServers:
    def test_it_ends_with_one_that_drips(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(smtp, "SECONDS", 0.3)
        with scripted("220 x\r\n", None) as server:
            error = refused(server.url())
        assert (error.final, "did not answer" in str(error)) == (False, True)

    @pytest.mark.parametrize(
        "replies",
        [[""], ["220 x\r\n", ""], ["220 x\r\n", "250 x\r\n", "250 x\r\n", ""]],
    )
    def test_it_tries_again_after_one_that_hangs_up(self, replies: list[str]) -> None:
        with scripted(*replies) as server:
            error = refused(server.url())
        assert (error.final, error.status) == (False, None)
        assert "broke off" in str(error)

    @pytest.mark.parametrize(
        "talk", ["HTTP/1.1 400 Bad\r\n", "220-" + "x" * 70_000, "\r\n", "99\r\n"]
    )
    def test_it_knows_what_is_no_mail_server(self, talk: str) -> None:
        with scripted(talk) as server:
            assert "as a mail server does" in str(refused(server.url()))

    def test_it_reads_a_long_answer_without_an_address_once(self) -> None:
        # Looked through anew from each of its letters, it would hold the process for a quarter of
        # a minute.
        with scripted("220 x\r\n", "250 x\r\n", f"550 {'x' * 60_000}\r\n") as server:
            error = refused(server.url())
        assert str(error).endswith(f"It answered 550 {'x' * 200}.")

    def test_it_stops_reading_an_endless_answer(self) -> None:
        with scripted("220 x\r\n", "250-x\r\n" * 20_000) as server:
            assert "as a mail server does" in str(refused(server.url()))

    def test_it_tries_again_where_nobody_listens(self) -> None:
        error = refused("smtp://127.0.0.1:9?to=bob@example.org")
        assert (error.final, str(error)) == (False, "127.0.0.1:9 refused the connection.")

    def test_it_falls_back_to_helo(self) -> None:
        with scripted("220 x\r\n", "502 what\r\n", "250 x\r\n", "550 no\r\n") as server:
            refused(server.url())
        assert [line[:4] for line in server.heard[:3]] == [b"EHLO", b"HELO", b"MAIL"]

    def test_it_is_done_when_the_mail_is_taken_whatever_comes_after(self) -> None:
        # The lines of the mail are answered, too; the last answer is the one that counts.
        replies = ["220 x\r\n", "250 x\r\n", "250 x\r\n", "250 x\r\n", "354 go\r\n", "250 ok\r\n"]
        with scripted(*replies) as server:
            assert send(server.url()) == 250


class TestWhereItMayGo:
    @pytest.mark.parametrize("host", ["169.254.169.254", "[fe80::1]", "[::ffff:169.254.1.1]"])
    def test_it_never_calls_link_local_addresses(self, host: str) -> None:
        assert "link-local" in str(refused(f"smtp://{host}?to=bob@example.org"))

    def test_it_calls_public_addresses_alone_where_that_is_set(
        self, settings: Any, mail_server: StartsMail
    ) -> None:
        settings.PUBLIC_TARGETS_ONLY = True
        server = mail_server()
        assert "not on the Internet" in str(refused(server.url()))
        assert not server.kept


class TestThroughTheOutbox:
    @pytest.fixture(autouse=True)
    def _public(self) -> None:
        preferences.set("public_base_url", "https://dockrev.example")

    def channel(self, url: str) -> Channel:
        return Channel.objects.create(
            kind="email",
            name="mail",
            events=[NEW_VERSION, ANOMALY],
            config=json.dumps({"smtpUrl": url}),
        )

    def test_a_message_arrives_as_a_mail(self, mail_server: StartsMail) -> None:
        server = mail_server()
        channel = self.channel(server.url("?to=ann@example.org,Bob%20<bob@example.org>"))
        tell()
        send_all()
        [kept] = server.kept
        row = Notification.objects.get()
        assert row.status == "sent"
        mail = kept.mail
        assert mail["Subject"] == "[dockrev] shop / api has an update"
        assert mail["From"] == "Dockrev <dockrev@localhost>"
        assert mail["To"] == "ann@example.org, Bob <bob@example.org>"
        assert mail["Message-ID"] == f"<{row.pk}@localhost>"
        assert mail["X-Dockrev-Event"] == NEW_VERSION
        assert mail["X-Dockrev-Delivery"] == row.pk
        assert mail["Auto-Submitted"] == "auto-generated"
        assert mail["Content-Language"] == "en"
        assert mail["Date"].datetime.tzinfo
        assert kept.said == "dockrev.example"
        service = "https://dockrev.example/services/stk_1/svc_api"
        for kind in ("plain", "html"):
            assert "shop / api has an update" in kept.part(kind)
            assert service in kept.part(kind)
            assert f"https://dockrev.example/settings/channels/{channel.pk}" in kept.part(kind)
        assert kept.content.isascii()
        assert max(map(len, kept.content.splitlines())) <= 998

    def test_it_links_each_service_and_shows_its_versions(self, mail_server: StartsMail) -> None:
        server = mail_server()
        self.channel(server.url())
        tell(news("api"), news("api-2", "ghcr.io/acme/two:1"))
        send_all()
        html = server.kept[0].part("html")
        for name in ("api", "api-2"):
            url = f"https://dockrev.example/services/stk_1/svc_{name}"
            assert html.count(f'href="{url}"') == 1
            assert f">shop / {name}</a>" in html

    def test_it_leaves_no_line_out(self, mail_server: StartsMail) -> None:
        server = mail_server()
        self.channel(server.url())
        tell(*(news(f"s{i}", f"ghcr.io/acme/s{i}:1") for i in range(12)))
        send_all()
        for kind in ("plain", "html"):
            assert "and 2 more" in server.kept[0].part(kind)

    def test_it_shows_the_log_of_what_failed(self) -> None:
        human = {"title": "The update of shop failed", "summary": "Why", "detail": "Why\nWhat"}
        payload = {
            "human": human,
            "log": ["<first>", "  last"],
            "links": {"primaryUrl": "https://dockrev.example/queue/job_1"},
        }
        url = smtp_url.read("smtp://mail.example?to=bob@example.org")
        mail = letter(message(payload=payload), url, "chn_1")
        html, text = (part.get_content() for part in reversed([*mail.iter_parts()]))
        assert "&lt;first&gt;\n  last" in html
        assert "<first>\n  last" in text
        for said in ("Why", "What", "https://dockrev.example/queue/job_1"):
            assert said in html
            assert said in text

    def test_messages_about_one_service_are_one_thread(self, mail_server: StartsMail) -> None:
        server = mail_server()
        self.channel(server.url())
        for image in ("ghcr.io/acme/api:1", "ghcr.io/acme/api:2"):
            tell(news("api", image))
            send_all()
        tell(news("web", "ghcr.io/acme/web:1"))
        send_all()
        mails = [kept.mail for kept in server.kept]
        roots = [mail["References"] for mail in mails]
        assert roots[0] == roots[1] != roots[2]
        assert [mail["In-Reply-To"] for mail in mails] == roots
        assert len({mail["Message-ID"] for mail in mails}) == 3

    def test_a_repetition_has_the_same_id(self, mail_server: StartsMail) -> None:
        server = mail_server()
        server.answers = ["451 later"]
        self.channel(server.url())
        tell()
        send_all()
        row = Notification.objects.get()
        assert (row.status, server.kept) == ("waiting", [])
        send_all(timedelta(minutes=10))
        assert server.kept[0].mail["X-Dockrev-Delivery"] == row.pk
        assert Notification.objects.get().status == "sent"

    def test_it_counts_as_sent_where_one_is_refused_and_says_so(
        self, mail_server: StartsMail
    ) -> None:
        server = mail_server()
        server.refusals = {"bob@example.org": "550 unknown"}
        self.channel(server.url(THREE))
        tell()
        send_all()
        send_all(timedelta(days=1))
        row = Notification.objects.get()
        assert (row.status, len(server.kept)) == ("sent", 1)
        assert row.error.startswith("It was sent, but not to 1 recipient")
        assert Channel.objects.get().last_error == row.error

    def test_it_waits_for_all_however_long_ago_it_was_written(
        self, mail_server: StartsMail
    ) -> None:
        """As after quiet hours."""
        server = mail_server()
        server.refusals = {"bob@example.org": "450 greylisted"}
        self.channel(server.url(THREE))
        tell()
        send_all(timedelta(hours=9))
        server.refusals = {}
        send_all(timedelta(hours=9, minutes=10))
        assert [len(kept.recipients) for kept in server.kept] == [3]

    @pytest.mark.parametrize("kind", announce.EVENTS)
    def test_it_takes_every_example(self, mail_server: StartsMail, kind: str) -> None:
        server = mail_server()
        tried = trying.try_out(self.channel(server.url()), kind)
        assert (tried.error, len(server.kept)) == ("", 1)

    def test_it_escapes_what_strangers_wrote(self, mail_server: StartsMail) -> None:
        server = mail_server()
        self.channel(server.url())
        tell(news("<b>x</b>\r\nBcc: eve@example.org", "ghcr.io/acme/api:1"))
        send_all()
        [kept] = server.kept
        assert kept.mail["Bcc"] is None
        assert kept.recipients == ["bob@example.org"]
        assert "<b>" not in kept.part("html")

    def test_its_test_says_what_the_server_answered(self, mail_server: StartsMail) -> None:
        server = mail_server()
        row = self.channel(server.url())
        path = f"/api/notifications/channels/{row.pk}/test"
        admin = Program(person("admin"))
        tried = admin.post(path).json()
        assert (tried["ok"], tried["status"], tried["error"]) == (True, 250, None)
        server.refusals = {"bob@example.org": "550 unknown"}
        tried = admin.post(path).json()
        assert (tried["ok"], tried["status"]) == (False, 550)
