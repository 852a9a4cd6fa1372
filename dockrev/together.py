"""Writes of several requests in one transaction.

SQLite has one writer. Threads that wait for it inside SQLite sleep, longer each time; here they
wait for a lock of ours, and whoever gets it commits for all who wait. Under load that is one
commit for many requests, and each is answered only once it is on disk. Alone, a request commits
for itself at once.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any, Generic, TypeVar

from django.db import OperationalError, transaction

T = TypeVar("T")
MOST = 32  # in one transaction


class _Piece(Generic[T]):
    """One request's write, and what came of it."""

    def __init__(self, work: Callable[[], T]) -> None:
        self.work = work
        self.done = False
        self.result: T | None = None
        self.error: BaseException | None = None

    def outcome(self) -> T:
        if self.error is not None:
            raise self.error
        return self.result  # type: ignore[return-value]  # set where there was no error


class Together:
    """Runs pieces of work in shared transactions, in the order that they came."""

    def __init__(self) -> None:
        self._mutex = threading.Lock()
        self._turn = threading.Lock()
        self._waiting: list[_Piece[Any]] = []

    def do(self, work: Callable[[], T]) -> T:
        """Run `work` in a transaction, and return or raise as it did once that is committed.

        `work` may run a second time, if another piece spoiled the first transaction.
        """
        piece = _Piece(work)
        with self._mutex:
            self._waiting.append(piece)
        with self._turn:
            while not piece.done:
                with self._mutex:
                    batch, self._waiting = self._waiting[:MOST], self._waiting[MOST:]
                _commit(batch)
        return piece.outcome()


def _commit(batch: list[_Piece[Any]]) -> None:
    try:
        with transaction.atomic():
            for piece in batch:
                piece.result = piece.work()
    except OperationalError as error:
        # The database is away or busy, and is so for each of them.
        for piece in batch:
            piece.error = error
    except Exception:
        for piece in batch:
            _commit_alone(piece)
    for piece in batch:
        piece.done = True


def _commit_alone(piece: _Piece[Any]) -> None:
    try:
        with transaction.atomic():
            piece.result = piece.work()
    except Exception as error:
        piece.error = error


together = Together()
