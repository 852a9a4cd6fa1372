"""A django-q2 cluster, whose workers are children of the worker process, and which cannot freeze.

A worker of django-q2 that is killed while it waits for work dies with the lock of the queue that
it shares with the others, and its successor waits for that lock for ever. So here workers share
nothing: each takes its messages from the database itself, and acknowledges them there. That
spares the three processes in between, too, and the memory of all: the worker process tends the
workers beside its other work.
"""

from __future__ import annotations

import contextlib
import logging
import multiprocessing
import os
import signal
import threading
import time
from multiprocessing.sharedctypes import RawValue
from typing import Any

from django.db import DatabaseError, connections
from django_q.brokers import Broker, get_broker
from django_q.conf import Conf
from django_q.monitor import save_task
from django_q.signing import BadSignature, SignedPackage
from django_q.worker import worker

from dockrev import parenthood
from dockrev.dispatch import CLUSTERS, Cluster, cluster_settings
from dockrev.ticks import BESIDE, SHARES

logger = logging.getLogger(__name__)

TROUBLE_PAUSE = 2.0
_MOST_AT_A_LOOK = 1.0  # who began while nobody looked has not worked for all of that
_LOCK_WAIT = 1.0
_LONGEST_FAREWELL = 10.0
_RECYCLED = -2  # what django-q2's worker sets its timer to when it did enough and leaves
_STOP = "STOP"  # what django-q2's worker takes for the end
_fork = multiprocessing.get_context("fork")


class Messages:
    """A worker's own way to its messages: what django-q2's worker takes for its two queues.

    `stopping` is memory that the worker process shares. No lock goes with it that could be lost.
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
        """Note what came of the message in hand. Called with a lock that the worker process waits
        for, so it is not written yet."""
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


class RunningCluster:
    """The workers of one cluster: our children, each in a session and group of its own."""

    def __init__(self, name: Cluster) -> None:
        self.name = name
        self._settings = cluster_settings(name)
        self._stopping = RawValue("b", 0)
        self._tended_at = time.monotonic()
        connections.close_all()  # a connection must not be shared with a child
        self._pool: list[Any] = [self._spawned() for _ in range(self._settings["workers"])]

    @property
    def has_ended(self) -> bool:
        """Whether none of its workers is left."""
        return not any(process.is_alive() for process in self._pool)

    def tend(self) -> None:
        """Replace who died or ran over his time, and have what he may have taken handed out."""
        now = time.monotonic()
        since = min(now - self._tended_at, _MOST_AT_A_LOOK)
        self._tended_at = now
        for process in list(self._pool):
            if not process.is_alive() or _has_run_over(process, since):
                self._replace(process)

    def ask_to_stop(self) -> None:
        """Have the workers finish what they have in hand and leave."""
        self._stopping.value = 1

    def end(self) -> None:
        """Kill whatever is left of it."""
        for process in self._pool:
            _kill(process)

    def _replace(self, process: Any) -> None:
        process.terminate()
        self._pool.remove(process)
        if process.exitcode:  # None while it ends, 0 where it left by itself
            logger.warning("a worker vanished", extra={"cluster": self.name})
            _hand_out_again(self.name)
        connections.close_all()  # a connection must not be shared with a child
        self._pool.append(self._spawned())

    def _spawned(self) -> Any:
        timer = _fork.Value("f", -1)
        process: Any = _fork.Process(
            target=_work, args=(self.name, self._settings, self._stopping, timer), daemon=True
        )
        process.timer = timer
        process.start()
        return process


def _has_run_over(process: Any, since: float) -> bool:
    """Count a worker's time down by so many seconds while it works, and say whether it is over, or
    it leaves."""
    lock = process.timer.get_lock()
    if not lock.acquire(timeout=_LOCK_WAIT):
        return False  # somebody stopped it at an odd moment
    try:
        if process.timer.value > 0:
            process.timer.value = max(0, process.timer.value - since)
        return process.timer.value in (0, _RECYCLED)
    finally:
        lock.release()


def _kill(process: Any) -> None:
    """With all that it has started."""
    for kill in (os.killpg, os.kill):
        with contextlib.suppress(ProcessLookupError):
            kill(process.pid, signal.SIGKILL)
    process.join()


def _hand_out_again(cluster: Cluster) -> None:
    """What a worker had taken and not begun would come back only after `retry`."""
    try:
        for share in SHARES:
            share.redispatch(cluster)
    except DatabaseError:
        logger.exception("what a worker had taken comes back later")


def _work(name: Cluster, configuration: dict[str, Any], stopping: Any, timer: Any) -> None:
    """The child. It is forked, not executed, to share the memory of what is loaded."""
    os.setsid()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    parenthood.show_as(f"dockrev {name}")
    Conf.CLUSTER_NAME, Conf.RETRY = name, configuration["retry"]
    messages = Messages(get_broker(), stopping)
    leaving = threading.Event()
    threads = [
        threading.Thread(
            target=run, args=(lambda: leaving.is_set() or messages.are_over(),), daemon=True
        )
        for run in (BESIDE if CLUSTERS[0] == name else ())
    ]
    for thread in threads:
        thread.start()
    worker(messages, messages, timer, configuration["timeout"])
    leaving.set()
    # It was replaced already, and what its threads have in hand may come to its end.
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    messages.settle()  # one that ran over its time left without asking for the next
    for thread in threads:
        thread.join(_LONGEST_FAREWELL)
