"""A job while it runs: what its kind may say about it, and the thread that keeps its lease."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from django.db import DatabaseError, connections, transaction
from django.utils import timezone

from checks import queue
from checks.kinds import found_before_pause
from checks.models import Job, JobLog
from dockrev.leases import RENEW_EVERY
from dockrev.prepared import Insert

logger = logging.getLogger(__name__)

PROGRESS_EVERY = 0.5  # seconds between two writes of progress
SUMMARY_EVERY = 1.0  # seconds between two writes of an unfinished summary
MAX_MESSAGE = 4000

_insert = Insert(JobLog, without=["id"])


class Cancelled(Exception):
    """Somebody asked for the job to stop, and it stopped between two steps."""


class Run:
    """Given to `JobKind.run`. Log lines are kept; progress is written at most twice a second.

    `summary` is what was found so far, by this run and, where it goes on after a pause, before
    that. It stays where the run fails or is cancelled.
    """

    def __init__(self, job: Job) -> None:
        self.job = job
        self.summary = found_before_pause(job.summary)
        self._wrote_progress = 0.0
        self._wrote_summary = 0.0

    def log(self, message: str, *, level: str = JobLog.Level.INFO) -> None:
        self.log_all([message], level=level)

    def log_all(self, messages: Iterable[str], *, level: str = JobLog.Level.INFO) -> None:
        """Several lines together."""
        now = timezone.now()
        with transaction.atomic(savepoint=False):
            for message in messages:
                _insert(job_id=self.job.pk, at=now, level=level, message=message[:MAX_MESSAGE])

    def progress(self, done: int, total: int, message: str = "") -> None:
        moment = time.monotonic()
        if done < total and moment - self._wrote_progress < PROGRESS_EVERY:
            return
        self._wrote_progress = moment
        Job.objects.held(self.job).update(
            progress_done=done, progress_total=total, progress_message=message[:300]
        )

    def partial(self, summary: dict[str, Any], *, force: bool = False) -> None:
        """Show what is found so far; written at most once a second, unless forced."""
        self.summary = summary
        moment = time.monotonic()
        if not force and moment - self._wrote_summary < SUMMARY_EVERY:
            return
        self._wrote_summary = moment
        Job.objects.held(self.job).update(summary=summary)

    def stop_if_cancelled(self) -> None:
        """Raise Cancelled if somebody asked for it, or if the job is not ours any more."""
        if not Job.objects.held(self.job).filter(cancel_requested=False).exists():
            raise Cancelled


@contextmanager
def kept_alive(job: Job) -> Iterator[None]:
    """Renew the job's lease from a thread, also while a child process has the main one waiting."""
    stop = threading.Event()

    def renew() -> None:
        try:
            while not stop.wait(RENEW_EVERY.total_seconds()):
                try:
                    if not queue.renew(job):
                        return
                except DatabaseError as error:
                    # It may be busy or away for a while, and a lease lasts for several tries.
                    words = " ".join(str(error).split())
                    logger.warning("a lease could not be renewed", extra={"error": words})
                    connections.close_all()  # a broken connection stays so
        finally:
            connections.close_all()

    thread = threading.Thread(target=renew, name=f"lease of {job.pk}", daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()
