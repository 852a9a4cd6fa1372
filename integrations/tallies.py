"""What is counted for each call, kept in memory and written once a second.

So nobody who lacks the secret can make the database write, and a call that proves itself waits
for no count. Calls without a right proof are limited per address; others never are.
"""

from __future__ import annotations

import threading
import time
from collections import Counter, deque
from datetime import datetime

from django.db import connection
from django.db.models import F
from django.utils import timezone

from integrations.models import Receiver

FLUSH_EVERY = 1.0
WINDOW = 60.0
MAX_FAILURES = 100  # per address and window
MAX_ADDRESSES = 10_000


class Tallies:
    """What this process has taken and refused lately."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts: dict[str, Counter[str]] = {}  # by kind, then column
        self._accepted: dict[str, datetime] = {}  # by receiver
        self._failures: dict[str, deque[float]] = {}  # by address
        self._timer: threading.Timer | None = None

    def count(self, kind: str, column: str) -> None:
        """Add one to a counter of the first receiver of a kind, soon."""
        with self._lock:
            self._counts.setdefault(kind, Counter())[column] += 1
            self._write_soon()

    def accepted(self, receiver_id: str, now: datetime) -> None:
        with self._lock:
            self._accepted[receiver_id] = now
            self._write_soon()

    def too_many_failures(self, address: str) -> bool:
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

    def flush(self) -> None:
        """Write what was counted."""
        with self._lock:
            counts, self._counts = self._counts, {}
            accepted, self._accepted = self._accepted, {}
            self._timer = None
        for kind, columns in counts.items():
            _write(kind, columns)
        for receiver_id, at in accepted.items():
            Receiver.objects.filter(pk=receiver_id).update(last_accepted_at=at)

    def _write_soon(self) -> None:
        if self._timer is None:
            self._timer = threading.Timer(FLUSH_EVERY, self._flush_and_close)
            self._timer.daemon = True
            self._timer.start()

    def _flush_and_close(self) -> None:
        try:
            self.flush()
        finally:
            connection.close()  # this thread's own


def _write(kind: str, counts: Counter[str]) -> None:
    first = Receiver.objects.filter(kind=kind).order_by("created_at", "id").values("pk")[:1]
    changes = {column: F(column) + count for column, count in counts.items()}
    rows = Receiver.objects.filter(pk__in=first)
    if "rejected_count" in counts:
        rows.update(**changes, last_rejected_at=timezone.now())
    else:
        rows.update(**changes)


tallies = Tallies()
