"""A server that is farther away than it is: every request reaches it some time later."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

PART = 64 * 1024


@dataclass
class Slow:
    """A way to a port of this machine, and how many requests took it, at once too."""

    port: int
    latency: float
    address: str = ""
    requests: int = 0
    most_at_once: int = 0
    _at_once: int = field(default=0, repr=False)
    _open: set[asyncio.Future[None]] = field(default_factory=set, repr=False)

    def reset(self) -> None:
        self.requests = self.most_at_once = 0

    async def relay(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there_reader, there_writer = await asyncio.open_connection("127.0.0.1", self.port)
        ways = [
            asyncio.ensure_future(way)
            for way in (self._ask(reader, there_writer), _pass_on(there_reader, writer))
        ]
        self._open.update(ways)  # asyncio itself does not keep them
        with suppress(asyncio.CancelledError):  # it is all over
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        for way in ways:
            way.cancel()
        self._open.difference_update(ways)
        writer.close()
        there_writer.close()

    async def _ask(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Requests without a body come in one part, and the next one only after the answer."""
        with suppress(OSError):  # one of both has gone
            while part := await reader.read(PART):
                self.requests += part.startswith((b"GET ", b"HEAD "))
                self._at_once += 1
                self.most_at_once = max(self.most_at_once, self._at_once)
                await asyncio.sleep(self.latency)
                self._at_once -= 1
                writer.write(part)


@contextmanager
def slow(port: int, latency: float) -> Iterator[Slow]:
    """Put `latency` seconds before each request to a port, for as long as this is open."""
    loop, way = asyncio.new_event_loop(), Slow(port, latency)
    server = loop.run_until_complete(asyncio.start_server(way.relay, "127.0.0.1", 0))
    way.address = f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        yield way
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.run_until_complete(_close(server))
        loop.close()


async def _close(server: asyncio.Server) -> None:
    server.close()
    open_ones = asyncio.all_tasks() - {asyncio.current_task()}
    for task in open_ones:
        task.cancel()
    await asyncio.gather(*open_ones, return_exceptions=True)


async def _pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while part := await reader.read(PART):
            writer.write(part)
