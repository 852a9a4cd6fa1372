"""From a service to its restart, and to what its containers write: by keyboard and on a phone."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from checks.models import Job
from tests.browser.conftest import PHONE, Open
from tests.fake_engine import FakeEngine, Written

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


def test_it_is_confirmed_and_started_by_keyboard(open_page: Open, fake_engine: FakeEngine) -> None:
    row = fake_engine.deploy()
    page = open_page("operator", path=f"/services/{row.stack_id}/{row.pk}")
    page.get_by_role("link", name="Restart").press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("Restart shop / api")
    assert not Job.objects.exists()
    page.get_by_role("button", name="Restart now").press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("Restart shop / api")
    expect(page.get_by_role("button", name="Cancel this job")).to_be_visible()
    page.goto("/")
    page.get_by_label("More for shop").press("Enter")
    expect(page.get_by_role("button", name="Stop stack")).to_be_visible()


def test_new_lines_come_by_themselves(open_page: Open, fake_engine: FakeEngine) -> None:
    row = fake_engine.deploy()
    fake_engine.write(Written(b"first\n"))
    page = open_page("operator", path=f"/services/{row.stack_id}/{row.pk}/logs")
    log = page.get_by_role("log")
    expect(log).to_contain_text("first")
    fake_engine.write(Written(b"second\n", 1, stream=2))
    expect(log).to_contain_text("second")
    expect(log.get_by_text("first")).to_have_count(1)
    page.get_by_role("link", name="Pause").press("Enter")
    expect(page.get_by_role("link", name="Follow")).to_be_visible()
    expect(page.locator("#log")).to_contain_text("second")


def test_it_fits_a_phone(open_page: Open, fake_engine: FakeEngine) -> None:
    row = fake_engine.deploy("a-service-with-quite-a-long-name-for-a-phone")
    fake_engine.write(Written(b"x" * 1500 + b"\n"))
    path = f"/services/{row.stack_id}/{row.pk}"
    for place in ("/", path, f"{path}/lifecycle/stop", f"{path}/logs"):
        page = open_page("operator", size=PHONE, path=place)
        assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
