"""The outbox's share of what the worker process does. What is due is looked for by the workers
themselves: see `notifications/lanes.py`."""

from __future__ import annotations

from datetime import datetime

from dockrev.dispatch import Cluster
from notifications import outbox
from notifications.lanes import CLUSTER


def dispatch_due(now: datetime) -> None:
    """Nothing is handed out."""


def recover(now: datetime) -> None:
    outbox.recover(now)


def redispatch(cluster: Cluster) -> None:
    """Nothing was handed out."""


def busy(cluster: Cluster, now: datetime) -> int:
    """None: a send keeps no worker from its messages."""
    return 0


def is_late(cluster: Cluster, since: datetime) -> bool:
    return cluster == CLUSTER and outbox.is_late(since)
