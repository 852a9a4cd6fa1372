"""Sends beside the workers' own work: a thread for each channel that something is due for.

A server that takes half a minute for its answer holds up its own channel, and no other, no check
and no worker. Threads end when nothing is left to send, so at rest there is none but the one that
looks. Every worker of every host does the same; the database lets only one of them send to a
channel at a time.
"""

from __future__ import annotations

import logging
import random
import threading
import time
from collections.abc import Callable
from datetime import datetime, timedelta

from django.db import DatabaseError, connection, connections
from django.utils import timezone

from dockrev.dispatch import Cluster
from dockrev.prepared import Select
from notifications import outbox
from notifications.models import SEND_LEASE, Channel, Notification

logger = logging.getLogger(__name__)

# Looked for ten times a second by each worker, so it is compiled once.
_to_send_to = Select(
    lambda now: Channel.objects.to_send_to(now).order_by().values_list("pk"), moments=("now",)
)

CLUSTER: Cluster = "quick"
MOST = 8  # channels that one worker sends to at once
LOOK_SECONDS = 0.1
TURN_SECONDS = 5.0  # then it is another channel's turn, where there are more than lanes
LONGEST = timedelta(minutes=5)  # a send that takes longer is taken for lost
FINISH_SECONDS = 8.0  # less than a worker is given to end
TROUBLE_PAUSE = 2.0


def run(is_leaving: Callable[[], bool]) -> None:
    """Send what is due until the process leaves, and let what is in hand come to its end."""
    lanes = Lanes(is_leaving)
    while not is_leaving():
        try:
            lanes.look(timezone.now())
        except DatabaseError as error:
            words = " ".join(str(error).split())
            logger.error("the outbox cannot be read", extra={"error": words})
            connection.close()
            time.sleep(TROUBLE_PAUSE)
        except Exception:
            logger.exception("looking for messages failed")
            time.sleep(TROUBLE_PAUSE)
        time.sleep(LOOK_SECONDS)
    lanes.finish(FINISH_SECONDS)
    connection.close()


class Lanes:
    """The channels that this process sends to now, each in a thread of its own."""

    def __init__(self, is_leaving: Callable[[], bool]) -> None:
        self._is_leaving = is_leaving
        self._threads: dict[str, threading.Thread] = {}
        self._in_hand: dict[str, Notification] = {}
        self._renewed = time.monotonic()

    def look(self, now: datetime) -> None:
        """Begin to send wherever something is due and nobody sends."""
        self._renew(now)
        self._threads = {pk: each for pk, each in self._threads.items() if each.is_alive()}
        free = MOST - len(self._threads)
        if free <= 0:
            return
        channels = [pk for (pk,) in _to_send_to(now=now) if pk not in self._threads]
        random.shuffle(channels)  # where there are more than lanes, none is always the last
        for channel in channels[:free]:
            self._begin(channel)

    def finish(self, seconds: float) -> None:
        """Wait for what is in hand. What takes longer is cut off, and sent again by its lease."""
        ends = time.monotonic() + seconds
        while time.monotonic() < ends and any(t.is_alive() for t in self._threads.values()):
            self._renew(timezone.now())
            time.sleep(LOOK_SECONDS)

    def _begin(self, channel: str) -> None:
        thread = threading.Thread(
            target=self._send, args=(channel,), name=f"messages to {channel}", daemon=True
        )
        self._threads[channel] = thread
        thread.start()

    def _send(self, channel: str) -> None:
        ends = time.monotonic() + TURN_SECONDS
        try:
            while not self._is_leaving() and time.monotonic() < ends:
                row = outbox.claim(channel, timezone.now())
                if row is None:
                    return
                self._in_hand[channel] = row
                outbox.send(row)
        except Exception:
            # What was in hand comes back by its lease.
            logger.exception("sending to a channel failed", extra={"channel": channel})
            time.sleep(TROUBLE_PAUSE)
        finally:
            self._in_hand.pop(channel, None)
            connections.close_all()

    def _renew(self, now: datetime) -> None:
        if time.monotonic() - self._renewed < SEND_LEASE.total_seconds() / 3:
            return
        self._renewed = time.monotonic()
        for row in list(self._in_hand.values()):
            if row.began_at and now - row.began_at < LONGEST:
                Notification.objects.renew(row, now)
