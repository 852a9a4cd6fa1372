"""Servers that misbehave as real ones do, over real sockets. A good one is Distribution's own."""

from __future__ import annotations

import json
import ssl
from base64 import b64encode
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_address
from pathlib import Path
from threading import Event, Thread
from urllib.parse import parse_qs, urlsplit

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from tests.real.registry import digest_of
from tests.waiting import PATIENCE


@dataclass(frozen=True)
class Asked:
    """A request that a server got; header names are lower case."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes = b""

    @property
    def form(self) -> dict[str, list[str]]:
        return parse_qs(self.body.decode())

    @property
    def authorization(self) -> str:
        return self.headers.get("authorization", "")

    @property
    def query(self) -> dict[str, list[str]]:
        return parse_qs(urlsplit(self.path).query)


@dataclass(frozen=True)
class Reply:
    """`length` is what Content-Length says, if not the truth; None: sent in chunks, without end."""

    status: int = 200
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    length: int | None = -1


# Not a word: the connection is closed instead.
CUT = Reply(0)


def as_json(status: int = 200, **members: object) -> Reply:
    return Reply(status, json.dumps(members).encode(), {"Content-Type": "application/json"})


class Server:
    """Answers with what `answer` returns; None answers nothing until the test is over."""

    def __init__(self, answer: Callable[[Asked], Reply | None], port: int = 0) -> None:
        self.answer = answer
        self.asked: list[Asked] = []
        self.connections = 0
        self.over = Event()
        self._server = ThreadingHTTPServer(("127.0.0.1", port), _handler(self))
        self._server.daemon_threads = True
        self.port = self._server.server_port
        self.address = f"127.0.0.1:{self.port}"
        # Another name of the same machine: to a client another host.
        self.other_name = f"localhost:{self.port}"

    def speak_tls(self, certificate: Path, key: Path) -> None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        self._server.socket = context.wrap_socket(self._server.socket, server_side=True)

    def close(self) -> None:
        """Listen no more. One that is running is closed at its end."""
        self._server.server_close()

    @contextmanager
    def running(self) -> Iterator[Server]:
        thread = Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield self
        finally:
            self.over.set()
            self._server.shutdown()
            thread.join()
            self.close()


def _handler(server: Server) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def setup(self) -> None:
            server.connections += 1
            super().setup()

        def do_GET(self) -> None:
            headers = {name.lower(): value for name, value in self.headers.items()}
            body = self.rfile.read(int(headers.get("content-length", 0)))
            asked = Asked(self.command, self.path, headers, body)
            server.asked.append(asked)
            reply = server.answer(asked)
            if reply is None:
                server.over.wait(PATIENCE)
                self.close_connection = True
            elif reply is CUT:
                self.close_connection = True
            else:
                self._send(reply)

        do_HEAD = do_GET
        do_POST = do_GET
        do_PUT = do_GET
        do_PATCH = do_GET
        do_DELETE = do_GET

        def _send(self, reply: Reply) -> None:
            self.send_response(reply.status)
            for name, value in reply.headers.items():
                self.send_header(name, value)
            if reply.length is None:
                self.send_header("Transfer-Encoding", "chunked")
                self.end_headers()
                self._stream(reply.body)
                return
            length = len(reply.body) if reply.length < 0 else reply.length
            self.send_header("Content-Length", str(length))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(reply.body)
            self.close_connection = reply.length >= 0

        def _stream(self, part: bytes) -> None:
            chunk = f"{len(part):x}\r\n".encode() + part + b"\r\n"
            try:
                while not server.over.is_set():
                    self.wfile.write(chunk)
            except OSError:
                self.close_connection = True

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing."""

    return Handler


Starts = Callable[[Callable[[Asked], Reply | None]], Server]


@pytest.fixture
def serve() -> Iterator[Starts]:
    """Call it with a function from request to reply; the server runs until the test is over."""
    with ExitStack() as stack:
        yield lambda answer: stack.enter_context(Server(answer).running())


@pytest.fixture
def certificate(tmp_path: Path) -> tuple[Path, Path]:
    """A certificate for 127.0.0.1, signed by nobody but itself, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "dockrev test")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False
        )
        .sign(key, hashes.SHA256())
    )
    certificate, secret = tmp_path / "certificate.pem", tmp_path / "key.pem"
    certificate.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    secret.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return certificate, secret


class TokenRegistry:
    """A registry with one manifest under every tag, which wants a Bearer token to be read."""

    def __init__(self, *, user: str = "", password: str = "", challenge: str = "") -> None:
        self.manifest = json.dumps(
            {"schemaVersion": 2, "mediaType": "x", "config": {}, "layers": []}
        ).encode()
        self.digest = digest_of(self.manifest)
        self.user, self.password = user, password
        self.valid: set[str] = set()
        self.token_answer: Callable[[str], Reply] = lambda token: as_json(
            token=token, expires_in=300
        )
        self.server = Server(self.answer)
        self.challenge = challenge or 'Bearer realm="http://{address}/token",service="the service"'

    @property
    def tokens_given(self) -> list[Asked]:
        return [each for each in self.server.asked if each.path.startswith("/token")]

    @property
    def refused(self) -> int:
        manifests = [each for each in self.server.asked if "/manifests/" in each.path]
        return sum(each.authorization.removeprefix("Bearer ") == "" for each in manifests)

    def answer(self, asked: Asked) -> Reply:
        if asked.path.startswith("/token"):
            return self._token(asked)
        if asked.authorization.removeprefix("Bearer ") not in self.valid:
            header = self.challenge.format(address=self.server.address)
            return Reply(401, headers={"WWW-Authenticate": header})
        if asked.path.partition("?")[0].endswith("/tags/list"):
            return as_json(tags=["1"])
        return Reply(200, self.manifest, {"Docker-Content-Digest": self.digest})

    def _token(self, asked: Asked) -> Reply:
        known = "Basic " + b64encode(f"{self.user}:{self.password}".encode()).decode()
        if self.user and asked.authorization != known:
            return as_json(401, details="no")
        token = f"token-{len(self.tokens_given)}"
        self.valid.add(token)
        return self.token_answer(token)


@pytest.fixture
def token_registry() -> Iterator[TokenRegistry]:
    registry = TokenRegistry(user="ada", password="lovelace")
    with registry.server.running():
        yield registry
