"""Receivers that fell silent: what counts as that, and that it is told once."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import resolve
from django.utils import timezone

from dockrev import schedules
from integrations.models import Receiver
from integrations.silence import is_silent, usual_gap
from notifications.messages import message
from notifications.models import Channel, Notification
from tests.pages.rows import delivery
from tests.rows import github_receiver

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)


class TestTheRule:
    def test_it_takes_the_longest_pause(self) -> None:
        times = [NOW - number * HOUR for number in range(9)] + [NOW - 20 * HOUR]
        assert usual_gap(times) == 12 * HOUR

    def test_it_knows_too_little_of_few(self) -> None:
        assert usual_gap([NOW - number * HOUR for number in range(9)]) is None
        assert usual_gap([]) is None

    def test_it_takes_what_one_push_brings_for_one(self) -> None:
        burst = [NOW - timedelta(seconds=number) for number in range(400)]
        assert usual_gap(burst) is None
        days = [NOW - day * DAY - timedelta(seconds=s) for day in range(10) for s in range(20)]
        gap = usual_gap(days)
        assert gap is not None and DAY - timedelta(minutes=1) < gap <= DAY

    @pytest.mark.parametrize(
        ("gap", "silent_for", "expected"),
        [
            (None, 100 * DAY, False),
            (HOUR, 23 * HOUR, False),
            (HOUR, 25 * HOUR, True),
            (DAY, 4 * DAY, False),
            (DAY, 4 * DAY + HOUR, True),
            (3 * DAY, 11 * DAY, False),
        ],
    )
    def test_it_is_patient(
        self, gap: timedelta | None, silent_for: timedelta, expected: bool
    ) -> None:
        assert is_silent(gap, silent_for) is expected


def look(at: datetime) -> None:
    with time_machine.travel(at, tick=False):
        schedules.DEFAULTS["receivers.silence"].action()


def heard(receiver: Receiver, at: datetime, **fields: object) -> None:
    delivery(receiver, received_at=at, **fields)
    Receiver.objects.filter(pk=receiver.pk).update(last_accepted_at=at)


@pytest.mark.django_db
class TestTheLook:
    @pytest.fixture
    def channel(self) -> Channel:
        return Channel.objects.create(
            kind="webhook",
            name="sink",
            events=["receiver_silent"],
            config='{"url": "http://127.0.0.1:9/"}',
        )

    @pytest.fixture
    def receiver(self, channel: Channel) -> Receiver:
        """Heard every day until a moment."""
        row = github_receiver()
        for day in reversed(range(12)):
            heard(row, NOW - day * DAY)
        return row

    def test_it_tells_once_in_the_shape_of_the_contract(self, receiver: Receiver) -> None:
        look(NOW + 4 * DAY)
        assert not Notification.objects.exists()
        look(NOW + 5 * DAY)
        look(NOW + 6 * DAY)
        told = Notification.objects.get()
        payload = message(told, NOW).payload
        assert payload["schema"] == "dockrev.notification.receiver_silent.v2"
        assert payload["receiver"] == {
            "id": receiver.pk,
            "kind": "github-packages",
            "name": receiver.name,
            "lastAcceptedAt": "2026-11-20T12:00:00.000Z",
            "silentForSeconds": 5 * 86400,
            "usualLongestGapSeconds": 86400,
        }
        assert payload["human"] == {
            "title": f"{receiver.name} has fallen silent",
            "summary": "No delivery for 5 days; the longest pause before was 24 hours.",
        }
        assert resolve(payload["links"]["primaryUrl"]).url_name == "receiver"

    def test_it_tells_again_after_it_was_heard_in_between(self, receiver: Receiver) -> None:
        look(NOW + 5 * DAY)
        heard(receiver, NOW + 6 * DAY)
        look(NOW + 7 * DAY)
        assert Notification.objects.count() == 1
        look(NOW + 60 * DAY)
        assert Notification.objects.count() == 2

    def test_it_says_nothing_of_one_that_is_off_or_was_just_switched_on(
        self, receiver: Receiver
    ) -> None:
        Receiver.objects.filter(pk=receiver.pk).update(enabled=False)
        look(NOW + 9 * DAY)
        Receiver.objects.filter(pk=receiver.pk).update(enabled=True, enabled_at=NOW + 8 * DAY)
        look(NOW + 9 * DAY)
        assert not Notification.objects.exists()

    def test_it_learns_nothing_from_tests_and_what_was_read_later(self, channel: Channel) -> None:
        row = github_receiver()
        for day in reversed(range(12)):
            heard(row, NOW - day * DAY, is_test=day % 2 == 0, reconciled=day % 2 == 1)
        look(NOW + 30 * DAY)
        assert not Notification.objects.exists()

    def test_it_marks_a_silent_one_also_where_nobody_is_told(self, receiver: Receiver) -> None:
        Channel.objects.update(events=["new_version_discovered"])
        look(NOW + 5 * DAY)
        receiver.refresh_from_db()
        assert receiver.silent_at == NOW + 5 * DAY
        assert not Notification.objects.exists()

    def test_it_looks_closer_only_at_the_quiet(self) -> None:
        row = github_receiver()
        heard(row, timezone.now())
        with CaptureQueriesContext(connection) as captured:
            schedules.DEFAULTS["receivers.silence"].action()
        assert len(captured) == 1
