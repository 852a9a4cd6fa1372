"""Messages are made here, and read by django-q2."""

from __future__ import annotations

from multiprocessing import Value
from queue import Queue
from typing import Any

import pytest
from django.utils import timezone
from django_q.brokers.orm import ORM
from django_q.models import OrmQ
from django_q.signing import SignedPackage
from django_q.tasks import async_task
from django_q.worker import worker

from dockrev.dispatch import CLUSTERS, dispatch

pytestmark = pytest.mark.django_db

ran: list[str] = []


def task(pk: str) -> None:
    ran.append(pk)


def read(message: OrmQ) -> dict[str, Any]:
    return dict(SignedPackage.loads(message.payload))


def test_it_makes_what_django_q2_makes() -> None:
    async_task("some.task", "job_1", task_name="job_1", q_options={"broker": ORM("quick")})
    dispatch("some.task", "job_1", cluster="quick", now=timezone.now())
    theirs, ours = OrmQ.objects.order_by("pk")
    expected, made = read(theirs), read(ours)
    assert {**made, "id": "", "started": ""} == {**expected, "id": "", "started": ""}
    assert (len(made["id"]), made["started"].tzinfo) == (32, expected["started"].tzinfo)
    assert (ours.key, ours.lock) == ("quick", made["started"])


@pytest.mark.parametrize("cluster", CLUSTERS)
def test_it_is_run_by_a_worker_of_its_cluster(cluster: Any, monkeypatch: Any) -> None:
    monkeypatch.setattr("django_q.worker.close_old_django_connections", lambda: None)
    dispatch(f"{__name__}.task", cluster, cluster=cluster, now=timezone.now())
    [(_id, payload)] = ORM(cluster).dequeue()
    todo: Queue[Any] = Queue()
    todo.put(SignedPackage.loads(payload))
    todo.put("STOP")
    done: Queue[Any] = Queue()
    worker(todo, done, Value("f", -1))
    assert (done.get_nowait()["success"], ran.pop()) == (True, cluster)
