"""An end to answers that drip. A socket's own timeout is only about the next byte."""

from __future__ import annotations

import io
import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from http.client import HTTPResponse
from typing import Any

from urllib3 import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.connection import HTTPConnection, HTTPSConnection

_ends: ContextVar[float | None] = ContextVar("ends", default=None)


@contextmanager
def until(moment: float) -> Iterator[None]:
    """Inside, an answer is read until this moment of the monotonic clock, then TimeoutError."""
    token = _ends.set(moment)
    try:
        yield
    finally:
        _ends.reset(token)


def is_over() -> bool:
    """Whether the moment that `until` names is over."""
    ends = _ends.get()
    return ends is not None and time.monotonic() > ends


def at_most(seconds: float) -> float:
    """So many seconds, or as many as are left until the moment that `until` names, if fewer."""
    ends = _ends.get()
    return seconds if ends is None else max(0.001, min(seconds, ends - time.monotonic()))


class _Ending(io.RawIOBase):
    """Reads what a socket has, until it is time."""

    def __init__(self, raw: io.RawIOBase, ends: float) -> None:
        super().__init__()
        self._raw = raw
        self._ends = ends

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        if time.monotonic() > self._ends:
            raise TimeoutError
        return self._raw.readinto(buffer)

    def close(self) -> None:
        self._raw.close()
        super().close()


class _Answer(HTTPResponse):
    """Head and body of an answer, for as long as `until` says."""

    def __init__(self, sock: Any, *args: Any, **kwargs: Any) -> None:
        super().__init__(sock, *args, **kwargs)
        ends = _ends.get()
        if ends is not None:
            self.fp = io.BufferedReader(_Ending(self.fp.detach(), ends))


class _Connection(HTTPConnection):
    response_class = _Answer


class _SecureConnection(HTTPSConnection):
    response_class = _Answer


class _Pool(HTTPConnectionPool):
    ConnectionCls = _Connection


class _SecurePool(HTTPSConnectionPool):
    ConnectionCls = _SecureConnection


POOLS = {"http": _Pool, "https": _SecurePool}
"""For a pool manager's `pool_classes_by_scheme`."""
