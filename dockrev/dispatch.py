"""The only caller of django-q2's `async_task`.

A message carries a primary key and nothing else: arguments are stored in clear and shown in the
admin. Its broker writes on the default connection, so a message commits, or is undone, together
with the row that it is about.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from functools import cache
from typing import Any, Literal

from django.conf import settings
from django.db.models import QuerySet
from django.utils import timezone
from django_q.brokers.orm import ORM
from django_q.models import OrmQ
from django_q.tasks import async_task

from dockrev.prepared import Insert

Cluster = Literal["quick", "long"]
CLUSTERS: tuple[Cluster, ...] = ("quick", "long")
LOST_AFTER = timedelta(seconds=15)  # a message that nobody took, while none waits


def cluster_settings(name: Cluster) -> dict[str, Any]:
    """Q_CLUSTER as this cluster sees it."""
    base: dict[str, Any] = settings.Q_CLUSTER
    return {**base, **base["ALT_CLUSTERS"].get(name, {})}


_insert = Insert(OrmQ, without=["id"])


class PreparedBroker(ORM):  # type: ignore[misc]  # django-q2 has no types
    """The ORM broker, with its INSERT compiled once: a webhook waits for it."""

    def enqueue(self, task: str) -> None:
        _insert(key=self.list_key, payload=task, lock=timezone.now())


@cache
def _broker(cluster: Cluster) -> PreparedBroker:
    return PreparedBroker(list_key=cluster)


def waiting(cluster: Cluster, before: datetime) -> QuerySet[OrmQ]:
    """The messages of a cluster that may be taken since `before`, and were not."""
    messages: QuerySet[OrmQ] = OrmQ.objects.filter(key=cluster, lock__lte=before)
    return messages


def dispatch(task: str, pk: str, *, cluster: Cluster) -> None:
    """Have a worker of `cluster` call the function at the dotted path `task` with `pk`."""
    async_task(task, pk, q_options={"broker": _broker(cluster)})
