"""The only writer of django-q2's messages.

A message carries a primary key and nothing else: arguments are stored in clear and shown in the
admin. It is written on the default connection, so it commits, or is undone, together with the row
that it is about. It is what `async_task` makes, without what that does beside: a webhook waits.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any, Literal
from uuid import uuid4

from django.conf import settings
from django.db.models import QuerySet
from django_q.conf import Conf
from django_q.models import OrmQ
from django_q.signing import SignedPackage

from dockrev.prepared import Insert

Cluster = Literal["quick", "long"]
CLUSTERS: tuple[Cluster, ...] = ("quick", "long")
LOST_AFTER = timedelta(seconds=15)  # a message that nobody took, while none waits


def cluster_settings(name: Cluster) -> dict[str, Any]:
    """Q_CLUSTER as this cluster sees it."""
    base: dict[str, Any] = settings.Q_CLUSTER
    return {**base, **base["ALT_CLUSTERS"].get(name, {})}


_insert = Insert(OrmQ, without=["id"])


def waiting(cluster: Cluster, before: datetime) -> QuerySet[OrmQ]:
    """The messages of a cluster that may be taken since `before`, and were not."""
    messages: QuerySet[OrmQ] = OrmQ.objects.filter(key=cluster, lock__lte=before)
    return messages


def dispatch(task: str, pk: str, *, cluster: Cluster, now: datetime) -> None:
    """Have a worker of `cluster` call the function at the dotted path `task` with `pk`."""
    _insert(**_message(task, pk, cluster, now))


def dispatch_all(task: str, pks: Iterable[str], *, cluster: Cluster, now: datetime) -> None:
    """The same with each of the `pks`, by one statement."""
    _insert.many(_message(task, pk, cluster, now) for pk in pks)


def _message(task: str, pk: str, cluster: Cluster, now: datetime) -> dict[str, Any]:
    message = {
        "id": uuid4().hex,
        "name": pk,
        "func": task,
        "args": (pk,),
        "kwargs": {},
        "ack_failure": Conf.ACK_FAILURES,
        "started": now,
    }
    return {"key": cluster, "payload": SignedPackage.dumps(message), "lock": now}
