"""Registries and Docker hosts out of reach: told after an hour, once, and when they are back."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from django.test import Client

from checks import outages, queue
from checks.discovery.projects import FoundHost
from checks.discovery.reconcile import reconcile
from checks.models import Host, Job, Registry, Service
from checks.registry.traffic import Traffic
from checks.rests import exchange
from checks.tasks import run_job
from dockrev import schedules
from dockrev.http import Unreachable
from dockrev.models import Schedule
from notifications import announce
from notifications.messages import message
from notifications.models import Channel, Notification
from tests import rows
from tests.people import person
from tests.real.processes import free_port

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 5, 4, 12, tzinfo=UTC)
MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
GONE = "registry.example does not answer."


@pytest.fixture
def channel() -> Channel:
    return Channel.objects.create(
        kind="webhook", name="sink", events=list(announce.EVENTS), config="{}"
    )


@pytest.fixture
def service() -> Service:
    """One whose registry has answered before."""
    row = rows.service("registry.example/shop/api:1")
    Service.objects.filter(pk=row.pk).update(status="up_to_date")
    return row


def look(at: datetime) -> None:
    with time_machine.travel(at, tick=False):
        outages.look()


def asked(at: datetime, *, answers: bool, host: str = "registry.example") -> None:
    """A check asked the registry, and then the clock that tells of outages ticks."""
    traffic = Traffic()
    with time_machine.travel(at, tick=False):
        if answers:
            with traffic.asking(counted=False):
                pass
        else:
            with pytest.raises(Unreachable), traffic.asking(counted=False):
                raise Unreachable(GONE)
            traffic.trouble = GONE
        exchange({host: traffic}, at)
    look(at)


def seen(at: datetime, *, engine: bool) -> None:
    """Discovery looked at the host, and then the clock ticks."""
    host = Host.objects.get(name="local")
    sources = frozenset({"engine"} if engine else ())
    platform = "linux/amd64" if engine else ""
    reconcile(host, FoundHost(platform, (), sources, "" if engine else "Nothing answers."), at)
    look(at)


def told() -> list[str]:
    return list(Notification.objects.order_by("created_at").values_list("kind", flat=True))


def words(at: datetime = NOW) -> dict[str, str]:
    row = Notification.objects.select_related("channel").get()
    return dict(message(row, at).payload["human"])


@pytest.mark.usefixtures("channel", "service")
class TestRegistry:
    def test_it_tells_once_of_one_that_gave_no_answer_for_an_hour(self) -> None:
        for minutes in (0, 20, 40, 59):
            asked(NOW + minutes * MINUTE, answers=False)
        assert told() == []
        for minutes in (60, 75, 90, 600):
            asked(NOW + minutes * MINUTE, answers=False)
        assert told() == ["registry_unreachable"]
        sent = message(Notification.objects.select_related("channel").get(), NOW)
        assert sent.urgent
        assert sent.title == "registry.example does not answer"
        assert sent.text.splitlines() == [
            "registry.example gave no answer for 1 hour; nothing newer is found for 1 service.",
            GONE,
        ]
        row = Registry.objects.get()
        assert sent.url == f"/settings/registries/{row.pk}"
        [said] = sent.payload["registries"]
        assert (said["name"], said["unreachableSince"]) == (
            "registry.example",
            "2026-05-04T12:00:00.000Z",
        )

    def test_it_tells_when_it_is_back(self) -> None:
        asked(NOW, answers=False)
        asked(NOW + HOUR, answers=False)
        asked(NOW + 3 * HOUR, answers=True)
        asked(NOW + 4 * HOUR, answers=True)
        assert told() == ["registry_unreachable", "registry_back"]
        Notification.objects.filter(kind="registry_unreachable").delete()
        assert words() == {
            "title": "registry.example answers again",
            "summary": "registry.example answers again, after 3 hours.",
        }

    def test_it_tells_nothing_of_one_that_was_back_within_the_hour(self) -> None:
        asked(NOW, answers=False)
        asked(NOW + 30 * MINUTE, answers=True)
        asked(NOW + 50 * MINUTE, answers=False)
        asked(NOW + 70 * MINUTE, answers=False)
        assert told() == []

    def test_it_tells_of_a_second_outage(self) -> None:
        for start in (NOW, NOW + 10 * HOUR):
            asked(start, answers=False)
            asked(start + HOUR, answers=False)
            asked(start + 2 * HOUR, answers=True)
        assert told() == ["registry_unreachable", "registry_back"] * 2

    def test_it_does_not_count_a_time_in_which_nothing_was_asked(self) -> None:
        asked(NOW, answers=False)
        look(NOW + 5 * HOUR)  # this machine slept
        asked(NOW + 6 * HOUR, answers=False)
        assert told() == []
        asked(NOW + 7 * HOUR, answers=False)
        assert told() == ["registry_unreachable"]

    def test_it_asks_again_in_between(self, service: Service) -> None:
        asked(NOW, answers=False)
        look(NOW + 14 * MINUTE)
        assert not Job.objects.exists()
        look(NOW + 16 * MINUTE)
        look(NOW + 17 * MINUTE)
        job = Job.objects.get()
        assert (job.kind, job.service_id, job.reason) == ("check.service", service.pk, "schedule")

    def test_it_forgets_in_silence_one_that_nobody_asks_any_more(self, service: Service) -> None:
        asked(NOW, answers=False)
        asked(NOW + HOUR, answers=False)
        Service.objects.filter(pk=service.pk).update(archived_at=NOW)
        look(NOW + 2 * HOUR)
        assert told() == ["registry_unreachable"]
        assert not Registry.objects.get().is_unreachable

    def test_it_tells_nothing_of_one_that_never_answered(self, service: Service) -> None:
        Service.objects.filter(pk=service.pk).update(status="error")
        asked(NOW, answers=False)
        asked(NOW + HOUR, answers=False)
        assert told() == []
        assert Registry.objects.get().is_unreachable

    def test_it_tells_of_several_in_one_message(self) -> None:
        other = rows.service("other.example/web:1", name="web")
        Service.objects.filter(pk=other.pk).update(status="up_to_date")
        for at in (NOW, NOW + HOUR):
            for host in ("registry.example", "other.example"):
                traffic = Traffic()
                with pytest.raises(Unreachable), traffic.asking(counted=False):
                    raise Unreachable(GONE)
                exchange({host: traffic}, at)
            look(at)
        assert words()["title"] == "2 registries do not answer"

    def test_it_waits_for_a_channel_that_wants_to_hear(self, channel: Channel) -> None:
        Channel.objects.update(events=["registry_back"])
        asked(NOW, answers=False)
        asked(NOW + HOUR, answers=False)
        asked(NOW + 2 * HOUR, answers=True)
        assert told() == []  # nobody was told that it was gone
        asked(NOW + 3 * HOUR, answers=False)
        asked(NOW + 4 * HOUR, answers=False)
        Channel.objects.update(events=["registry_unreachable"])
        look(NOW + 4 * HOUR)
        assert told() == ["registry_unreachable"]

    def test_too_many_requests_and_refusals_are_answers(self) -> None:
        asked(NOW, answers=False)
        traffic = Traffic()
        with traffic.asking(counted=False):
            traffic.rest(60, too_many=True)
        exchange({"registry.example": traffic}, NOW + HOUR)
        look(NOW + HOUR)
        assert (told(), Registry.objects.get().is_unreachable) == ([], False)


def test_a_check_notes_a_registry_that_is_not_there() -> None:
    address = f"127.0.0.1:{free_port()}"
    service = rows.service(f"{address}/api:1", running=(f"sha256:{'1' * 64}",))
    queued = queue.enqueue(
        queue.Request(
            kind="check.service", reason="schedule", scope="service", service_id=service.pk
        )
    )
    run_job(queued.job_id)
    row = Registry.objects.get(host=address)
    assert row.is_unreachable
    assert row.last_error


@pytest.mark.usefixtures("channel")
class TestHost:
    def test_it_tells_once_and_again_when_it_is_back(self) -> None:
        seen(NOW - MINUTE, engine=True)
        for minutes in range(0, 130, 5):
            seen(NOW + minutes * MINUTE, engine=False)
        assert told() == ["host_unreachable"]
        assert words()["title"] == "Docker on local cannot be reached"
        seen(NOW + 2 * HOUR + 10 * MINUTE, engine=True)
        seen(NOW + 3 * HOUR, engine=True)
        assert told() == ["host_unreachable", "host_back"]

    def test_it_tells_nothing_of_one_that_was_never_there(self) -> None:
        for minutes in range(0, 130, 5):
            seen(NOW + minutes * MINUTE, engine=False)
        assert told() == []

    def test_a_look_at_one_project_alone_says_nothing_of_it(self) -> None:
        seen(NOW - MINUTE, engine=True)
        host = Host.objects.get(name="local")
        reconcile(host, FoundHost(host.platform, is_part=True), NOW)
        host.refresh_from_db()
        assert not host.is_unreachable

    def test_it_is_asked_again_where_discovery_comes_seldom(self) -> None:
        seen(NOW - MINUTE, engine=True)
        seen(NOW, engine=False)
        look(NOW + 15 * MINUTE)
        assert not Job.objects.exists()
        look(NOW + 16 * MINUTE)
        assert Job.objects.get().kind == "discovery"

    def test_a_short_absence_is_no_news(self) -> None:
        seen(NOW - MINUTE, engine=True)
        seen(NOW, engine=False)
        seen(NOW + 30 * MINUTE, engine=True)
        seen(NOW + 40 * MINUTE, engine=False)
        seen(NOW + 61 * MINUTE, engine=False)
        assert told() == []


@pytest.fixture
def admin() -> Client:
    browser = Client()
    browser.force_login(person("admin"))
    return browser


@pytest.mark.usefixtures("service")
def test_the_row_of_a_registry_says_since_when(admin: Client) -> None:
    asked(NOW, answers=False)
    page = admin.get("/settings/registries").content.decode()
    assert "unreachable since 4 May 2026, 12:00:00" in page
    row = Registry.objects.get()
    assert "Unreachable since" in admin.get(f"/settings/registries/{row.pk}").content.decode()
    known = admin.get("/api/registries").json()["registries"]
    assert known[0]["unreachableSince"] == "2026-05-04T12:00:00Z"
    asked(NOW + MINUTE, answers=True)
    assert "unreachable since" not in admin.get("/settings/registries").content.decode()


def test_the_overview_says_it_of_a_host(admin: Client) -> None:
    rows.service("registry.example/shop/api:1")
    seen(NOW - MINUTE, engine=True)
    seen(NOW, engine=False)
    assert "Unreachable since 4 May 2026, 12:00:00" in admin.get("/").content.decode()


def test_a_clock_looks_each_minute() -> None:
    schedules.sync(NOW)
    assert Schedule.objects.get(name="outages").cron == "* * * * *"
