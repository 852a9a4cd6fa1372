"""A place that messages are sent to: a real server on loopback that keeps what it gets."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from tests.waiting import PATIENCE


@dataclass(frozen=True)
class Received:
    at: float  # time.time()
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> dict[str, Any]:
        return dict(json.loads(self.body))


@dataclass
class Sink:
    """`answers` are the statuses of the next requests; then it is 204 for ever. `headers` and
    `body` go with those. `delay` is how many seconds it takes for each answer, and while
    `answering` is not set there is none."""

    url: str = ""
    received: list[Received] = field(default_factory=list)
    answers: list[int] = field(default_factory=list)
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    delay: float = 0.0
    answering: threading.Event = field(default_factory=threading.Event)
    arrived: threading.Condition = field(default_factory=threading.Condition)

    def wait_for(self, count: int) -> list[Received]:
        """Wait until this many messages came. Fails the test if they do not."""
        deadline = time.monotonic() + PATIENCE
        with self.arrived:
            while len(self.received) < count:
                left = deadline - time.monotonic()
                assert left > 0, f"only {len(self.received)} of {count} messages came"
                self.arrived.wait(left)
            return self.received[:]


@contextmanager
def sink() -> Iterator[Sink]:
    kept = Sink()
    kept.answering.set()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            with kept.arrived:
                kept.received.append(Received(time.time(), dict(self.headers), body))
                refuses = bool(kept.answers)
                status = kept.answers.pop(0) if refuses else 204
                kept.arrived.notify_all()
            time.sleep(kept.delay)
            kept.answering.wait()
            with suppress(BrokenPipeError):  # who asked may not have waited so long
                self.send_response(status)
                for name, value in kept.headers.items() if refuses else ():
                    self.send_header(name, value)
                answer = kept.body if refuses and status >= 400 else b""
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

        def log_message(self, format: str, *args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    kept.url = f"http://127.0.0.1:{server.server_port}/hook/with-a-token"
    poll = {"poll_interval": 0.02}  # or every end of a test waits half a second
    thread = threading.Thread(target=server.serve_forever, kwargs=poll, daemon=True)
    thread.start()
    try:
        yield kept
    finally:
        kept.answering.set()
        server.shutdown()
        server.server_close()
        thread.join()
