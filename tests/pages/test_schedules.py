"""Settings, Schedules: what a clock starts, for people to see and for admins to change."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from django.test import Client
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st
from pytest_django import Settings

from checks.models import IgnoreRule, Job
from dockrev import schedules
from dockrev.models import Schedule
from tests.pages.test_overview import text_of

pytestmark = pytest.mark.django_db
CHECK = "/settings/schedules/check"
NOON = datetime(2026, 3, 27, 12, 0, 30, tzinfo=UTC)


@pytest.fixture(autouse=True)
def rows() -> None:
    schedules.sync(NOON)


def shown(client: Client, path: str = CHECK) -> str:
    response = client.get(path)
    assert response.status_code == 200
    return text_of(response.content)


def post(client: Client, act: str = "save", **fields: Any) -> Any:
    whole = {"enabled": "on", "cron": "0 */6 * * *", "jitter_seconds": "600", **fields}
    return client.post(CHECK, {**whole, "act": act}, follow=True)


@time_machine.travel(NOON, tick=False)
def test_it_lists_what_a_clock_starts(viewer: Client, settings: Settings) -> None:
    settings.TIME_ZONE = "Europe/Berlin"
    Schedule.objects.filter(name="discovery").update(enabled=False)
    Schedule.objects.filter(name="check").update(last_run_at=NOON - timedelta(hours=5))
    page = shown(viewer, "/settings")
    assert "Times are read in Europe/Berlin." in page
    assert "Check everything 0 */6 * * * and up to 600 s later next in 5 hours" in page
    assert "last 5 hours ago" in page
    assert "Look for stacks and services * * * * * off did not run yet" in page


def test_it_says_who_makes_schedules_while_there_are_none(viewer: Client) -> None:
    Schedule.objects.all().delete()
    assert "No worker has run yet: it makes the schedules" in shown(viewer, "/settings")
    assert viewer.get(CHECK).status_code == 404


@time_machine.travel(NOON, tick=False)
def test_it_shows_the_next_times_before_it_saves(admin: Client, settings: Settings) -> None:
    settings.TIME_ZONE = "Europe/Berlin"
    assert "Check everything" in shown(admin)
    page = text_of(post(admin, "preview", cron=" 30  3 * * 1-5 ").content)
    assert "30 Mar 2026, 03:30:00 CEST" in page
    assert "31 Mar 2026, 03:30:00 CEST" in page
    assert Schedule.objects.get(name="check").cron == "0 */6 * * *"
    assert "It is off: nothing happens then." in text_of(
        admin.post(CHECK, {"cron": "0 0 * * *", "jitter_seconds": 0}).content
    )


def test_it_saves_and_plans_anew(admin: Client) -> None:
    response = post(admin, cron=" 30  3 * * 1-5 ", jitter_seconds="5")
    page = text_of(response.content)
    assert "The schedule is saved: Check everything." in page
    row = Schedule.objects.get(name="check")
    assert (row.cron, row.jitter_seconds, row.next_run_at) == ("30 3 * * 1-5", 5, None)
    assert "next: worked out in a moment" in page
    schedules.fire_due(timezone.now())
    row.refresh_from_db()
    assert row.next_run_at is not None
    admin.post(CHECK, {"cron": row.cron, "jitter_seconds": 5, "act": "save"})
    row.refresh_from_db()
    assert row.enabled is False


@pytest.mark.parametrize(
    ("cron", "words"),
    [
        ("61 * * * *", "the minute cannot be 61; it takes 0 to 59"),
        ("0 x * * *", "the hour cannot be x; it takes 0 to 23"),
        ("0 0 0 * *", "the day cannot be 0; it takes 1 to 31"),
        ("0 0 * 13 *", "the month cannot be 13; it takes 1 to 12"),
        ("0 0 * * FOO", "the day of the week cannot be FOO; it takes 0 to 7"),
        ("0 0 * * 1#2/2", "the day of the week cannot be 1#2/2"),
        ("0 0 31 2 *", "the day cannot be 31"),
        ("*/5 * * * * *", "it takes five fields: minute, hour, day"),
        ("every day", "it takes five fields"),
        ("<b>", "it takes five fields"),
        ("0 0 * * 1\0", "Null characters are not allowed."),
        ("0 " * 60, "at most 100 characters"),
        ("", "This field is required."),
    ],
)
def test_it_says_what_is_wrong_with_an_expression(admin: Client, cron: str, words: str) -> None:
    response = post(admin, cron=cron)
    assert response.status_code == 422
    page = text_of(response.content)
    assert "Nothing was saved." in page
    assert words in page
    assert "the expression cannot be read" in page
    assert Schedule.objects.get(name="check").cron == "0 */6 * * *"


@pytest.mark.parametrize("jitter", ["-1", "86401", "x", ""])
def test_it_refuses_such_a_jitter(admin: Client, jitter: str) -> None:
    assert post(admin, jitter_seconds=jitter).status_code == 422
    assert Schedule.objects.get(name="check").jitter_seconds == 600


def test_it_starts_one_now(admin: Client) -> None:
    response = admin.post(f"{CHECK}/run", follow=True)
    assert "Started: Check everything." in text_of(response.content)
    job = Job.objects.get()
    assert (job.kind, job.reason, job.notify) == ("check.all", "schedule", True)
    row = Schedule.objects.get(name="check")
    assert row.last_run_at is not None
    assert admin.post("/settings/schedules/none/run").status_code == 404


def test_it_starts_what_makes_no_job(admin: Client) -> None:
    past = timezone.now() - timedelta(days=1)
    rule = IgnoreRule.objects.create(scope="all", kind="exact", value="1", expires_at=past)
    admin.post("/settings/schedules/ignores/run")
    rule.refresh_from_db()
    assert rule.enabled is False


def test_it_lets_others_look(operator: Client) -> None:
    page = shown(operator)
    assert "On yes Cron 0 */6 * * * UTC Jitter, in seconds 600" in page
    assert "Run now" not in page
    assert post(operator).status_code == 403
    assert operator.post(f"{CHECK}/run").status_code == 403


def test_it_checks_expressions_in_the_admin_too(admin: Client) -> None:
    path = "/admin/dockrev/schedule/check/change/"
    response = admin.post(path, {"enabled": "on", "cron": "61 * * * *", "jitter_seconds": 0})
    assert "the minute cannot be 61" in text_of(response.content)
    admin.post(path, {"enabled": "on", "cron": "1 * * * *", "jitter_seconds": 0})
    row = Schedule.objects.get(name="check")
    assert (row.cron, row.next_run_at) == ("1 * * * *", None)


@given(st.text(alphabet="0123456789*/,-#LW SUNJAN²٣", max_size=30))
def test_it_reads_any_expression_or_says_why_not(cron: str) -> None:
    try:
        assert schedules.following(cron, NOON) > NOON
    except ValueError as error:
        assert str(error)
