"""Who works and who only waits, for a body or for somebody else's server.

A server's thread is taken for as long as a request's body takes to come, which is up to whoever
sends it. So there are many threads, few of them may work at a time, and those that wait for a body
leave their turn to others. What waits is counted: nobody gets all threads by sending nothing.
A view that asks a server elsewhere leaves its turn in the same way, with `turns.aside()`.
Deliveries need no turn: one thread at a time works for all that wait (`together.py`).
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from queue import SimpleQueue
from typing import Any

from django.utils.translation import gettext as _

from dockrev.errors import RateLimited
from dockrev.proxies import neighbourhood

THREADS = 64
WORKING = 4  # more only wait for each other, and for SQLite's one writer
WAITING = 48  # the rest is for requests without a body
WAITING_EACH = 16  # from one address, or one neighbourhood of them
ASIDE = 8  # requests that wait for somebody else's server
ASIDE_SECONDS = 10  # about how long such a server is waited for
FIRST = 64 * 1024  # bytes that are read before the turn: all of most bodies


class Turns:
    """The turns of one process."""

    def __init__(self) -> None:
        self._free: SimpleQueue[None] = SimpleQueue()  # a semaphore, but a quick and a fair one
        for _turn in range(WORKING):
            self._free.put(None)
        self._lock = threading.Lock()
        self._waiting: Counter[str] = Counter()  # by address
        self._aside = threading.BoundedSemaphore(ASIDE)
        self._thread = threading.local()  # has `turn` while it is this thread's

    @contextmanager
    def one(self) -> Iterator[None]:
        """Work inside, once it is this thread's turn."""
        self._take()
        try:
            yield
        finally:
            self._give()

    @contextmanager
    def aside(self) -> Iterator[None]:
        """Wait inside for somebody else's server, without keeping others from working.

        Never inside a transaction, which keeps others from writing. Raises RateLimited where too
        many wait already. Outside a turn, as in a job or a command, it does nothing.
        """
        if not getattr(self._thread, "turn", False):
            yield
            return
        if not self._aside.acquire(blocking=False):
            raise RateLimited(
                _("Too many requests wait for other servers; try again."),
                headers={"Retry-After": str(ASIDE_SECONDS)},
            )
        self._give()
        try:
            yield
        finally:
            self._aside.release()
            self._take()

    @contextmanager
    def left(self, address: str) -> Iterator[None]:
        """Inside a turn, wait for an address without keeping others from working."""
        self._give()
        try:
            with self.waiting(address):
                yield
        finally:
            self._take()

    @contextmanager
    def waiting(self, address: str) -> Iterator[None]:
        """Count as waiting for this address inside."""
        address = neighbourhood(address)
        with self._lock:
            self._waiting[address] += 1
        try:
            yield
        finally:
            with self._lock:
                self._waiting[address] -= 1
                if not self._waiting[address]:
                    del self._waiting[address]

    def are_crowded(self, address: str) -> bool:
        """Whether so many bodies are waited for that one more from this address is too many."""
        address = neighbourhood(address)
        with self._lock:
            return self._waiting[address] >= WAITING_EACH or sum(self._waiting.values()) >= WAITING

    def _take(self) -> None:
        self._free.get()
        self._thread.turn = True

    def _give(self) -> None:
        self._thread.turn = False
        self._free.put(None)


class Body:
    """A body, of which the beginning is read before the turn, and the rest outside it."""

    def __init__(self, stream: Any, turns: Turns, address: str) -> None:
        self._stream, self._turns, self._address = stream, turns, address
        self._first = BytesIO()

    def begun(self, length: int | None) -> Any:
        """Wait for the beginning, and return what to read on from.

        Of a body that is said to be long nothing is read yet: it may be refused for that.
        """
        if length is not None and length > FIRST:
            return self
        with self._turns.waiting(self._address):
            first = self._stream.read(FIRST if length is None else length)
        self._first = BytesIO(first)
        return self._first if len(first) == length else self

    def read(self, size: int = -1) -> bytes:
        part = self._first.read(size)
        if len(part) == size:
            return part
        with self._turns.left(self._address):
            return part + bytes(self._stream.read(size - len(part) if size >= 0 else -1))

    def readline(self, size: int = -1) -> bytes:
        part = self._first.readline(size)
        if len(part) == size or part.endswith(b"\n"):
            return part
        with self._turns.left(self._address):
            return part + bytes(self._stream.readline(size - len(part) if size >= 0 else -1))

    def __iter__(self) -> Iterator[bytes]:
        while line := self.readline():
            yield line


turns = Turns()
