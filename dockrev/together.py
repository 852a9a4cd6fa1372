"""What several requests want of the database, done by one of them in one transaction.

SQLite has one writer, and Python one thread that runs. Threads that wait for each other inside
SQLite sleep, longer each time, and lose a wake-up at every statement; here they wait for one of
them, who works and commits for all. Under load that is one commit for many requests, and each is
answered only once it is on disk. Alone, a request commits for itself at once.

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
PATIENCE = 0.002  # seconds that one waits for as many as came together the last time


class _Piece(Generic[T]):
    """What one request wants, and what came of it. `told` is free once its thread may go on."""

    def __init__(self, prepare: Prepare[T]) -> None:
        self.prepare = prepare
        self.work: Callable[[], T] | None = None
        self.told = threading.Lock()
        self.told.acquire()
        self.done = False
        self.result: T | None = None
        self.error: BaseException | None = None

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
        self._came = threading.Condition()
        self._led = False  # whether some thread works, or gathers what it will work on
        self._waiting: list[_Piece[Any]] = []  # what came meanwhile
        self._wanted = 0  # others than the leader's own, as many as in the last batch
        self._connection: BaseDatabaseWrapper | None = None

    def do(self, prepare: Prepare[T]) -> T:
        """Run `prepare`, then the work that it returns in a transaction.

        Returns what the work did, or raises as either did, once that is committed. What `prepare`
        raises keeps its piece out of the transaction. The work may run a second time, if another
        piece spoiled the first transaction.
        """
        piece = _Piece(prepare)
        with self._came:
            follows, self._led = self._led, True
            if follows:
                self._waiting.append(piece)
            if len(self._waiting) >= self._wanted:
                self._came.notify()
        if follows:
            piece.told.acquire()  # that it is done, or leads
        if not piece.done:
            self._lead(piece)
        return piece.outcome()

    def _lead(self, own: _Piece[Any]) -> None:
        """Work for all that wait. Whatever happens, those that come after get a leader."""
        others: list[_Piece[Any]] = []
        try:
            others = self._gathered()
            self._do([own, *others])
        finally:
            with self._came:
                self._led = bool(self._waiting)
                following, self._waiting = self._waiting[:1], self._waiting[1:]
            for piece in others + following:
                piece.told.release()

    def _gathered(self) -> list[_Piece[Any]]:
        """Those that wait, once they are as many as the last time, or a moment has passed."""
        with self._came:
            self._came.wait_for(lambda: len(self._waiting) >= self._wanted, PATIENCE)
            others, self._waiting = self._waiting[: MOST - 1], self._waiting[MOST - 1 :]
            self._wanted = len(others)
            return others

    def _do(self, batch: list[_Piece[Any]]) -> None:
        """Whatever happens, nobody in the batch waits on: it is in no list any more."""
        try:
            with self._our_connection() if self.shares else nullcontext():
                if ready := _prepared(batch):
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


def _prepared(batch: list[_Piece[Any]]) -> list[_Piece[Any]]:
    """Prepare each, and return those that have work to commit."""
    seen: Seen = {}
    for piece in batch:
        try:
            piece.work = piece.prepare(seen)
        except OperationalError as error:
            _fail(batch, error)
            break
        except Exception as error:
            piece.error = error
    return [piece for piece in batch if piece.error is None]


def _fail(batch: list[_Piece[Any]], error: BaseException) -> None:
    """Where the database is away or busy, it is so for each that has no error of its own."""
    for piece in batch:
        piece.error = piece.error or error


def _commit(batch: list[_Piece[Any]]) -> None:
    try:
        with transaction.atomic():
            for piece in batch:
                piece.result = piece.work()  # type: ignore[misc]  # all are prepared
    except Exception as error:
        if len(batch) == 1 or isinstance(error, OperationalError):
            _fail(batch, error)
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
