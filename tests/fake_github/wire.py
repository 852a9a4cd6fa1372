"""The server's side of a connection."""

from __future__ import annotations

import json
from datetime import datetime
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler
from threading import Event
from typing import Any, Protocol

from tests.fake_github.answers import Answer
from tests.fake_github.faults import CUT, SHORT, TIMEOUT, TRUNCATED, Fault

WAIT_SECONDS = 60


class Answering(Protocol):
    over: Event
    connections: int

    def now(self) -> datetime: ...

    def answer(
        self, method: str, target: str, headers: dict[str, str], body: bytes
    ) -> tuple[Answer, Fault | None]: ...


def handler_for(github: Answering) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        # Headers and body in one packet each: without it, 40 ms are lost to delayed ACKs.
        disable_nagle_algorithm = True

        def setup(self) -> None:
            github.connections += 1
            super().setup()

        def handle(self) -> None:
            try:
                super().handle()
            except OSError:
                self.close_connection = True

        def do_GET(self) -> None:
            headers = {name.lower(): value for name, value in self.headers.items()}
            body = self.rfile.read(int(headers.get("content-length", 0)))
            answer, fault = github.answer(self.command, self.path, headers, body)
            if fault is None:
                self._send(answer, _bytes(answer))
            else:
                self._go_wrong(answer, fault)

        do_POST = do_PATCH = do_DELETE = do_PUT = do_GET

        def _go_wrong(self, answer: Answer, fault: Fault) -> None:
            body = _bytes(answer)
            if fault.kind == TIMEOUT:
                github.over.wait(WAIT_SECONDS)
            elif fault.kind == TRUNCATED:
                self._send(answer, body[: len(body) // 2])
                return
            elif fault.kind == SHORT:
                self._send(answer, body[: len(body) // 2], length=len(body))
            else:
                assert fault.kind == CUT
            self.close_connection = True

        def _send(self, answer: Answer, body: bytes, length: int | None = None) -> None:
            self.send_response_only(answer.status)
            self.send_header("Date", format_datetime(github.now(), usegmt=True))
            for name, value in answer.headers.items():
                self.send_header(name, value)
            if body:
                kind = "text/html" if answer.text else "application/json"
                self.send_header("Content-Type", f"{kind}; charset=utf-8")
            if answer.status not in (204, 304):
                self.send_header("Content-Length", str(len(body) if length is None else length))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:
            """Say nothing."""

    return Handler


def _bytes(answer: Answer) -> bytes:
    if answer.text:
        return answer.text.encode()
    return b"" if answer.json is None else json.dumps(answer.json).encode()
