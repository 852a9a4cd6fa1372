"""Quiet hours: what is not urgent waits until they are over, and comes together then."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import time_machine
from django.test import Client
from django.utils import timezone

from notifications import announce, outbox
from notifications.announce import (
    HOST_BACK,
    HOST_UNREACHABLE,
    JOB_FINISHED,
    NEW_VERSION,
    Check,
    NewVersion,
    Outage,
)
from notifications.channels import TRANSPORTS
from notifications.channels.base import Message, SendError, Transport
from notifications.messages import message
from notifications.models import Channel, Notification
from notifications.quiet import DAYS, Hours
from tests.notifications.test_jobs import changed, job
from tests.notifications.test_outbox import news
from tests.people import Program, error_of, person

pytestmark = pytest.mark.django_db

CHANNELS = "/api/notifications/channels"
NIGHT = Hours(time(22), time(7), list(DAYS))
MONDAY = datetime(2026, 5, 4, tzinfo=UTC)


def at(hour: int, minute: int = 0, *, day: int = 0) -> datetime:
    return MONDAY + timedelta(days=day, hours=hour, minutes=minute)


@pytest.fixture
def channel() -> Channel:
    return Channel.objects.create(
        kind="webhook",
        name="sink",
        events=list(announce.EVENTS),
        config='{"url": "https://hooks.example/"}',
        quiet_from=NIGHT.start,
        quiet_to=NIGHT.end,
        quiet_days=list(NIGHT.days),
    )


def found(now: datetime, *new: NewVersion, job_id: str = "job_1") -> None:
    announce.new_versions(Check(job_id, "schedule", "all", 5), new, now)


def due() -> list[datetime | None]:
    rows = Notification.objects.order_by("next_attempt_at")
    return list(rows.values_list("next_attempt_at", flat=True))


class TestHours:
    def test_they_may_pass_midnight(self) -> None:
        assert NIGHT.until(at(21, 59)) is None
        assert NIGHT.until(at(22)) == at(7, day=1)
        assert NIGHT.until(at(3)) == at(7)
        assert NIGHT.until(at(7)) is None

    def test_they_may_lie_within_a_day(self) -> None:
        noon = Hours(time(12), time(13, 30), list(DAYS))
        assert noon.until(at(12, 15)) == at(13, 30)
        assert (noon.until(at(11)), noon.until(at(14))) == (None, None)

    def test_they_belong_to_the_day_on_which_they_begin(self) -> None:
        sunday = Hours(time(22), time(7), ["sun"])
        assert sunday.until(at(3)) == at(7)  # Monday's small hours
        assert sunday.until(at(23)) is None
        assert sunday.until(at(23, day=6)) == at(7, day=7)


class TestClocks:
    """Berlin: forward on 29 March 2026 at 2:00, back on 25 October at 3:00."""

    @pytest.fixture(autouse=True)
    def berlin(self, settings: Any) -> Iterator[None]:
        settings.TIME_ZONE = "Europe/Berlin"
        timezone.get_default_timezone.cache_clear()  # type: ignore[attr-defined]  # an lru_cache
        yield
        timezone.get_default_timezone.cache_clear()  # type: ignore[attr-defined]  # an lru_cache

    def test_they_are_in_the_configured_zone(self) -> None:
        assert NIGHT.until(at(20)) == at(5, day=1)
        assert NIGHT.until(at(19, 59)) is None

    def test_a_night_is_an_hour_shorter_as_clocks_go_forward(self) -> None:
        evening = datetime(2026, 3, 28, 23, tzinfo=ZoneInfo("Europe/Berlin"))
        assert NIGHT.until(evening) == datetime(2026, 3, 29, 5, tzinfo=UTC)

    def test_a_night_is_an_hour_longer_as_they_go_back(self) -> None:
        evening = datetime(2026, 10, 24, 23, tzinfo=ZoneInfo("Europe/Berlin"))
        assert NIGHT.until(evening) == datetime(2026, 10, 25, 6, tzinfo=UTC)

    def test_a_time_that_clocks_skip_is_right_after(self) -> None:
        hours = Hours(time(22), time(2, 30), list(DAYS))
        evening = datetime(2026, 3, 28, 23, tzinfo=ZoneInfo("Europe/Berlin"))
        assert hours.until(evening) == datetime(2026, 3, 29, 1, 30, tzinfo=UTC)

    def test_a_time_that_comes_twice_ends_them_the_second_time(self) -> None:
        hours = Hours(time(22), time(2, 30), list(DAYS))
        evening = datetime(2026, 10, 24, 23, tzinfo=ZoneInfo("Europe/Berlin"))
        assert hours.until(evening) == datetime(2026, 10, 25, 1, 30, tzinfo=UTC)


class TestGivenUp:
    """What ended without a try takes no news along."""

    def test_news_of_a_later_night_is_sent(self, channel: Channel) -> None:
        found(at(23), news())
        Channel.objects.update(enabled=False)
        outbox.recover(at(8, day=2))
        Channel.objects.update(enabled=True)
        found(at(23, day=2), news("web", image="ghcr.io/acme/web:1"))
        [row] = Notification.objects.waiting()
        assert row.next_attempt_at == at(7, day=3)
        assert [new["service_id"] for new in row.content["found"]] == ["svc_web"]
        assert Notification.objects.filter(status="failed").count() == 1


class TestWaiting:
    def test_what_is_not_urgent_waits_until_they_are_over(self, channel: Channel) -> None:
        found(at(23), news())
        announce.job_finished(job(), [changed()], at(23))
        assert due() == [at(7, day=1)] * 2

    def test_what_is_urgent_goes_through(self, channel: Channel) -> None:
        announce.job_finished(job("failed"), [changed()], at(23))
        outage = Outage("hst_1", "nas", at(21), "", 1, "/")
        announce.unreachable(HOST_UNREACHABLE, [outage], at(23))
        assert due() == [at(23)] * 2

    def test_nothing_is_said_to_be_back_that_is_gone_again(self, channel: Channel) -> None:
        nas, pi = (
            Outage(f"hst_{name}", name, at(22), "No.", services=2, path="/")
            for name in ("nas", "pi")
        )
        announce.unreachable(HOST_BACK, [nas], at(23))
        announce.unreachable(HOST_BACK, [nas, pi], at(23, 10))
        announce.unreachable(HOST_UNREACHABLE, [nas], at(25))
        rows = Notification.objects.order_by("next_attempt_at")
        assert [(row.kind, [one["name"] for one in row.content["found"]]) for row in rows] == [
            (HOST_UNREACHABLE, ["nas"]),
            (HOST_BACK, ["pi"]),
        ]

    def test_nothing_waits_at_another_time(self, channel: Channel) -> None:
        announce.job_finished(job(), [changed()], at(12))
        assert due() == [at(12)]

    def test_all_newer_images_of_a_night_are_one_message(self, channel: Channel) -> None:
        for hour in range(10):
            now = at(22) + hour * timedelta(minutes=50)
            found(now, news(f"s{hour}", f"ghcr.io/acme/s{hour}:1"), job_id=f"job_{hour}")
        row = Notification.objects.get()
        assert row.next_attempt_at == at(7, day=1)
        assert message(row, at(7, day=1)).title == "10 updates"

    def test_of_one_service_only_the_latest_is_told(self, channel: Channel) -> None:
        found(at(23), news("api", "ghcr.io/acme/api:1"))
        found(at(24), news("api", "ghcr.io/acme/api:2"))
        [told] = Notification.objects.get().content["found"]
        assert told["candidate_image"] == "ghcr.io/acme/api:2"

    def test_each_image_stays_a_message_where_a_channel_takes_them_so(
        self, channel: Channel
    ) -> None:
        Channel.objects.update(kind="doco-cd", events=[NEW_VERSION, JOB_FINISHED])
        found(at(23), news("a", "ghcr.io/acme/a:1"), news("b", "ghcr.io/acme/b:1"))
        assert due() == [at(7, day=1)] * 2


class TestTriedAgain:
    @pytest.fixture
    def failing(self, channel: Channel, monkeypatch: pytest.MonkeyPatch) -> list[SendError]:
        errors: list[SendError] = []

        class Failing(Transport):
            def send(self, message: Message) -> None:
                if errors:
                    raise errors[0]

        monkeypatch.setitem(TRANSPORTS, channel.kind, Failing)
        return errors

    def work(self, channel: Channel, now: datetime) -> int:
        with time_machine.travel(now, tick=False):
            count = 0
            while row := outbox.claim(channel.pk, now):
                outbox.send(row)
                count += 1
        return count

    def test_what_was_not_taken_in_the_evening_waits_for_the_morning(
        self, channel: Channel, failing: list[SendError]
    ) -> None:
        failing.append(SendError("Nobody is there."))
        announce.job_finished(job(), [changed()], at(21, 58))
        announce.job_finished(job("failed", id="job_2"), [changed()], at(21, 59))
        assert self.work(channel, at(21, 59)) == 1
        failing.clear()
        assert self.work(channel, at(23)) == 1
        sent = Notification.objects.get(status="sent")
        assert sent.content["job"]["status"] == "failed"
        assert self.work(channel, at(6, 59, day=1)) == 0
        assert self.work(channel, at(7, day=1)) == 1

    def test_what_came_while_the_channel_rested_waits_too(
        self, channel: Channel, failing: list[SendError]
    ) -> None:
        failing.append(SendError("Nobody is there."))
        announce.job_finished(job(), [changed()], at(21, 58))
        assert self.work(channel, at(21, 58)) == 1
        announce.job_finished(job(id="job_2"), [changed()], at(21, 59))
        failing.clear()
        assert self.work(channel, at(23)) == 0
        assert self.work(channel, at(7, day=1)) == 2

    def test_what_is_gone_again_is_not_said_to_be_back_in_the_morning(
        self, channel: Channel, failing: list[SendError]
    ) -> None:
        nas = Outage("hst_nas", "nas", at(20), "No.", services=2, path="/")
        failing.append(SendError("Nobody is there."))
        announce.unreachable(HOST_BACK, [nas], at(21, 59))
        assert self.work(channel, at(21, 59)) == 1
        failing.clear()
        assert self.work(channel, at(23)) == 0
        announce.unreachable(HOST_UNREACHABLE, [nas], at(25))
        assert self.work(channel, at(25)) == 1
        assert self.work(channel, at(7, day=1)) == 0

    def test_new_quiet_hours_hold_back_nothing_urgent(
        self, channel: Channel, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def refuse(transport: Transport, message: Message) -> None:
            raise SendError("Broken.", status=500)

        monkeypatch.setattr(TRANSPORTS[channel.kind], "send", refuse)
        announce.job_finished(job("failed"), [changed()], at(23))
        assert self.work(channel, at(23)) == 1
        [next_try] = due()
        with time_machine.travel(at(23) + timedelta(seconds=1), tick=False):
            hours = {"quietHours": {"from": "22:00", "to": "09:00"}}
            path = f"{CHANNELS}/{channel.pk}"
            assert Program(person("admin")).patch(path, hours).status_code == 200
        assert due() == [next_try]

    def test_what_somebody_sends_again_does_not_wait(
        self, channel: Channel, failing: list[SendError]
    ) -> None:
        announce.job_finished(job(), [changed()], at(21))
        assert self.work(channel, at(21)) == 1
        assert outbox.send_again(Notification.objects.get().pk, at(23))
        assert self.work(channel, at(23)) == 1


class TestSetting:
    @pytest.fixture
    def admin(self) -> Program:
        return Program(person("admin"))

    def test_the_api_sets_and_clears_them(self, admin: Program) -> None:
        given = {"kind": "webhook", "name": "mine", "config": {"url": "https://hooks.example/"}}
        made = admin.post(CHANNELS, given).json()
        assert made["quietHours"] is None
        path = f"{CHANNELS}/{made['id']}"
        hours = {"from": "22:00", "to": "07:30", "days": ["sat", "mon"]}
        changed = admin.patch(path, {"quietHours": hours}).json()
        assert changed["quietHours"] == {**hours, "days": ["mon", "sat"]}
        assert admin.patch(path, {"name": "other"}).json()["quietHours"] == changed["quietHours"]
        every = admin.patch(path, {"quietHours": {"from": "22:00", "to": "07:30"}}).json()
        assert every["quietHours"]["days"] == list(DAYS)
        assert admin.patch(path, {"quietHours": None}).json()["quietHours"] is None

    @pytest.mark.parametrize(
        ("hours", "sent_at"),
        [(None, at(23, 30)), ({"from": "22:00", "to": "09:00"}, at(9, day=1))],
    )
    def test_what_waits_follows_them(
        self, admin: Program, channel: Channel, hours: object, sent_at: datetime
    ) -> None:
        found(at(23), news())
        with time_machine.travel(at(23, 30), tick=False):
            path = f"{CHANNELS}/{channel.pk}"
            assert admin.patch(path, {"name": "other"}).status_code == 200
            assert due() == [at(7, day=1)]
            assert admin.patch(path, {"quietHours": hours}).status_code == 200
        assert due() == [sent_at]

    @pytest.mark.parametrize(
        "hours",
        [
            {"from": "22:00"},
            {"to": "07:00"},
            {"from": "22:00", "to": "22:00"},
            {"from": "25:00", "to": "07:00"},
            {"from": "7:5", "to": "07:00"},
            {"from": 22, "to": "07:00"},
            {"from": "22:00\n", "to": "07:00"},
            {"from": "22:00", "to": "07:00", "days": ["someday"]},
            "at night",
        ],
    )
    def test_it_refuses_what_is_none(self, admin: Program, channel: Channel, hours: object) -> None:
        answer = admin.patch(f"{CHANNELS}/{channel.pk}", {"quietHours": hours})
        error = error_of(answer, 400, "invalid_argument")
        assert error["details"]["field"].startswith("quietHours")
        channel.refresh_from_db()
        assert channel.quiet_hours == NIGHT

    def test_the_admin_sets_them(self, channel: Channel) -> None:
        browser = Client()
        browser.force_login(person("admin"))
        given = {
            "name": "sink",
            "enabled": "on",
            "events": [NEW_VERSION],
            "stack_ids": "[]",
            "quiet_from": "23:00",
            "quiet_to": "06:00",
            "config": '{"url": "https://hooks.example/"}',
        }
        path = f"/admin/notifications/channel/{channel.pk}/change/"
        assert browser.post(path, given).status_code == 302
        channel.refresh_from_db()
        assert channel.quiet_hours == Hours(time(23), time(6), list(DAYS))

    def test_the_page_of_a_channel_sets_them(self, channel: Channel) -> None:
        browser = Client()
        browser.force_login(person("admin"))
        path = f"/settings/channels/{channel.pk}"
        given = {
            "name": "sink",
            "enabled": "on",
            "events": [NEW_VERSION],
            "stacks": "all",
            "config-url": "https://hooks.example/",
            "quiet_from": "23:00",
            "quiet_to": "06:00",
            "quiet_days": ["sat", "sun"],
        }
        refused = browser.post(path, {**given, "quiet_to": ""})
        assert "Quiet hours have a beginning and an end." in refused.content.decode()
        assert browser.post(path, given).status_code == 302
        channel.refresh_from_db()
        assert channel.quiet_hours == Hours(time(23), time(6), ["sat", "sun"])
        page = browser.get(path).content.decode()
        assert 'name="quiet_from" value="23:00"' in page


def test_a_message_says_that_it_is_held_back(channel: Channel) -> None:
    found(at(23), news())
    announce.job_finished(job("failed"), [changed()], at(23))
    rows = Notification.objects.all()
    with time_machine.travel(at(23, 5), tick=False):
        assert {row.kind: row.is_held_back for row in rows} == {
            NEW_VERSION: True,
            JOB_FINISHED: False,
        }
        browser = Client()
        browser.force_login(person("viewer"))
        page = browser.get("/settings/notifications").content.decode()
        assert page.count("waits until 5 May 2026, 07:00:00 UTC, for quiet hours") == 1
        held = Notification.objects.get(kind=NEW_VERSION)
        page = browser.get(f"/settings/notifications/{held.pk}").content.decode()
        assert "until 5 May 2026, 07:00:00 UTC" in page
    with time_machine.travel(at(7, day=1), tick=False):
        assert not any(row.is_held_back for row in rows)
