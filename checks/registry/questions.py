"""Lets one thread ask what several want to know."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from concurrent.futures import Future
from threading import Lock
from typing import Any, TypeVar

T = TypeVar("T")


class Questions:
    """Remembers what came of each question, an exception too, until it is forgotten."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._answers: dict[Hashable, Future[Any]] = {}

    def ask(self, question: Hashable, call: Callable[[], T]) -> T:
        """Ask by `call`, or wait for the thread that is asking already."""
        mine: Future[Any] = Future()
        with self._lock:
            asked = self._answers.setdefault(question, mine)
        if asked is mine:
            try:
                mine.set_result(call())
            except BaseException as error:  # whatever it is, those who wait must hear of it
                mine.set_exception(error)
        answer: T = asked.result()
        return answer

    def forget(self, question: Hashable) -> None:
        """Have it asked anew from now on. Who waits already gets the answer that comes."""
        with self._lock:
            self._answers.pop(question, None)
