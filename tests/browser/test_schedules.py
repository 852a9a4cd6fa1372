"""The page of a schedule, in a browser: its next times follow what is typed."""

from __future__ import annotations

import pytest
from django.utils import timezone
from playwright.sync_api import expect

from dockrev import schedules
from dockrev.models import Schedule
from tests.browser.conftest import PHONE, Open

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


def test_it_shows_the_next_times_as_somebody_types(open_page: Open) -> None:
    schedules.sync(timezone.now())
    page = open_page("admin", size=PHONE, path="/settings")
    page.get_by_role("link", name="Check everything").click()
    cron, times = page.get_by_label("Cron"), page.locator("#preview")
    cron.fill("0 25 * * *")
    expect(page.locator("#cron-fault")).to_contain_text("the hour cannot be 25; it takes 0 to 23")
    cron.fill("15 4 * * *")
    expect(times.get_by_role("listitem")).to_have_count(3)
    expect(times.get_by_role("listitem").first).to_contain_text(", 04:15:00 UTC")
    expect(cron).to_be_focused()
    page.get_by_label("On", exact=True).uncheck()
    expect(times).to_contain_text("It is off: nothing happens then.")
    page.get_by_role("button", name="Save the schedule").click()
    expect(page.get_by_text("The schedule is saved: Check everything.")).to_be_visible()
    row = Schedule.objects.get(name="check")
    assert (row.cron, row.enabled) == ("15 4 * * *", False)
