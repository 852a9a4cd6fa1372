"""Who works and who only waits for a body.

A server's thread is taken for as long as a request's body takes to come, which is up to whoever
sends it. So there are many threads, few of them may work at a time, and those that wait for a body
leave their turn to others. What waits is counted: nobody gets all threads by sending nothing.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

THREADS = 64
WORKING = 4  # more only wait for each other, and for SQLite's one writer
WAITING = 48  # the rest is for requests without a body
WAITING_EACH = 16  # from one address


class Turns:
    """The turns of one process."""

    def __init__(self) -> None:
        self._working = threading.BoundedSemaphore(WORKING)
        self._lock = threading.Lock()
        self._waiting: Counter[str] = Counter()  # by address

    @contextmanager
    def one(self) -> Iterator[None]:
        """Work inside, once it is this thread's turn."""
        with self._working:
            yield

    def are_crowded(self, address: str) -> bool:
        """Whether so many bodies are waited for that one more from this address is too many."""
        with self._lock:
            return self._waiting[address] >= WAITING_EACH or sum(self._waiting.values()) >= WAITING

    @contextmanager
    def left(self, address: str) -> Iterator[None]:
        """Inside a turn, wait for an address without keeping others from working."""
        with self._lock:
            self._waiting[address] += 1
        self._working.release()
        try:
            yield
        finally:
            with self._lock:
                self._waiting[address] -= 1
                if not self._waiting[address]:
                    del self._waiting[address]
            self._working.acquire()


class Patient:
    """A body that is waited for outside one's turn."""

    def __init__(self, stream: Any, turns: Turns, address: str) -> None:
        self._stream, self._turns, self._address = stream, turns, address

    def read(self, size: int = -1) -> bytes:
        with self._turns.left(self._address):
            part: bytes = self._stream.read(size)
        return part

    def readline(self, size: int = -1) -> bytes:
        with self._turns.left(self._address):
            line: bytes = self._stream.readline(size)
        return line

    def __iter__(self) -> Iterator[bytes]:
        while line := self.readline():
            yield line


turns = Turns()
