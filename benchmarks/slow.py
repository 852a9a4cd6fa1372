"""A registry that is farther away than it is: every answer comes some time later.

What it has answered once is recorded, and answered from then on in its place, byte for byte. That
takes hardly any processor time, so that what is measured is who asks. A repository `copies/7/a/b`
is `a/b` under one more name. It can fail on purpose, too.
"""

from __future__ import annotations

import asyncio
import re
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

PART = 64 * 1024
REFUSAL = b"HTTP/1.1 429 Too Many Requests\r\nRetry-After: 2\r\nContent-Length: 0\r\n\r\n"
_COPY = re.compile(rb"/v2/copies/[0-9]+/")


@dataclass
class Slow:
    """A way to a port of this machine, and how many requests took it, at once too.

    Above `most` at once it refuses; one that `hangs` never answers, and one that `resets` ends each
    connection when it is asked something.
    """

    port: int
    latency: float
    address: str = ""
    requests: int = 0
    most_at_once: int = 0
    at_once: int = 0
    most: int = 1_000_000
    hangs: bool = False
    resets: bool = False
    _recorded: dict[bytes, bytes] = field(default_factory=dict, repr=False)

    def reset(self) -> None:
        self.requests = self.most_at_once = 0

    def answer(self, request: bytes) -> bytes:
        request = _COPY.sub(b"/v2/", request, count=1)
        line = request.partition(b"\r\n")[0]
        if line not in self._recorded:
            self._recorded[line] = _ask(self.port, request)
        return self._recorded[line]


class _Way(asyncio.Protocol):
    """One connection. Requests without a body come in one part, one after the other's answer."""

    def __init__(self, slow: Slow) -> None:
        self._slow = slow

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        slow = self._slow
        if not data.startswith((b"GET ", b"HEAD ")):
            self._transport.close()  # TLS: there is none here
            return
        slow.requests += 1
        slow.at_once += 1
        slow.most_at_once = max(slow.most_at_once, slow.at_once)
        if slow.resets:
            slow.at_once -= 1
            self._transport.abort()
        elif not slow.hangs:
            refuses = slow.at_once > slow.most
            asyncio.get_running_loop().call_later(slow.latency, self._answer, data, refuses)

    def _answer(self, request: bytes, refuses: bool) -> None:
        self._slow.at_once -= 1
        self._transport.write(REFUSAL if refuses else self._slow.answer(request))


@contextmanager
def slow(port: int, latency: float, **faults: Any) -> Iterator[Slow]:
    """Put `latency` seconds before each answer of a port, for as long as this is open."""
    loop, way = asyncio.new_event_loop(), Slow(port, latency, **faults)
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    # Begun there: somebody else's loop may be running in this thread.
    begun = loop.create_server(lambda: _Way(way), "127.0.0.1", 0)
    server = asyncio.run_coroutine_threadsafe(begun, loop).result()
    way.address = f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield way
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        server.close()
        loop.close()


def _ask(port: int, request: bytes) -> bytes:
    """The answer as it comes over the wire."""
    with socket.create_connection(("127.0.0.1", port)) as there:
        there.sendall(request)
        answer = b""
        while not _is_whole(answer, is_head=request.startswith(b"HEAD ")):
            answer += there.recv(PART)
    return answer


def _is_whole(answer: bytes, *, is_head: bool) -> bool:
    head, end, body = answer.partition(b"\r\n\r\n")
    if not end or is_head:
        return bool(end)
    lines = (line.partition(b":") for line in head.lower().split(b"\r\n"))
    length = next((int(value) for name, _, value in lines if name == b"content-length"), None)
    return body.endswith(b"0\r\n\r\n") if length is None else len(body) >= length
