"""From a row to an update that is queued, by keyboard and on a phone."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from checks import kinds
from checks.kinds import JobKind, Outcome
from checks.models import Job
from tests.browser.conftest import PHONE, Open
from tests.fake_engine import FakeEngine
from tests.pages.rows import candidate

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.fixture(autouse=True)
def _kind(monkeypatch: pytest.MonkeyPatch) -> None:
    """There is somebody who updates."""
    kind = JobKind("update", cluster="long", repeatable=False, run=lambda run: Outcome())
    monkeypatch.setitem(kinds.KINDS, "update", kind)


def test_it_is_reached_read_and_started_by_keyboard(
    open_page: Open, fake_engine: FakeEngine
) -> None:
    candidate(fake_engine.deploy())
    page = open_page("operator")
    page.get_by_role("link", name="Update shop / api").press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("Update shop / api")
    page.get_by_role("button", name="Copy all").press("Enter")
    assert " --project-name=shop " in page.evaluate("navigator.clipboard.readText()")
    page.get_by_role("button", name="Update now").press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("Update shop / api, 1.2.0 → 1.3.0")
    assert Job.objects.get().kind == "update"


def test_it_fits_a_phone(open_page: Open, fake_engine: FakeEngine) -> None:
    row = fake_engine.deploy("a-service-with-quite-a-long-name-for-a-phone")
    found = candidate(row)
    path = f"/services/{row.stack_id}/{row.pk}"
    for place in ("/", path, f"{path}/update?candidate={found.pk}"):
        page = open_page("operator", size=PHONE, path=place)
        assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
        expect(page.get_by_text("Update", exact=False).first).to_be_visible()
