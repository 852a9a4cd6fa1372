"""The worker process: starts and watches the clusters, and hands them what becomes due."""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import time
from collections import deque
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from functools import partial
from importlib import import_module
from types import FrameType

from django.conf import settings
from django.db import DatabaseError, close_old_connections, connections
from django.db.models import Max
from django.utils import timezone
from django_q.models import OrmQ

from dockrev import parenthood, probes, schedules, sharing
from dockrev.clusters import RunningCluster
from dockrev.dispatch import CLUSTERS, Cluster, cluster_settings, waiting
from dockrev.ticks import PRELOAD, SHARES

logger = logging.getLogger(__name__)

TICK_SECONDS = 0.1
START_SECONDS = 0.5
TEND_SECONDS = 0.5
LOOK_SECONDS = 1.0
RECOVER_SECONDS = 5.0
GRACE_SECONDS = 10.0
LATE_AFTER = timedelta(seconds=10)
LATE_LOOKS = 4  # in a row: the first look after a machine slept finds everything late
MOST_RESTARTS, RESTARTS_WITHIN = 5, 60.0
TROUBLE_PAUSE = 2.0


def load() -> None:
    """Import what jobs need, and look at the work once, before the forks: they then share that
    memory, and what Django builds for a first query, which is some megabytes."""
    for module in PRELOAD:
        import_module(module)
    now = timezone.now()
    for share in SHARES:
        with contextlib.suppress(Exception):  # whoever works will say so
            share.dispatch_due(now)
            share.recover(now)
    connections.close_all()  # a connection must not be shared with a child


class Every:
    """Says once in `seconds` that it is time."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.next = 0.0

    def is_time(self) -> bool:
        if time.monotonic() < self.next:
            return False
        self.next = time.monotonic() + self.seconds
        return True


class Watched:
    """One cluster that should run: always, or only while something of it is due."""

    def __init__(self, name: Cluster, *, always: bool) -> None:
        self.name = name
        self.always = always
        self.running: RunningCluster | None = None
        self.late_looks = 0
        self.newest, self.left = 0, 0  # message at the first late look, and how many waited
        self.needed_at = 0.0

    def start(self) -> None:
        self.late_looks, self.needed_at = 0, time.monotonic()
        self.running = RunningCluster(self.name)
        # What a killed cluster had taken would come back only after `retry`.
        for share in SHARES:
            share.redispatch(self.name)

    def end(self) -> None:
        if self.running is not None:
            self.running.end()
            self.running = None

    def busy(self, now: datetime) -> int:
        return sum(share.busy(self.name, now) for share in SHARES)

    def is_stuck(self, now: datetime) -> bool:
        """Whether something waits that was due long ago, a worker has nothing to do, and none of
        the messages that waited at the first look that saw this has been dealt with since.

        Behind many short jobs messages are late, too, and a worker that is between two of them
        looks idle.
        """
        if not self._is_late(now) or self.busy(now) >= cluster_settings(self.name)["workers"]:
            self.late_looks = 0
            return False
        messages = OrmQ.objects.filter(key=self.name)
        left = messages.filter(pk__lte=self.newest).count()
        if self.late_looks and left == self.left:
            self.late_looks += 1
        else:
            self.newest = messages.aggregate(newest=Max("pk"))["newest"] or 0
            self.left, self.late_looks = messages.filter(pk__lte=self.newest).count(), 1
        return self.late_looks >= LATE_LOOKS

    def _is_late(self, now: datetime) -> bool:
        since = now - LATE_AFTER
        return waiting(self.name, since).exists() or any(
            share.is_late(self.name, since) for share in SHARES
        )

    def is_due(self, now: datetime) -> bool:
        return self.always or waiting(self.name, now).exists()

    def is_needed(self, now: datetime) -> bool:
        """Whether it has anything to do, or had a while ago."""
        if self.always or OrmQ.objects.filter(key=self.name).exists() or self.busy(now):
            self.needed_at = time.monotonic()
        return time.monotonic() - self.needed_at < settings.LONG_CLUSTER_IDLE.total_seconds()


class Worker:
    """Runs until it is told to stop, or until a cluster died too often: then `run` returns 1."""

    def __init__(self) -> None:
        self.stopping = False
        self.began = False
        self.watched = [Watched(name, always=name == "quick") for name in CLUSTERS]
        self.restarts: deque[float] = deque(maxlen=MOST_RESTARTS)
        self.start = Every(START_SECONDS)
        self.tend = Every(TEND_SECONDS)
        self.look = Every(LOOK_SECONDS)
        self.recover = Every(RECOVER_SECONDS)

    def run(self) -> int:
        parenthood.children_end_with_me()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._stop)
        load()
        sharing.prepare_to_fork()
        try:
            while not self.stopping:
                if not self._turn(timezone.now()):
                    time.sleep(TROUBLE_PAUSE)
                if self._died_too_often():
                    logger.critical("the clusters died too often, giving up")
                    return 1
                time.sleep(TICK_SECONDS)
            self._finish()
        finally:
            for cluster in self.watched:
                cluster.end()
        return 0

    def _stop(self, number: int, frame: FrameType | None) -> None:
        self.stopping = True

    def _turn(self, now: datetime) -> bool:
        """Do all that is due; a part that fails is logged and keeps no other part from its turn."""
        fine = True
        for step in self._steps():
            try:
                step(now)
            except DatabaseError as error:
                words = " ".join(str(error).split())
                logger.error("the database does not answer", extra={"error": words})
                close_old_connections()
                return False
            except Exception:
                logger.exception("a step of the worker failed")
                fine = False
        return fine

    def _steps(self) -> Iterator[Callable[[datetime], object]]:
        if self.tend.is_time():
            yield self._tend  # first, for it goes on while the database does not answer
        if not self.began:
            yield self._begin
        yield from (share.dispatch_due for share in SHARES)
        if self.start.is_time():
            yield schedules.fire_due
            yield self._start_needed
        if self.look.is_time():
            yield from (partial(self._look_at, cluster) for cluster in self.watched)
        if self.recover.is_time():
            yield schedules.sync
            yield from (share.recover for share in SHARES)
            yield self._beat

    def _begin(self, now: datetime) -> None:
        schedules.begin(now)
        self.began = True

    def _beat(self, now: datetime) -> None:
        probes.beat(probes.WORKER, now, {"pid": os.getpid()})

    def _tend(self, now: datetime) -> None:
        for cluster in self.watched:
            if cluster.running is None:
                continue
            if cluster.running.has_ended:
                self._restart(cluster, "all its workers ended")
            else:
                cluster.running.tend()

    def _start_needed(self, now: datetime) -> None:
        for cluster in self.watched:
            if cluster.running is None and cluster.is_due(now):
                cluster.start()

    def _look_at(self, cluster: Watched, now: datetime) -> None:
        if cluster.running is None:
            return
        if cluster.is_stuck(now):
            self._restart(cluster, "work waits beside an idle worker")
        elif not cluster.is_needed(now):
            cluster.running.ask_to_stop()
            self._wait_for([cluster])
            cluster.end()

    def _restart(self, cluster: Watched, why: str) -> None:
        logger.warning("cluster restarted", extra={"cluster": cluster.name, "why": why})
        self.restarts.append(time.monotonic())
        cluster.end()
        cluster.start()

    def _died_too_often(self) -> bool:
        full = len(self.restarts) == MOST_RESTARTS
        return full and self.restarts[-1] - self.restarts[0] < RESTARTS_WITHIN

    def _finish(self) -> None:
        """Let running work end; after the grace time leases bring back what was cut off."""
        logger.info("worker stopping")
        for cluster in self.watched:
            if cluster.running is not None:
                cluster.running.ask_to_stop()
        self._wait_for(self.watched)

    def _wait_for(self, those: list[Watched]) -> None:
        deadline = time.monotonic() + GRACE_SECONDS
        while time.monotonic() < deadline:
            if all(c.running is None or c.running.has_ended for c in those):
                return
            time.sleep(TICK_SECONDS)
