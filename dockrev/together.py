"""What several requests want of the database, done by one of them in one transaction.

SQLite has one writer, and Python one thread that runs. Threads that wait for each other inside
SQLite sleep, longer each time, and lose a wake-up at every statement; here they wait for a lock of
ours, and whoever gets it works and commits for all who wait. Under load that is one commit for many
requests, and each is answered only once it is on disk. Alone, a request commits for itself at once.

In the web process they also share one connection: SQLite forgets its pages whenever another
connection has written, and reading them again took longer than all the rest.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from typing import Any, Generic, TypeVar

from django.db import DEFAULT_DB_ALIAS, OperationalError, connections, transaction
from django.db.backends.base.base import BaseDatabaseWrapper

T = TypeVar("T")
Seen = dict[str, Any]  # what one piece of a batch looked up, and the others need not
Prepare = Callable[[Seen], Callable[[], T]]
MOST = 32  # in one transaction


class _Piece(Generic[T]):
    """What one request wants, and what came of it."""

    def __init__(self, prepare: Prepare[T]) -> None:
        self.prepare = prepare
        self.work: Callable[[], T] | None = None
        self.done = False
        self.result: T | None = None
        self.error: BaseException | None = None

    def is_prepared(self, seen: Seen) -> bool:
        try:
            self.work = self.prepare(seen)
        except Exception as error:
            self.error = error
        return self.error is None

    def outcome(self) -> T:
        if self.error is not None:
            raise self.error
        return self.result  # type: ignore[return-value]  # set where there was no error


class Together:
    """Does pieces of work in shared transactions, in the order that they came.

    `shares` says whether that is on one connection of its own, or on that of the thread.
    """

    def __init__(self) -> None:
        self.shares = False
        self._mutex = threading.Lock()
        self._turn = threading.Lock()
        self._waiting: list[_Piece[Any]] = []
        self._connection: BaseDatabaseWrapper | None = None

    def do(self, prepare: Prepare[T]) -> T:
        """Run `prepare`, then the work that it returns in a transaction.

        Returns what the work did, or raises as either did, once that is committed. What `prepare`
        raises keeps its piece out of the transaction. The work may run a second time, if another
        piece spoiled the first transaction.
        """
        piece = _Piece(prepare)
        with self._mutex:
            self._waiting.append(piece)
        with self._turn:
            while not piece.done:
                with self._mutex:
                    batch, self._waiting = self._waiting[:MOST], self._waiting[MOST:]
                self._do(batch)
        return piece.outcome()

    def _do(self, batch: list[_Piece[Any]]) -> None:
        """Whatever happens, nobody in the batch waits on: it is in no list any more."""
        try:
            with self._our_connection() if self.shares else nullcontext():
                seen: Seen = {}
                if ready := [piece for piece in batch if piece.is_prepared(seen)]:
                    _commit(ready)
        except BaseException as error:
            for piece in batch:
                if not piece.done:
                    piece.error = error
            raise
        finally:
            for piece in batch:
                piece.done = True

    @contextmanager
    def _our_connection(self) -> Iterator[None]:
        """Make the shared connection this thread's, for as long as it has the turn."""
        if self._connection is None:
            self._connection = connections.create_connection(DEFAULT_DB_ALIAS)
            self._connection.inc_thread_sharing()
        own = connections[DEFAULT_DB_ALIAS]
        connections[DEFAULT_DB_ALIAS] = self._connection
        try:
            yield
        finally:
            connections[DEFAULT_DB_ALIAS] = own
            self._connection.close_if_unusable_or_obsolete()


def _commit(batch: list[_Piece[Any]]) -> None:
    try:
        with transaction.atomic():
            for piece in batch:
                piece.result = piece.work()  # type: ignore[misc]  # all are prepared
    except Exception as error:
        if len(batch) == 1 or isinstance(error, OperationalError):
            # Where the database is away or busy, it is so for each of them.
            for piece in batch:
                piece.error = error
        else:
            for piece in batch:
                _commit_alone(piece)


def _commit_alone(piece: _Piece[Any]) -> None:
    try:
        with transaction.atomic():
            piece.result = piece.work()  # type: ignore[misc]  # it is prepared
    except Exception as error:
        piece.error = error


together = Together()
