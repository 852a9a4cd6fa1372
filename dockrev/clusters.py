"""A django-q2 cluster as a child of the worker process, watched so that it cannot freeze.

A worker of django-q2 that is killed while it waits for work dies with the lock of the shared
queue, and its successor waits for that lock for ever. So the sentinel here takes a process that
died on its own account as the end of its cluster: what the others have in hand is finished, then
it leaves, and `worker.py` starts a new cluster. It is told to stop through a pipe: an `Event` of
multiprocessing never returns from `set()` when the one who waited for it was killed.
"""

from __future__ import annotations

import contextlib
import logging
import multiprocessing
import os
import select
import signal
import threading
import time
import uuid
from multiprocessing.process import BaseProcess
from typing import Any

from django.db import connections
from django_q.cluster import Sentinel
from django_q.conf import Conf

from dockrev import parenthood
from dockrev.dispatch import Cluster, cluster_settings

logger = logging.getLogger(__name__)

GUARD_SECONDS = 0.5
LOST = 3  # exit code of a sentinel that lost a process
_LOCK_WAIT = 1.0


class StopPipe:
    """The reading end of "please stop", shaped as the event that a sentinel waits for."""

    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor

    def wait(self, timeout: float) -> bool:
        return bool(select.select([self.descriptor], [], [], timeout)[0])

    def is_set(self) -> bool:
        return self.wait(0)


class WatchedSentinel(Sentinel):  # type: ignore[misc]  # django-q2 has no types
    """Guards its processes; leaves when one of them vanished and no other has work in hand."""

    lost = False

    def guard(self) -> None:
        self.start_event.set()
        while not self.stop_event.wait(GUARD_SECONDS):
            for process in list(self.pool):
                self._guard_worker(process)
            for process in (self.monitor, self.pusher):
                if not process.is_alive():
                    self.reincarnate(process)
            if self.lost and not any(_is_busy(process) for process in self.pool):
                os._exit(LOST)  # the kernel ends what is left below
        self.stop()

    def _guard_worker(self, process: Any) -> None:
        """Count its time down while it works, and replace it when it ended or ran over."""
        if process.is_alive():
            lock = process.timer.get_lock()
            if not lock.acquire(timeout=_LOCK_WAIT):
                self.lost = True  # somebody died with that lock
                return
            try:
                if process.timer.value > 0:
                    process.timer.value = max(0, process.timer.value - GUARD_SECONDS)
                if process.timer.value != 0:
                    return
            finally:
                lock.release()
        self.reincarnate(process)

    def reincarnate(self, process: Any) -> None:
        ran_over = process in self.pool and process.timer.get_obj().value == 0
        if not ran_over and process.exitcode not in (0, None):
            logger.warning(
                "a process of the cluster vanished", extra={"cluster": Conf.CLUSTER_NAME}
            )
            self.lost = True
        super().reincarnate(process)


def _is_busy(process: Any) -> bool:
    return bool(process.is_alive() and process.timer.get_obj().value > 0)


class ClusterProcess:
    """One running cluster: its sentinel is our child, in a session and group of its own."""

    def __init__(self, name: Cluster) -> None:
        self.name = name
        self.started_at = time.monotonic()
        reading, self._stop = os.pipe()
        connections.close_all()  # a connection must not be shared with a child
        self._process: BaseProcess = multiprocessing.get_context("fork").Process(
            target=_run, args=(name, reading), name=f"cluster {name}"
        )
        self._process.start()
        os.close(reading)

    @property
    def pid(self) -> int:
        return self._process.pid or 0

    @property
    def exitcode(self) -> int | None:
        return self._process.exitcode

    def ask_to_stop(self) -> None:
        """Have it finish what it has in hand and leave."""
        with contextlib.suppress(BrokenPipeError):
            os.write(self._stop, b".")

    def end(self) -> None:
        """Kill whatever is left of it."""
        for kill in (os.killpg, os.kill):
            with contextlib.suppress(ProcessLookupError):
                kill(self.pid, signal.SIGKILL)
        self._process.join()
        os.close(self._stop)


def _run(name: Cluster, stop: int) -> None:
    """The child. It is forked, not executed, to share the memory of what is loaded."""
    os.setsid()
    parenthood.show_as(f"dockrev {name}")
    configuration = cluster_settings(name)
    Conf.CLUSTER_NAME = name
    for option in ("workers", "queue_limit", "timeout", "retry"):
        setattr(Conf, option.upper(), configuration[option])
    WatchedSentinel(StopPipe(stop), threading.Event(), uuid.uuid4())
