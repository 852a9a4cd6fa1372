"""Registries that want to be left alone for a while."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest
import time_machine
from django.utils import timezone

from checks import queue
from checks.models import Candidate, Job, JobLog, Registry, Service
from checks.registry.client import Resting
from checks.registry.lanes import PER_HOST
from checks.registry.reference import parse
from checks.remotes import remotes
from checks.rests import Ledger
from checks.run import Run
from checks.tasks import run_job
from tests import rows
from tests.servers import Asked, Reply, Server, Starts

pytestmark = pytest.mark.django_db(transaction=True)

OLD = "sha256:" + "1" * 64
LIMITS = {"RateLimit-Limit": "100;w=21600", "RateLimit-Remaining": "76;w=21600"}


class Moody:
    """A registry with one image under every tag, which answers otherwise when told to."""

    def __init__(self, serve: Starts) -> None:
        self.mood: Reply | None = None
        self.server = serve(self._answer)

    def _answer(self, asked: Asked) -> Reply:
        return self.mood or Reply(200, headers={"Docker-Content-Digest": OLD, **LIMITS})

    def run(self, name: str = "api") -> Service:
        image = f"{self.server.address}/acme/{name}:latest"
        return rows.service(image, name=name, running=(OLD,))

    @property
    def row(self) -> Registry:
        return Registry.objects.get(host=self.server.address)


@pytest.fixture
def moody(serve: Starts) -> Moody:
    return Moody(serve)


@pytest.fixture
def clock() -> Iterator[time_machine.Traveller]:
    with time_machine.travel(timezone.now().replace(microsecond=0), tick=False) as clock:
        yield clock


def check(service: Service) -> Job:
    request = queue.Request(
        kind="check.service", reason="ui", scope="service", service_id=service.pk
    )
    return done(request, service)


def check_all(*services: Service) -> Job:
    return done(queue.Request(kind="check.all", reason="schedule"), *services)


def done(request: queue.Request, *services: Service) -> Job:
    queued = queue.enqueue(request)
    run_job(queued.job_id)
    for service in services:
        service.refresh_from_db()
    return Job.objects.get(pk=queued.job_id)


@pytest.mark.parametrize("status", [429, 503])
def test_it_leaves_a_registry_alone_until_the_rest_is_over(
    moody: Moody, clock: time_machine.Traveller, status: int
) -> None:
    service = moody.run()
    check(service)
    first_check = service.checked_at
    clock.shift(60)
    moody.mood = Reply(status, headers={"Retry-After": "120"})
    check(service)
    assert moody.row.cooldown_until == timezone.now() + timedelta(seconds=120)
    assert str(status) in moody.row.last_error
    asked = len(moody.server.asked)
    clock.shift(60)
    job = check(service)
    assert len(moody.server.asked) == asked
    assert service.status == "up_to_date"
    assert "rests until" in service.error
    assert service.checked_at != first_check
    assert job.summary["resting"][0]["host"] == moody.server.address
    assert (job.summary["requests"], job.summary["errors"]) == (0, 1)
    clock.shift(61)
    moody.mood = None
    check(service)
    assert service.error == ""
    row = moody.row
    assert (row.cooldown_until, row.rests_in_a_row, row.last_error) == (None, 0, "")
    assert row.last_ok_at == timezone.now()


def test_it_keeps_what_was_known(moody: Moody) -> None:
    service = moody.run()
    known = {"image_ref": service.image_ref, "tag": "latest", "digest": "sha256:" + "2" * 64}
    Candidate.objects.create(service=service, step="rebuilt", opened_at=timezone.now(), **known)
    Service.objects.update(status="update_available")
    moody.mood = Reply(429)
    check(service)
    assert service.status == "update_available"
    assert Candidate.objects.open().count() == 1


def test_it_rests_longer_each_time(moody: Moody, clock: time_machine.Traveller) -> None:
    service = moody.run()
    moody.mood = Reply(429)
    rests = []
    for _again in range(3):
        check(service)
        until = moody.row.cooldown_until
        assert until is not None
        rests.append(until - timezone.now())
        clock.move_to(until + timedelta(seconds=1))
    assert moody.row.rests_in_a_row == 3
    assert rests[0] < rests[1] < rests[2]


def test_it_stops_a_run_at_that_host_alone(moody: Moody, serve: Starts) -> None:
    calm = Moody(serve)
    moody.mood = Reply(429, headers={"Retry-After": "120"})
    refused = [moody.run(f"refused{n}") for n in range(40)]
    answered = [calm.run(f"answered{n}") for n in range(10)]
    job = check_all(*refused, *answered)
    assert len(moody.server.asked) <= PER_HOST
    assert {service.status for service in answered} == {"up_to_date"}
    assert all("rests until" in service.error for service in refused)
    assert job.summary["tooManyRequests"] == len(moody.server.asked)
    assert [each["host"] for each in job.summary["resting"]] == [moody.server.address]
    told = JobLog.objects.filter(job=job, level="warn").order_by("pk")
    assert [line.message.split(" until ")[0] for line in told] == [
        f"{moody.server.address} rests",
        "40 services wait",
    ]


def test_a_run_hears_of_a_rest_that_another_was_told_to_take(moody: Moody) -> None:
    service = moody.run()
    job = check(service)
    clients = remotes([moody.server.address])
    ledger = Ledger(Run(job), clients)
    remote = clients[moody.server.address]
    remote.head(parse(f"{service.image_ref}-1"))
    moody.mood = Reply(429)
    check(service)
    moody.mood = None
    ledger.exchange()
    assert moody.row.rests
    with pytest.raises(Resting):
        remote.head(parse(f"{service.image_ref}-2"))


def test_it_keeps_what_a_registry_lets_us_ask(moody: Moody) -> None:
    check(moody.run())
    row = moody.row
    assert (row.limit_most, row.limit_remaining, row.limit_window) == (100, 76, 21600)
    assert row.limit_seen_at is not None


def test_it_makes_no_row_for_a_registry_that_says_nothing(serve: Starts) -> None:
    server: Server = serve(lambda asked: Reply(200, headers={"Docker-Content-Digest": OLD}))
    check(rows.service(f"{server.address}/acme/api:latest", running=(OLD,)))
    assert not Registry.objects.exists()
