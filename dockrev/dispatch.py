"""The only caller of django-q2's `async_task`.

A message carries a primary key and nothing else: arguments are stored in clear and shown in the
admin. Its broker writes on the default connection, so a message commits, or is undone, together
with the row that it is about.
"""

from __future__ import annotations

from typing import Literal

from django_q.tasks import async_task

Cluster = Literal["quick", "long"]
CLUSTERS: tuple[Cluster, ...] = ("quick", "long")


def dispatch(task: str, pk: str, *, cluster: Cluster) -> None:
    """Have a worker of `cluster` call the function at the dotted path `task` with `pk`."""
    async_task(task, pk, q_options={"cluster": cluster})
