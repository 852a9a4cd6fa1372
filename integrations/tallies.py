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

from integrations.models import Delivery, Receiver

FLUSH_EVERY = 1.0
WINDOW = 60.0
MAX_FAILURES = 100  # per address and window
MAX_ADDRESSES = 10_000


class Tallies:
    """What this process has taken and refused lately."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._refused: Counter[str] = Counter()  # by kind
        self._while_off: Counter[str] = Counter()  # by receiver
        self._accepted: dict[str, datetime] = {}  # by receiver
        self._again: dict[str, tuple[int, datetime]] = {}  # by delivery
        self._failures: dict[str, deque[float]] = {}  # by address
        self._timer: threading.Timer | None = None

    def refused(self, kind: str) -> None:
        """Count a call without a right proof, of which nobody knows more than the kind."""
        with self._lock:
            self._refused[kind] += 1
            self._write_soon()

    def while_off(self, receiver_id: str) -> None:
        """Count a proven call of a receiver that is off."""
        with self._lock:
            self._while_off[receiver_id] += 1
            self._write_soon()

    def accepted(self, receiver_id: str, now: datetime) -> None:
        with self._lock:
            self._accepted[receiver_id] = now
            self._write_soon()

    def again(self, delivery_id: str, now: datetime) -> None:
        """Count one more call that a delivery stands for."""
        with self._lock:
            count, _before = self._again.get(delivery_id, (0, now))
            self._again[delivery_id] = (count + 1, now)
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
            refused, self._refused = self._refused, Counter()
            while_off, self._while_off = self._while_off, Counter()
            accepted, self._accepted = self._accepted, {}
            again, self._again = self._again, {}
            self._timer = None
        for kind, count in refused.items():
            _write_refused(kind, count)
        for receiver_id, count in while_off.items():
            rows = Receiver.objects.filter(pk=receiver_id)
            rows.update(disabled_count=F("disabled_count") + count)
        for receiver_id, at in accepted.items():
            Receiver.objects.filter(pk=receiver_id).update(last_accepted_at=at, refused_since=0)
        for delivery_id, (count, at) in again.items():
            calls = Delivery.objects.filter(pk=delivery_id)
            calls.update(attempts=F("attempts") + count, last_received_at=at)

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


def _write_refused(kind: str, count: int) -> None:
    """To the first receiver of the kind: whose call it should have been, nobody knows."""
    first = Receiver.objects.filter(kind=kind).order_by("created_at", "id").values("pk")[:1]
    Receiver.objects.filter(pk__in=first).update(
        rejected_count=F("rejected_count") + count,
        refused_since=F("refused_since") + count,
        last_rejected_at=timezone.now(),
    )


tallies = Tallies()
