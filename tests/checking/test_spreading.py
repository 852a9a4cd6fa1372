"""Checks of many that are more than a registry lets us ask now."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from threading import Lock

import pytest
import time_machine
from django.utils import timezone

from checks import queue
from checks.models import Candidate, Job, JobLog, Registry, Service
from checks.registry.traffic import Traffic
from checks.spreading import allowance, begin, plan
from checks.tasks import run_job
from notifications.models import Channel, Notification
from tests import rows
from tests.real.registry import digest_of
from tests.servers import Asked, Reply, Starts

pytestmark = pytest.mark.django_db(transaction=True)

IMAGE = b'{"schemaVersion": 2, "config": {}}'
OLD, NEW = "sha256:" + "1" * 64, digest_of(IMAGE)
NOW = datetime.fromisoformat("2026-03-01T12:00:00Z")
HUB = "docker.io"


class TestAllowance:
    def of(self, remaining: int, age: timedelta, most: int = 100) -> int | None:
        row = Registry(limit_most=most, limit_remaining=remaining, limit_window=3600)
        row.limit_seen_at = NOW - age
        return allowance(row, NOW)

    def test_a_tenth_is_left_for_others(self) -> None:
        assert self.of(50, timedelta()) == 40
        assert self.of(5, timedelta()) == 0

    def test_it_grows_back_over_the_window(self) -> None:
        assert self.of(50, timedelta(minutes=15)) == 65
        assert self.of(90, timedelta(minutes=59)) == 90
        assert self.of(0, timedelta(hours=1)) is None

    def test_a_clock_that_was_put_back_gives_nothing(self) -> None:
        assert self.of(50, -timedelta(hours=3)) == 40

    def test_who_says_nothing_sets_no_limit(self) -> None:
        assert allowance(Registry(), NOW) is None


class TestPlan:
    def service(self, tag: str = "latest", days: int = 0, image: str = "a/b") -> Service:
        row = Service(pk=f"{image}{tag}{days}", registry=HUB, repository=image, tag=tag)
        row.checked_at = NOW - timedelta(days=days) if days else None
        return row

    def planned(self, left: int, *services: Service) -> tuple[list[Service], list[Service]]:
        row = Registry(host=HUB, limit_most=100, limit_remaining=left + 10, limit_window=3600)
        row.limit_seen_at = NOW
        made = plan(services, [row], NOW)
        return made.now, made.later

    def test_those_that_waited_longest_come_first(self) -> None:
        new, old, older = self.service(), self.service(days=1), self.service("1", days=2)
        assert self.planned(9, old, older, new) == ([new, older, old], [])

    def test_what_a_check_has_found_need_not_be_read_again(self) -> None:
        known = [self.service(days=n) for n in range(1, 30)]
        assert self.planned(0, *known)[1] == []

    def test_a_version_may_need_four_images(self) -> None:
        version, other = self.service("1.0.0"), self.service("1.0.0", image="c/d")
        assert self.planned(7, version, other) == ([version], [other])
        assert self.planned(8, version, other) == ([version, other], [])

    def test_services_on_one_image_share_what_it_costs(self) -> None:
        same = [self.service() for _ in range(20)]
        assert self.planned(1, *same)[1] == []

    def test_it_says_what_is_short_and_until_when(self) -> None:
        services = [self.service(image=f"a/b{n}") for n in range(30)]
        row = Registry(host=HUB, limit_most=100, limit_remaining=20, limit_window=21600)
        row.limit_seen_at = NOW
        (short,) = plan(services, [row], NOW).shortages
        assert (short.wanted, short.allowed, short.services) == (30, 10, 20)
        assert short.until == NOW + timedelta(seconds=21600) * 30 / 100


class Metered:
    """A registry that lets so much be asked, grants it anew each hour, and says what is left."""

    def __init__(self, serve: Starts, most: int) -> None:
        self.most, self.asked, self.digest = most, 0, OLD
        self.mood: Reply | None = None
        self._lock = Lock()
        self.server = serve(self._answer)

    def _answer(self, asked: Asked) -> Reply:
        with self._lock:
            self.asked += 1
            left = self.most - self.asked
        if self.mood or left < 0:
            return self.mood or Reply(429, headers={"Retry-After": "600"})
        limits = {
            "RateLimit-Limit": f"{self.most};w=3600",
            "RateLimit-Remaining": f"{left};w=3600",
        }
        return Reply(
            200,
            IMAGE,
            {"Docker-Content-Digest": self.digest, **limits},
        )

    def run(self, count: int) -> None:
        for n in range(count):
            image = f"{self.server.address}/acme/s{n:03}:latest"
            rows.service(image, name=f"s{n:03}", running=(OLD,))


@pytest.fixture
def clock() -> Iterator[time_machine.Traveller]:
    with time_machine.travel(timezone.now().replace(microsecond=0), tick=False) as clock:
        yield clock


@pytest.fixture
def metered(serve: Starts, clock: time_machine.Traveller) -> Metered:
    """A hundred an hour, of which something is known, and 150 services."""
    metered = Metered(serve, 100)
    metered.run(150)
    known = {"limit_most": 100, "limit_remaining": 100, "limit_window": 3600}
    Registry.objects.create(host=metered.server.address, limit_seen_at=timezone.now(), **known)
    return metered


def check_all(reason: str = "schedule") -> Job:
    return part_of(
        queue.enqueue(queue.Request(kind="check.all", reason=reason, notify=True)).job_id
    )


def part_of(job_id: str) -> Job:
    run_job(job_id)
    return Job.objects.get(pk=job_id)


def checked() -> int:
    return Service.objects.exclude(checked_at=None).count()


class TestAJobInParts:
    def test_it_says_so_before_and_does_what_fits(self, metered: Metered) -> None:
        job = check_all()
        assert (job.status, job.summary["services"]) == ("queued", 45)
        assert metered.asked == 45
        first = JobLog.objects.filter(job=job).order_by("pk")[0]
        assert first.level == "warn"
        assert "lets 90 more be asked, and this check may ask 300: 105 services" in first.message
        (waiting,) = job.summary["waiting"]
        assert (waiting["host"], waiting["services"]) == (metered.server.address, 105)
        assert job.not_before is not None
        assert job.not_before > timezone.now() + timedelta(minutes=1)

    def test_those_that_wait_say_so_and_keep_what_was_known(self, metered: Metered) -> None:
        Service.objects.update(status="update_available")
        check_all()
        waiting = Service.objects.filter(checked_at=None)
        assert waiting.count() == 105
        assert all("wait until" in each.error for each in waiting)
        assert {each.status for each in waiting} == {"update_available"}

    def test_it_goes_on_by_itself_until_all_is_done(
        self, metered: Metered, clock: time_machine.Traveller
    ) -> None:
        job = check_all()
        parts = 1
        while job.status == "queued":
            assert job.not_before is not None
            clock.move_to(job.not_before + timedelta(seconds=1))
            metered.asked = 0
            job = part_of(job.pk)
            parts += 1
        # Which answer of several at once comes last, and says how much is left, is chance.
        assert (job.status, 3 <= parts <= 4) == ("success", True)
        summary = job.summary
        assert (summary["services"], summary["requests"], summary["errors"]) == (150, 150, 0)
        assert "waiting" not in summary
        assert checked() == 150
        assert not Service.objects.exclude(error="").exists()

    def test_it_tells_what_it_finds_as_it_finds_it(
        self, metered: Metered, clock: time_machine.Traveller
    ) -> None:
        Channel.objects.create(
            kind="webhook", name="sink", events=["new_version_discovered"],
            config='{"url": "http://127.0.0.1:9/"}',
        )  # fmt: skip
        metered.digest = NEW
        job = check_all()
        told = Candidate.objects.exclude(announced_at=None).count()
        assert told == job.summary["updates"] > 0
        assert Notification.objects.exists()
        while job.status == "queued":
            assert job.not_before is not None
            clock.move_to(job.not_before + timedelta(seconds=1))
            metered.asked = 0
            job = part_of(job.pk)
        assert job.summary["updates"] == Candidate.objects.exclude(announced_at=None).count() == 150

    def test_it_asks_no_more_than_the_registry_lets_it_whoever_else_asks(
        self, metered: Metered
    ) -> None:
        metered.asked = 80  # by others, since we last heard of it
        job = check_all()
        assert job.status == "queued"
        assert metered.asked <= 100
        assert job.summary["tooManyRequests"] == 0
        assert checked() - job.summary["waiting"][0]["services"] < 45

    def test_it_can_be_cancelled_while_it_waits(self, metered: Metered) -> None:
        job = check_all()
        assert queue.cancel(job.pk)
        job.refresh_from_db()
        assert job.status == "cancelled"
        assert checked() == 45

    def test_who_asks_for_it_meanwhile_joins_it_and_all_is_asked_anew(
        self, metered: Metered, clock: time_machine.Traveller
    ) -> None:
        first = check_all()
        clock.shift(120)
        metered.asked = 0
        again = check_all("ui")
        assert again.pk == first.pk
        assert again.joined
        assert Job.objects.count() == 1
        # Those that never had their turn are asked first.
        never = Service.objects.filter(checked_at=None).count()
        assert never < 105
        assert (
            again.summary["services"] + sum(each["services"] for each in again.summary["waiting"])
            == 150
        )

    def test_the_check_of_one_service_is_not_put_off(self, metered: Metered) -> None:
        Registry.objects.update(limit_remaining=3)
        metered.asked = 97
        service = Service.objects.earliest("pk")
        request = queue.Request(
            kind="check.service", reason="ui", scope="service", service_id=service.pk
        )
        assert part_of(queue.enqueue(request).job_id).status == "success"
        service.refresh_from_db()
        assert (service.status, service.error) == ("up_to_date", "")


class TestRests:
    @pytest.fixture
    def tired(self, serve: Starts, clock: time_machine.Traveller) -> Metered:
        tired = Metered(serve, 10_000)
        tired.run(40)
        tired.mood = Reply(429, headers={"Retry-After": "60"})
        return tired

    def test_it_waits_for_a_short_rest_and_goes_on(
        self, tired: Metered, clock: time_machine.Traveller
    ) -> None:
        job = check_all()
        assert (job.status, job.not_before) == ("queued", timezone.now() + timedelta(seconds=60))
        tired.mood = None
        clock.shift(61)
        job = part_of(job.pk)
        assert (job.status, job.summary["services"], job.summary["errors"]) == ("success", 40, 0)
        assert not Service.objects.exclude(error="").exists()

    def test_it_waits_no_longer_where_that_was_in_vain(
        self, tired: Metered, clock: time_machine.Traveller
    ) -> None:
        job = check_all()
        clock.shift(61)
        job = part_of(job.pk)
        assert (job.status, job.summary["services"], job.summary["errors"]) == ("success", 40, 40)

    def test_a_rest_may_be_over_before_others_are_done(self, clock: time_machine.Traveller) -> None:
        part = begin({}, [], timezone.now())
        service, traffic = Service(registry="ghcr.io"), Traffic()
        traffic.rest(2, too_many=True)
        clock.shift(10)
        put_off = part.put_off([service], {"ghcr.io": traffic})
        assert (put_off.services, put_off.until) == ([service], timezone.now())

    def test_it_does_not_wait_for_hours(self, tired: Metered) -> None:
        tired.mood = Reply(429, headers={"Retry-After": "7200"})
        assert check_all().status == "success"
