"""A stand-in for the socket proxy of compose.yaml, which cannot be pulled here.

It obeys the very list that compose.yaml gives to the real one, and remembers what it refused.
"""

from __future__ import annotations

import re
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import yaml


class AllowList:
    """What a `command` of the proxy allows: a pattern of paths for each method."""

    def __init__(self, command: list[str]) -> None:
        options = (re.fullmatch(r"-allow([A-Z]+)=(.+)", word) for word in command)
        self.patterns = {found[1]: found[2] for found in options if found}
        self.passed: list[str] = []
        self.refused: list[str] = []

    @classmethod
    def of_compose_file(cls, path: Path) -> AllowList:
        services = yaml.safe_load(path.read_text())["services"]
        return cls(services["docker-proxy"]["command"])

    def lets_through(self, method: str, target: str) -> bool:
        path = target.partition("?")[0]
        pattern = self.patterns.get(method)
        allowed = pattern is not None and re.fullmatch(pattern, path) is not None
        (self.passed if allowed else self.refused).append(f"{method} {path}")
        return allowed

    @contextmanager
    def before(self, unix_socket: str, *, address: str) -> Iterator[str]:
        """Serve on a free port of the address; yield its URL for DOCKER_HOST."""
        kind = type("Handler", (_Handler,), {"rules": self, "unix_socket": unix_socket})
        with ThreadingHTTPServer((address, 0), kind) as server:
            Thread(target=server.serve_forever, daemon=True).start()
            try:
                yield f"tcp://{address}:{server.server_port}"
            finally:
                server.shutdown()


class _Handler(BaseHTTPRequestHandler):
    rules: AllowList
    unix_socket: str

    def _answer(self) -> None:
        if not self.rules.lets_through(self.command, self.path):
            self.send_error(403)
            return
        asked = _UnixConnection(self.unix_socket)
        asked.request(self.command, self.path)
        answer = asked.getresponse()
        body = answer.read()
        self.send_response(answer.status)
        self.send_header("Content-Type", answer.getheader("Content-Type", "text/plain"))
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
        asked.close()

    do_GET = do_HEAD = do_POST = do_DELETE = do_PUT = _answer

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing: `passed` and `refused` are the log."""


class _UnixConnection(HTTPConnection):
    def __init__(self, path: str) -> None:
        super().__init__("localhost")
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(self._path)
