"""Calls that proved nothing: counted in memory, written once a second, limited per address.

Nobody who lacks the secret can make the database write, or keep a caller who has it waiting.
"""

from __future__ import annotations

import threading
import time
from collections import Counter, deque

from django.db import connection
from django.db.models import F
from django.utils import timezone

from integrations.models import Receiver

FLUSH_EVERY = 1.0
WINDOW = 60.0
MAX_FAILURES = 100  # per address and window
MAX_ADDRESSES = 10_000


class Rejections:
    """What this process has refused lately."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._unwritten: dict[str, Counter[str]] = {}
        self._failures: dict[str, deque[float]] = {}
        self._timer: threading.Timer | None = None

    def count(self, kind: str, column: str) -> None:
        """Add one to a counter of the first receiver of a kind, soon."""
        with self._lock:
            self._unwritten.setdefault(kind, Counter())[column] += 1
            if self._timer is None:
                self._timer = threading.Timer(FLUSH_EVERY, self.flush, kwargs={"close": True})
                self._timer.daemon = True
                self._timer.start()

    def too_many(self, address: str) -> bool:
        """Note a failure of an address; True if it has had its share."""
        now = time.monotonic()
        with self._lock:
            if len(self._failures) > MAX_ADDRESSES:
                self._failures.clear()
            times = self._failures.setdefault(address, deque(maxlen=MAX_FAILURES + 1))
            while times and times[0] < now - WINDOW:
                times.popleft()
            times.append(now)
            return len(times) > MAX_FAILURES

    def flush(self, *, close: bool = False) -> None:
        """Write the counters. `close`: this thread's connection is not needed again."""
        with self._lock:
            unwritten, self._unwritten, self._timer = self._unwritten, {}, None
        try:
            for kind, counts in unwritten.items():
                _write(kind, counts)
        finally:
            if close:
                connection.close()


def _write(kind: str, counts: Counter[str]) -> None:
    first = Receiver.objects.filter(kind=kind).order_by("created_at", "id").values("pk")[:1]
    changes = {column: F(column) + count for column, count in counts.items()}
    if "rejected_count" in counts:
        Receiver.objects.filter(pk__in=first).update(**changes, last_rejected_at=timezone.now())
    else:
        Receiver.objects.filter(pk__in=first).update(**changes)


rejections = Rejections()
