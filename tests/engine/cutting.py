"""A way to a registry on which what is asked for breaks off in the middle."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import requests

from tests.real.registry import Registry
from tests.waiting import PATIENCE


class Way(ThreadingHTTPServer):
    """`cut` are the digests of which only half arrives; `broken` counts how often."""

    def __init__(self, registry: Registry) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.registry = registry
        self.address = f"127.0.0.1:{self.server_address[1]}"
        self.cut: set[str] = set()
        self.broken = 0


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Way

    def do_GET(self) -> None:
        kept = {name: self.headers.get_all(name, []) for name in ("Accept", "Range")}
        answer = requests.request(
            self.command,
            f"http://{self.server.registry.address}{self.path}",
            headers={name: ", ".join(values) for name, values in kept.items() if values},
            timeout=PATIENCE,
        )
        self.send_response(answer.status_code)
        for name in ("Content-Type", "Content-Length", "Docker-Content-Digest"):
            if name in answer.headers:
                self.send_header(name, answer.headers[name])
        self.end_headers()
        if self.path.rpartition("/")[2] in self.server.cut:
            self.server.broken += 1
            self.wfile.write(answer.content[: len(answer.content) // 2])
            self.close_connection = True
        else:
            self.wfile.write(answer.content)

    do_HEAD = do_GET

    def log_message(self, *_given: object) -> None:
        """Nobody reads it."""


@contextmanager
def way_to(registry: Registry) -> Iterator[Way]:
    way = Way(registry)
    thread = threading.Thread(target=way.serve_forever, daemon=True)
    thread.start()
    try:
        yield way
    finally:
        way.shutdown()
        way.server_close()
