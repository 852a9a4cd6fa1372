"""How many requests are under way at once: to one registry, and to all of them."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from threading import TIMEOUT_MAX, Condition, Lock
from typing import Any, Generic, TypeVar

from checks.registry.reference import DOCKER_HUB

PER_HOST = 32
AT_DOCKER_HUB = 8  # which limits how fast it may be asked, too
IN_ALL = 64
PATIENCE = 1.0  # seconds for which a request counts among those of all
THREADS = 256  # for all registries of one run, and one for each at least

T = TypeVar("T")


def at_once(host: str, hosts: int = 1, rests: int = 0) -> int:
    """How many requests may be under way to a registry, where a run asks so many registries.

    After a rest it is half as many, after two in a row a quarter.
    """
    most = AT_DOCKER_HUB if host == DOCKER_HUB else PER_HOST
    return max(1, min(most, THREADS // hosts) >> rests)


def threads_for(lanes: int, hosts: int) -> int:
    """How many threads keep so many lanes busy, where a run asks so many registries.

    One that chooses among tags, or waits for what another is asking already, leaves its lane free.
    """
    return max(lanes, min(2 * lanes, THREADS // hosts))


class Bridge:
    """Lets so many requests on their way at once.

    One that has waited for its answer for `patience` seconds counts no longer: it costs next to
    nothing, and registries that do not answer must not keep the others waiting.
    """

    def __init__(self, most: int, patience: float) -> None:
        self._most, self._patience = most, patience
        self._under_way: dict[object, float] = {}
        self._changed = Condition(Lock())

    def keep_to(self, most: int) -> None:
        """Let no more than this on their way at once, however long they wait for answers."""
        with self._changed:
            self._most, self._patience = most, TIMEOUT_MAX

    @contextmanager
    def crossing(self) -> Iterator[None]:
        mine = object()
        with self._changed:
            while len(self._under_way) >= self._most:
                # The first of them has been there for the longest.
                oldest, since = next(iter(self._under_way.items()))
                left = since + self._patience - time.monotonic()
                if left > 0:
                    self._changed.wait(min(left, TIMEOUT_MAX))
                else:
                    del self._under_way[oldest]
            self._under_way[mine] = time.monotonic()
        try:
            yield
        finally:
            with self._changed:
                self._under_way.pop(mine, None)
                self._changed.notify()


BRIDGE = Bridge(IN_ALL, PATIENCE)


class _Errand(Generic[T]):
    """Something to be done by whichever thread comes to it first."""

    def __init__(self, call: Callable[[], T]) -> None:
        self._call, self._taken = call, Lock()
        self._done: Future[T] = Future()

    def do(self) -> None:
        if not self._taken.acquire(blocking=False):
            return
        try:
            self._done.set_result(self._call())
        except BaseException as error:  # whatever it is, who waits must hear of it
            self._done.set_exception(error)

    def result(self) -> T:
        """Do it here, unless it was begun elsewhere: then wait for that."""
        self.do()
        return self._done.result()


class Lanes:
    """The threads that ask one registry. None is started before there is something to do.

    Each is a lane, unless the registry's `Traffic` lets fewer requests be under way.
    """

    def __init__(self, count: int) -> None:
        self._pool = ThreadPoolExecutor(count)

    def start(self, call: Callable[..., T], *arguments: Any) -> Future[T]:
        return self._pool.submit(call, *arguments)

    def together(self, calls: Sequence[Callable[[], T]]) -> list[T]:
        """Do all of it, at once as far as lanes are free, and return what came of each, in order.

        The caller, who may be in a lane, does what nobody else has begun: so nobody waits for a
        lane that is not coming. The first of their exceptions is raised.
        """
        errands = [_Errand(call) for call in calls]
        with suppress(RuntimeError):  # they are closed: what is under way ends here
            for errand in errands[1:]:
                self._pool.submit(errand.do)
        return [errand.result() for errand in errands]

    def close(self) -> None:
        """Begin nothing more. What is under way ends by itself."""
        self._pool.shutdown(wait=False, cancel_futures=True)
