"""Mail servers on loopback: a real one that keeps what it takes, and some that behave badly."""

from __future__ import annotations

import asyncio
import email
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from email import policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP as Server
from aiosmtpd.smtp import AuthResult, Envelope, LoginPassword, Session

from tests.certificates import Authority

USER, PASSWORD = "ada@example.org", "pässwörd/?#:@%"


@dataclass(frozen=True)
class Kept:
    """One mail as it was taken."""

    sender: str
    recipients: list[str]
    content: bytes
    is_encrypted: bool
    user: str
    said: str  # how the sender introduced itself

    @property
    def mail(self) -> EmailMessage:
        return email.message_from_bytes(self.content, policy=policy.default)

    def part(self, kind: str) -> str:
        body = self.mail.get_body(preferencelist=(kind,))
        assert isinstance(body, EmailMessage)
        return str(body.get_content())


@dataclass
class MailServer:
    """`refusals` are what is answered to recipients, by address; `answers` to the next mails."""

    port: int = 0
    kept: list[Kept] = field(default_factory=list)
    refusals: dict[str, str] = field(default_factory=dict)
    answers: list[str] = field(default_factory=list)
    sign_ins: list[tuple[bytes, bytes]] = field(default_factory=list)

    def url(self, rest: str = "?to=bob@example.org", *, scheme: str = "smtp") -> str:
        return f"{scheme}://127.0.0.1:{self.port}{rest}"

    async def handle_RCPT(
        self, server: Server, session: Session, envelope: Envelope, address: str, options: Any
    ) -> str:
        if address in self.refusals:
            return self.refusals[address]
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: Server, session: Session, envelope: Envelope) -> str:
        if self.answers and (answer := self.answers.pop(0)) != "250":
            return answer
        content = envelope.content
        assert isinstance(content, bytes)
        user = getattr(session.auth_data, "login", b"") or b""
        self.kept.append(
            Kept(
                envelope.mail_from or "",
                list(envelope.rcpt_tos),
                content,
                session.ssl is not None,
                user.decode(),
                session.host_name or "",
            )
        )
        return "250 kept"

    def sign_in(
        self, server: Server, session: Session, envelope: Envelope, way: str, given: Any
    ) -> AuthResult:
        assert isinstance(given, LoginPassword)
        self.sign_ins.append((given.login, given.password))
        right = (given.login, given.password) == (USER.encode(), PASSWORD.encode())
        return AuthResult(success=right, auth_data=given, handled=False)


class _Listening(Controller):
    """At a free port, where it looks at itself without a handshake."""

    @property
    def found_port(self) -> int:
        assert isinstance(self.server, asyncio.Server)
        return int(self.server.sockets[0].getsockname()[1])

    def _trigger_server(self) -> None:
        socket.create_connection((self.hostname, self.found_port)).close()


StartsMail = Callable[..., MailServer]


@pytest.fixture
def authority(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Authority:
    """An authority that the environment names."""
    made = Authority()
    bundle = tmp_path / "bundle.pem"
    bundle.write_text(made.pem)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(bundle))
    return made


def server_tls(authority: Authority, folder: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*authority.sign_for("127.0.0.1", folder))
    return context


@contextmanager
def _running(controller: _Listening, kept: MailServer) -> Iterator[MailServer]:
    controller.start()
    try:
        kept.port = controller.found_port
        yield kept
    finally:
        controller.stop()


@contextmanager
def listening() -> Iterator[MailServer]:
    """One in clear, that lets everybody in."""
    kept = MailServer()
    with _running(_Listening(kept, hostname="127.0.0.1", port=0), kept):
        yield kept


@pytest.fixture
def mail_server() -> Iterator[StartsMail]:
    """Call it with `tls` (and `implicit`), `auth`; the server runs until the test is over."""
    with ExitStack() as stack:

        def start(
            *,
            tls: ssl.SSLContext | None = None,
            implicit: bool = False,
            auth: bool = False,
            **more: Any,
        ) -> MailServer:
            kept = MailServer()
            own: dict[str, Any] = {"ssl_context": tls} if implicit else {"tls_context": tls}
            if auth:
                has_starttls = tls is not None and not implicit
                more |= {"authenticator": kept.sign_in, "auth_require_tls": has_starttls}
                more |= {"auth_required": has_starttls}
            controller = _Listening(kept, hostname="127.0.0.1", port=0, **own, **more)
            return stack.enter_context(_running(controller, kept))

        yield start


@dataclass
class Script:
    """A server that answers each line with the next of `replies`, whatever it is. An empty one is
    no answer but the end; None drips for ever."""

    replies: list[str | None]
    port: int = 0
    heard: list[bytes] = field(default_factory=list)
    over: threading.Event = field(default_factory=threading.Event)

    def url(self, rest: str = "?to=bob@example.org", *, scheme: str = "smtp") -> str:
        return f"{scheme}://127.0.0.1:{self.port}{rest}"

    def talk(self, connection: socket.socket) -> None:
        with connection, connection.makefile("rb") as lines:
            for index, reply in enumerate(self.replies):
                if index:
                    self.heard.append(lines.readline())
                if reply is None:
                    self._drip(connection)
                if not reply:
                    return
                connection.sendall(reply.encode())
            while line := lines.readline():
                self.heard.append(line)

    def _drip(self, connection: socket.socket) -> None:
        try:
            while not self.over.wait(0.02):
                connection.sendall(b"2")
        except OSError:
            return


@contextmanager
def scripted(*replies: str | None) -> Iterator[Script]:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        script = Script(list(replies), listening.getsockname()[1])

        def serve() -> None:
            try:
                script.talk(listening.accept()[0])
            except OSError:
                return

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        try:
            yield script
        finally:
            script.over.set()
            listening.close()
            thread.join(5)
