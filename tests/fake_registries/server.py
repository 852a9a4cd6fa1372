"""What the fake registries share: a server, what it was asked, and how it fails when told to."""

from __future__ import annotations

import json
import ssl
from abc import ABC, abstractmethod
from base64 import b64decode
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from http.server import ThreadingHTTPServer
from pathlib import Path
from threading import Event, RLock, Thread
from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qs, unquote, urlsplit

from tests.fake_github.answers import Answer, Refusal
from tests.fake_github.faults import HTML, Fault, Kind
from tests.fake_github.wire import handler_for

HUGE = 9 * 1024 * 1024  # bytes; more than anybody should read


@dataclass(frozen=True)
class Asked:
    """A request that came; header names are in lower case."""

    method: str
    path: str
    query: Mapping[str, list[str]]
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)

    def first(self, name: str, default: str = "") -> str:
        return self.query.get(name, [default])[0]

    @property
    def json(self) -> dict[str, Any]:
        try:
            given = json.loads(self.body)
        except ValueError:
            given = None
        if not isinstance(given, dict):
            raise Refusal(Answer(400, {"message": "not an object"}))
        return given

    @property
    def basic(self) -> tuple[str, str]:
        """User and password; empty where there are none."""
        scheme, _space, value = self.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "basic":
            return "", ""
        user, _colon, password = b64decode(value).decode().partition(":")
        return user, password


@dataclass(frozen=True)
class Delivered:
    """A call that a registry made; status 0: nobody answered."""

    url: str
    headers: Mapping[str, str]
    body: bytes
    status: int


class FakeRegistry(ABC):
    """A context manager: it listens at `url` while it is entered.

    `before` is called with method and path as each request comes. `delivers`: whether hooks are
    really called; if not, `answered` is what they would have said.
    """

    def __init__(self) -> None:
        self.before: Callable[[str, str], object] | None = None
        self.delivers = False
        self.answered = 202
        self.asked: list[Asked] = []
        self.delivered: list[Delivered] = []
        self.faults: list[Fault] = []
        self.connections = 0
        self.over = Event()
        self.certificate: tuple[Path, Path] | None = None
        self.lock = RLock()
        self._calling: list[Thread] = []

    # Running

    def __enter__(self) -> Self:
        self._server = _Server(("127.0.0.1", 0), handler_for(self))
        scheme = "http"
        if self.certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*self.certificate)
            self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
            scheme = "https"
        self.host = f"127.0.0.1:{self._server.server_port}"
        self.url = f"{scheme}://{self.host}"
        run = {"poll_interval": 0.02}
        self._thread = Thread(target=self._server.serve_forever, kwargs=run, daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.over.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
        self.settle()

    def now(self) -> datetime:
        return datetime.now(UTC)

    # Trouble

    def fail(
        self, method: str, path_pattern: str, with_: Kind, times: int = 1, *, done: bool = False
    ) -> Fault:
        """Have the next `times` such requests fail; the pattern is fnmatch's. Beside a status:
        "html", "garbage", "nonsense", "huge", "timeout", "cut", "short", "truncated"."""
        fault = Fault(method, path_pattern, with_, times, done=done)
        self.faults.append(fault)
        return fault

    # Calling hooks

    def call(self, url: str, body: bytes, headers: Mapping[str, str]) -> int:
        """Call a hook and keep what came of it; the status, 0 if nobody answered."""
        status = _post(url, body, headers) if self.delivers else self.answered
        self.delivered.append(Delivered(url, dict(headers), body, status))
        return status

    def soon(self, work: Callable[[], object]) -> None:
        """Do what the registry does after it has answered."""
        thread = Thread(target=work, daemon=True)
        self._calling.append(thread)
        thread.start()

    def settle(self) -> None:
        """Wait until hooks that are being called were called."""
        for thread in self._calling:
            thread.join(20)
        self._calling.clear()

    # Answering

    @abstractmethod
    def respond(self, asked: Asked) -> Answer:
        """Answer a request; may raise Refusal."""

    @abstractmethod
    def refusal(self, status: int) -> Answer:
        """An answer of that status as this registry words it."""

    def answer(
        self, method: str, target: str, headers: dict[str, str], body: bytes
    ) -> tuple[Answer, Fault | None]:
        parts = urlsplit(target)
        query = parse_qs(parts.query, keep_blank_values=True)
        asked = Asked(method, unquote(parts.path), query, headers, body)
        if self.before:
            self.before(method, asked.path)
        with self.lock:
            return self._answer(asked)

    def _answer(self, asked: Asked) -> tuple[Answer, Fault | None]:
        self.asked.append(asked)
        fault = next((each for each in self.faults if each.meets(asked.method, asked.path)), None)
        answer = Answer(0)
        if fault:
            fault.met += 1
        if fault is None or fault.lets_it_be_done:
            try:
                answer = self.respond(asked)
            except Refusal as refusal:
                answer = refusal.answer
        if fault and not fault.of_connection:
            answer = self._wrong(fault.kind)
        return answer, fault if fault and fault.of_connection else None

    def _wrong(self, kind: Kind) -> Answer:
        if isinstance(kind, int):
            headers = {"Retry-After": "3600"} if kind == 429 else {}
            return replace(self.refusal(kind), headers=headers)
        texts = {
            "html": HTML,
            "garbage": '{"truncated": [1, 2',
            "nonsense": json.dumps([1, "two", None, [], {"id": {"id": None}, "config": 7}]),
            "huge": json.dumps([{"padding": "x" * HUGE}]),
        }
        return Answer(200, text=texts[str(kind)])


def number_of(text: str, default: int) -> int:
    return int(text) if text.isdecimal() else default


def _post(url: str, body: bytes, headers: Mapping[str, str]) -> int:
    parts = urlsplit(url)
    kind = HTTPSConnection if parts.scheme == "https" else HTTPConnection
    connection = kind(parts.hostname or "", parts.port, timeout=10)
    try:
        connection.request("POST", parts.path, body, dict(headers))
        answer = connection.getresponse()
        answer.read()
        return answer.status
    except (OSError, HTTPException):
        return 0
    finally:
        connection.close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 128
