"""Schedules: when they fire, in which zone, and that each time is fired once."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from django.db import DatabaseError
from pytest_django import Settings

from dockrev import schedules
from dockrev.models import Schedule
from dockrev.worker import Worker

pytestmark = pytest.mark.django_db
NOON = datetime(2026, 3, 28, 12, 0, 30, tzinfo=UTC)


@pytest.fixture
def fired(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """Only the schedules of these tests, and what they started."""
    seen: list[str] = []
    monkeypatch.setattr(schedules, "DEFAULTS", {})
    schedules.register("hourly", "0 * * * *", lambda: seen.append("hourly"))
    schedules.sync(NOON)
    yield seen


def test_it_fires_what_is_due_and_not_again(fired: list[str]) -> None:
    assert schedules.fire_due(NOON) == 0
    later = NOON + timedelta(hours=1)
    assert schedules.fire_due(later) == 1
    assert schedules.fire_due(later) == 0
    assert fired == ["hourly"]
    row = Schedule.objects.get()
    assert (row.last_run_at, row.next_run_at) == (later, datetime(2026, 3, 28, 14, tzinfo=UTC))


def test_it_fires_what_was_missed_once(fired: list[str]) -> None:
    assert schedules.fire_due(NOON + timedelta(days=3)) == 1
    assert fired == ["hourly"]


def test_it_keeps_what_people_set(fired: list[str]) -> None:
    Schedule.objects.update(cron="30 3 * * *", enabled=False, next_run_at=None)
    schedules.sync(NOON)
    row = Schedule.objects.get()
    assert (row.cron, row.enabled) == ("30 3 * * *", False)
    assert schedules.fire_due(NOON + timedelta(days=3)) == 0


def test_it_plans_an_edited_row_before_it_fires_it(fired: list[str]) -> None:
    Schedule.objects.update(cron="30 3 * * *", next_run_at=None)
    assert schedules.fire_due(NOON) == 0
    assert Schedule.objects.get().next_run_at == datetime(2026, 3, 29, 3, 30, tzinfo=UTC)
    assert fired == []


def test_it_reads_cron_in_the_configured_zone(settings: Settings) -> None:
    settings.TIME_ZONE = "Europe/Berlin"
    # That night clocks go from 2:00 to 3:00; at half past two there is no such minute.
    assert schedules.following("30 3 * * *", NOON) == datetime(2026, 3, 29, 1, 30, tzinfo=UTC)
    assert schedules.following("0 14 * * *", NOON) == datetime(2026, 3, 28, 13, tzinfo=UTC)


@pytest.mark.parametrize("cron", ["", "every day", "61 * * * *", "0 0 31 2 *"])
def test_it_refuses_what_never_comes(cron: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        schedules.following(cron, NOON)


def test_it_switches_off_what_it_cannot_read(fired: list[str]) -> None:
    Schedule.objects.update(cron="whenever", next_run_at=NOON)
    assert schedules.fire_due(NOON) == 0
    assert not Schedule.objects.get().enabled


def test_it_spreads_a_jittered_schedule(fired: list[str]) -> None:
    schedules.register("spread", "0 * * * *", lambda: None, jitter=timedelta(minutes=5))
    schedules.sync(NOON)
    Schedule.objects.filter(name="spread").update(next_run_at=NOON)
    schedules.fire_due(NOON)
    planned = Schedule.objects.get(name="spread").next_run_at
    assert planned is not None
    assert timedelta() <= planned - datetime(2026, 3, 28, 13, tzinfo=UTC) <= timedelta(minutes=5)


def test_it_does_not_repeat_an_action_that_fails(fired: list[str]) -> None:
    def broken() -> None:
        raise RuntimeError("broken")

    schedules.register("hourly", "0 * * * *", broken)
    assert schedules.fire_due(NOON + timedelta(hours=1)) == 0
    assert Schedule.objects.get().next_run_at == datetime(2026, 3, 28, 14, tzinfo=UTC)


def test_it_tries_again_when_the_database_failed(fired: list[str]) -> None:
    def locked() -> None:
        raise DatabaseError("database is locked")

    schedules.register("hourly", "0 * * * *", locked)
    with pytest.raises(DatabaseError):
        schedules.fire_due(NOON + timedelta(hours=1))
    assert Schedule.objects.get().next_run_at == datetime(2026, 3, 28, 13, tzinfo=UTC)


def test_it_leaves_rows_alone_that_no_app_registered(fired: list[str]) -> None:
    Schedule.objects.create(name="of another version", cron="* * * * *", next_run_at=NOON)
    assert schedules.fire_due(NOON) == 0


def test_it_fires_at_once_what_nobody_should_wait_for(fired: list[str]) -> None:
    schedules.register("look", "0 0 1 1 *", lambda: fired.append("look"), at_once=True)
    schedules.sync(NOON)
    assert schedules.fire_due(NOON) == 1
    schedules.sync(NOON)
    assert schedules.fire_due(NOON) == 0
    assert fired == ["look"]


def test_it_fires_at_each_start_what_was_missed_without_a_worker(fired: list[str]) -> None:
    schedules.register("catch up", "0 0 1 1 *", lambda: fired.append("again"), at_each_start=True)
    schedules.begin(NOON)
    assert schedules.fire_due(NOON) == 1
    schedules.sync(NOON)
    assert schedules.fire_due(NOON) == 0
    schedules.begin(NOON)
    assert schedules.fire_due(NOON) == 1
    assert fired == ["again", "again"]


def test_it_does_not_fire_at_a_start_what_people_switched_off(fired: list[str]) -> None:
    schedules.register("catch up", "0 0 1 1 *", lambda: fired.append("again"), at_each_start=True)
    schedules.sync(NOON)
    Schedule.objects.update(enabled=False)
    schedules.begin(NOON)
    assert schedules.fire_due(NOON) == 0


def test_it_tells_the_schedules_that_a_worker_starts(fired: list[str]) -> None:
    schedules.register("catch up", "0 0 1 1 *", lambda: fired.append("again"), at_each_start=True)
    worker = Worker()
    for step in worker._steps():
        if step in (worker._begin, schedules.fire_due):
            step(NOON)
    assert fired == ["again"]
    assert worker._begin not in list(worker._steps())
