"""Work in threads that are waited for only so long: what hangs there holds nobody else."""

from __future__ import annotations

import contextvars
from collections.abc import Callable
from concurrent.futures import Future
from threading import Thread
from typing import TypeVar

Answer = TypeVar("Answer")


def begin(go: Callable[[], Answer]) -> Future[Answer]:
    """Start a thread that asks no database. Whoever drips may hold it for longer than we wait."""
    future: Future[Answer] = Future()

    def run() -> None:
        try:
            future.set_result(go())
        except BaseException as error:  # whatever it is, who waits must hear of it
            future.set_exception(error)

    Thread(target=contextvars.copy_context().run, args=(run,), daemon=True).start()
    return future
