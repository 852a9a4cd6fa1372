"""A django-q2 cluster as a child of the worker process, which cannot freeze.

A worker of django-q2 that is killed while it waits for work dies with the lock of the queue that
it shares with the others, and its successor waits for that lock for ever. So here workers share
nothing: each takes its messages from the database itself, and acknowledges them there. That
spares the two processes in between, too, and the memory of both.

The sentinel replaces a worker that died, and has what that may have taken handed out again. It is
told to stop through a pipe: an `Event` of multiprocessing never returns from `set()` when the one
who waited for it was killed.
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
from multiprocessing.sharedctypes import RawValue
from typing import Any

from django.db import DatabaseError, connections
from django_q.brokers import Broker
from django_q.cluster import Sentinel
from django_q.conf import Conf
from django_q.monitor import save_task
from django_q.signing import BadSignature, SignedPackage
from django_q.worker import worker

from dockrev import parenthood
from dockrev.dispatch import CLUSTERS, Cluster, cluster_settings
from dockrev.ticks import BESIDE, SHARES

logger = logging.getLogger(__name__)

GUARD_SECONDS = 0.5
TROUBLE_PAUSE = 2.0
_LOCK_WAIT = 1.0
_LONGEST_FAREWELL = 10.0
_RECYCLED = -2  # what django-q2's worker sets its timer to when it did enough and leaves
_STOP = "STOP"  # what django-q2's worker takes for the end
_fork = multiprocessing.get_context("fork")


class StopPipe:
    """The reading end of "please stop", shaped as the event that a sentinel waits for."""

    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor

    def wait(self, timeout: float) -> bool:
        return bool(select.select([self.descriptor], [], [], timeout)[0])

    def is_set(self) -> bool:
        return self.wait(0)


class Messages:
    """A worker's own way to its messages: what django-q2's worker takes for its two queues.

    `stopping` is memory that the sentinel shares. No lock goes with it that could be lost.
    """

    def __init__(self, broker: Broker, stopping: Any) -> None:
        self._broker = broker
        self._stopping = stopping
        self._done: dict[str, Any] | None = None

    def get(self) -> dict[str, Any] | str:
        """Wait for a message and take it; one is never taken before the last is acknowledged."""
        self.settle()
        while not self._stopping.value:
            try:
                if (message := self._take()) is not None:
                    return message
            except Exception:
                logger.exception("a worker could not ask for work")
                time.sleep(TROUBLE_PAUSE)
        return _STOP

    def are_over(self) -> bool:
        """Whether no more of them will be taken."""
        return bool(self._stopping.value)

    def put(self, done: dict[str, Any]) -> None:
        """Note what came of the message in hand. Called with a lock that the sentinel waits for,
        so it is not written yet."""
        self._done = done

    def settle(self) -> None:
        """Acknowledge what is done. Should that fail it comes again, and does nothing then."""
        done, self._done = self._done, None
        if done is None:
            return
        try:
            save_task(done, self._broker)
            self._broker.acknowledge(done["ack_id"])
        except Exception:
            logger.exception("a worker could not acknowledge a message")

    def _take(self) -> dict[str, Any] | None:
        """The next message; None after the broker's pause if there is none."""
        for ack_id, payload in self._broker.dequeue() or ():
            try:
                message: dict[str, Any] = SignedPackage.loads(payload)
            except (TypeError, BadSignature):
                logger.error("a message was not signed by us, and is thrown away")
                self._broker.fail(ack_id)
            except Exception:
                # It would come back for ever, and each time keep a worker from work for a while.
                logger.exception("a message cannot be read, and is thrown away")
                self._broker.fail(ack_id)
            else:
                return message | {"cluster": Conf.CLUSTER_NAME, "ack_id": ack_id}
        return None


class WatchedSentinel(Sentinel):  # type: ignore[misc]  # django-q2 has no types
    """Keeps its workers at work: no queue, lock or process in between."""

    def spawn_cluster(self) -> None:
        self.stopping = RawValue("b", 0)
        connections.close_all()  # a connection must not be shared with a child
        for _number in range(self.pool_size):
            self.spawn_worker()

    def spawn_worker(self) -> None:
        timer = _fork.Value("f", -1)
        process: Any = _fork.Process(
            target=_work, args=(Messages(self.broker, self.stopping), timer, self.timeout)
        )
        process.daemon, process.timer = True, timer
        self.pool.append(process)
        process.start()

    def guard(self) -> None:
        self.start_event.set()
        while not self.stop_event.wait(GUARD_SECONDS):
            for process in list(self.pool):
                if not process.is_alive() or self._has_run_over(process):
                    self.reincarnate(process)
        self.stop()

    def stop(self) -> None:
        """Let the workers finish what they have in hand; who is in a hurry kills us."""
        self.stopping.value = 1
        for process in self.pool:
            process.join()

    def _has_run_over(self, process: Any) -> bool:
        """Count a worker's time down while it works, and say whether it is over, or it leaves."""
        lock = process.timer.get_lock()
        if not lock.acquire(timeout=_LOCK_WAIT):
            return False  # somebody stopped it at an odd moment
        try:
            if process.timer.value > 0:
                process.timer.value = max(0, process.timer.value - GUARD_SECONDS)
            return process.timer.value in (0, _RECYCLED)
        finally:
            lock.release()

    def reincarnate(self, process: Any) -> None:
        """Replace a worker that ended or ran over its time."""
        process.terminate()
        self.pool.remove(process)
        if process.exitcode:  # None while it ends, 0 where it left by itself
            logger.warning("a worker vanished", extra={"cluster": Conf.CLUSTER_NAME})
            _hand_out_again(Conf.CLUSTER_NAME)
        connections.close_all()  # a connection must not be shared with a child
        self.spawn_worker()


def _hand_out_again(cluster: Cluster) -> None:
    """What a worker had taken and not begun would come back only after `retry`."""
    try:
        for share in SHARES:
            share.redispatch(cluster)
    except DatabaseError:
        logger.exception("what a worker had taken comes back later")


def _work(messages: Messages, timer: Any, timeout: int) -> None:
    leaving = threading.Event()
    threads = [
        threading.Thread(
            target=run, args=(lambda: leaving.is_set() or messages.are_over(),), daemon=True
        )
        for run in (BESIDE if CLUSTERS[0] == Conf.CLUSTER_NAME else ())
    ]
    for thread in threads:
        thread.start()
    worker(messages, messages, timer, timeout)
    leaving.set()
    # It was replaced already, and what its threads have in hand may come to its end.
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    messages.settle()  # one that ran over its time left without asking for the next
    for thread in threads:
        thread.join(_LONGEST_FAREWELL)


class ClusterProcess:
    """One running cluster: its sentinel is our child, in a session and group of its own."""

    def __init__(self, name: Cluster) -> None:
        self.name = name
        self.started_at = time.monotonic()
        reading, self._stop = os.pipe()
        connections.close_all()  # a connection must not be shared with a child
        self._process: BaseProcess = _fork.Process(
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
    for option in ("workers", "timeout", "retry"):
        setattr(Conf, option.upper(), configuration[option])
    WatchedSentinel(StopPipe(stop), threading.Event(), uuid.uuid4())
