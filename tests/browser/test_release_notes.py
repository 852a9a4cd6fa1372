"""Release notes, opened where the candidate is shown."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone
from playwright.sync_api import expect

from checks.models import Candidate, Image, ReleaseNotes
from tests.browser.conftest import Open
from tests.pages.rows import candidate
from tests.rows import service

pytestmark = pytest.mark.browser


@pytest.fixture
def offered(people: None) -> Candidate:
    """Notes of it were read just now, so nobody is asked."""
    now = timezone.now()
    row = candidate(service())
    row.image = Image.objects.create(
        digest=row.digest, source="https://github.com/acme/api", read_at=now
    )
    row.save(update_fields=["image"])
    ReleaseNotes.objects.create(
        place="https://github.com/acme/api",
        tag="v1.3.0",
        found=True,
        name="The leak",
        body="- [a link](https://acme.example/)\n- <img src=x onerror=alert(1)>",
        fetched_at=now + timedelta(minutes=5),
    )
    return row


def test_they_open_in_place_and_stay_while_the_page_looks_again(
    open_page: Open, offered: Candidate
) -> None:
    path = f"/services/{offered.service.stack_id}/{offered.service_id}"
    page = open_page("viewer", path=path)
    page.get_by_role("link", name="Release notes 1.3.0").click()
    expect(page.get_by_text("The leak")).to_be_visible()
    assert page.url.endswith(path)
    with page.expect_response(lambda answer: answer.url.endswith(path)):
        page.evaluate("htmx.trigger(document.body, 'changed')")
    expect(page.get_by_text("The leak")).to_be_visible()
    expect(page.get_by_role("link", name="a link")).to_have_attribute(
        "rel", "noopener noreferrer nofollow"
    )


def test_they_have_a_page_of_their_own_without_scripts(open_page: Open, offered: Candidate) -> None:
    path = f"/services/{offered.service.stack_id}/{offered.service_id}"
    page = open_page("viewer", path=path)
    link = page.get_by_role("link", name="Release notes 1.3.0").get_attribute("href")
    assert link is not None
    page.goto(link)
    expect(page.get_by_role("heading", name="Release notes")).to_be_visible()
    expect(page.get_by_text("The leak")).to_be_visible()
