"""Registries that fail, each in its own way, beside one that does not."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from functools import partial
from threading import Event, Lock

import pytest
import requests
import time_machine
from django.utils import timezone

from checks import queue
from checks.models import Job, JobLog, Service
from checks.registry.access import Access
from checks.registry.lanes import PER_HOST
from checks.registry.traffic import MOST_SILENCES
from checks.tasks import run_job
from tests import rows
from tests.real.registry import Registry
from tests.servers import CUT, Asked, Reply, Server, Starts
from tests.waiting import PATIENCE

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.engine]

COUNT = 40


@pytest.fixture(autouse=True)
def brief(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who does not answer is not waited for as long as usual."""
    monkeypatch.setattr("checks.remotes.Access", partial(Access, timeout=(4.0, 6.0)))


@pytest.fixture
def clock() -> Iterator[time_machine.Traveller]:
    with time_machine.travel(timezone.now().replace(microsecond=0), tick=False) as clock:
        yield clock


def front(registry: Registry) -> Callable[[Asked], Reply]:
    """What the real registry answers, handed on."""

    def answer(asked: Asked) -> Reply:
        headers = {"Accept": asked.headers.get("accept", "*/*")}
        url = f"http://{registry.address}{asked.path}"
        got = requests.request(asked.method, url, headers=headers, timeout=PATIENCE)
        named = {"Docker-Content-Digest": got.headers.get("Docker-Content-Digest", "")}
        return Reply(got.status_code, got.content, named)

    return answer


class Crowded:
    """A registry that answers 429 above so many requests in flight.

    The first of them are held until it was so crowded, that it happens.
    """

    def __init__(self, serve: Starts, registry: Registry, most: int) -> None:
        self.most, self.in_flight, self.refused = most, 0, 0
        self.was_crowded, self._lock = Event(), Lock()
        self._front = front(registry)
        self.server = serve(self._answer)

    def _answer(self, asked: Asked) -> Reply:
        with self._lock:
            self.in_flight += 1
            crowded = self.in_flight > self.most
            self.refused += crowded
        try:
            if crowded:
                self.was_crowded.set()
                return Reply(429, headers={"Retry-After": "30"})
            self.was_crowded.wait(PATIENCE)
            return self._front(asked)
        finally:
            with self._lock:
                self.in_flight -= 1


def services(address: str, name: str, digest: str) -> list[Service]:
    return [
        rows.service(f"{address}/{name}:{n}", name=f"{name}{n}", running=(digest,))
        for n in range(COUNT)
    ]


def push(registry: Registry, name: str) -> str:
    """One image under many tags."""
    for n in range(COUNT):
        digest = registry.push_image(name, str(n), content=name)
    return digest


def part_of(job_id: str) -> Job:
    run_job(job_id)
    return Job.objects.get(pk=job_id)


def check_all() -> Job:
    return part_of(queue.enqueue(queue.Request(kind="check.all", reason="ui")).job_id)


def said_of(name: str) -> list[int]:
    """The places of a repository's services in the log."""
    lines = JobLog.objects.filter(message__startswith=f"shop / {name}")
    return list(lines.order_by("pk").values_list("pk", flat=True))


def statuses(name: str) -> set[str]:
    return set(Service.objects.filter(repository=name).values_list("status", flat=True))


def test_every_other_result_arrives(
    serve: Starts, registry: Registry, clock: time_machine.Traveller
) -> None:
    digest = push(registry, "calm")
    push(registry, "crowded")
    crowded = Crowded(serve, registry, 20)
    silent: Server = serve(lambda asked: None)
    cutting: Server = serve(lambda asked: CUT)
    services(registry.address, "calm", digest)
    services(crowded.server.address, "crowded", registry.digest("crowded", "0"))
    services(silent.address, "silent", digest)
    services(cutting.address, "cutting", digest)
    job = check_all()
    assert statuses("calm") == {"up_to_date"}
    assert statuses("silent") == statuses("cutting") == {"error"}
    assert (job.status, crowded.refused > 0) == ("queued", True)
    waiting = Service.objects.filter(pk__in=job.summary["waitingServices"])
    assert set(waiting.values_list("repository", flat=True)) == {"crowded"}
    assert "up_to_date" not in set(waiting.values_list("status", flat=True))
    assert job.not_before == timezone.now() + timedelta(seconds=30)
    # Half as many at once after the rest: that is few enough.
    before = crowded.refused
    clock.shift(31)
    job = part_of(job.pk)
    assert (job.status, crowded.refused) == ("success", before)
    assert statuses("crowded") == {"up_to_date"}
    assert (job.summary["services"], job.summary["errors"]) == (4 * COUNT, 2 * COUNT)


def test_who_does_not_answer_holds_up_nobody(serve: Starts, registry: Registry) -> None:
    digest = push(registry, "calm")
    silent = [serve(lambda asked: None) for _ in range(3)]
    for number, server in enumerate(silent):
        services(server.address, f"silent{number}", digest)
    services(registry.address, "calm", digest)
    check_all()
    calm, others = said_of("calm"), said_of("silent")
    assert (len(calm), len(others)) == (COUNT, 3 * COUNT)
    assert max(calm) < min(others)


def test_who_does_not_answer_is_not_asked_on_and_on(serve: Starts) -> None:
    silent, digest = serve(lambda asked: None), "sha256:" + "1" * 64
    for part in range(5):
        services(silent.address, f"part{part}", digest)
    job = check_all()
    assert len(silent.asked) <= PER_HOST + MOST_SILENCES
    assert job.summary["errors"] == 5 * COUNT
    last = Service.objects.filter(error__contains="is not asked again in this check")
    assert last.filter(error__contains="did not answer within").count() == last.count()
    assert last.count() >= 5 * COUNT - len(silent.asked)
