from __future__ import annotations

import pytest
from django.utils import timezone
from playwright.sync_api import Page, expect

from checks import queue
from checks.kinds import Outcome
from checks.models import Candidate, Job, Service
from tests.browser.conftest import Open
from tests.github import digest
from tests.rows import service

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


def mark_page(page: Page) -> None:
    page.evaluate("window.theSamePage = true")


def is_same_page(page: Page) -> bool:
    """Whether it was not loaded anew since it was marked."""
    return bool(page.evaluate("window.theSamePage === true"))


def test_it_signs_in_and_says_when_it_cannot(open_page: Open) -> None:
    page = open_page(path="/queue")
    expect(page.get_by_label("User name")).to_be_focused()
    page.get_by_label("User name").fill("viewer")
    page.get_by_label("Password").fill("wrong")
    page.keyboard.press("Enter")
    expect(page.get_by_role("alert").filter(visible=True)).to_have_text(
        "This user name and password do not belong together."
    )
    expect(page.get_by_label("Password")).to_be_focused()
    page.keyboard.type("correct horse battery")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("Queue")


def test_it_signs_out(open_page: Open) -> None:
    page = open_page("viewer")
    page.get_by_role("navigation", name="Main").get_by_role("button", name="Sign out").click()
    expect(page.get_by_label("Password")).to_be_visible()
    page.goto("/")
    expect(page.get_by_label("Password")).to_be_visible()


def test_it_filters_as_somebody_types(open_page: Open) -> None:
    service()
    service(name="web", stack="home", image="nginx:1.27")
    page = open_page("viewer")
    mark_page(page)
    page.keyboard.press("/")
    search = page.get_by_role("searchbox", name="Search services")
    expect(search).to_be_focused()
    page.keyboard.type("ngi", delay=20)
    expect(page.get_by_role("link", name="api", exact=True)).to_have_count(0)
    expect(page.get_by_role("link", name="web", exact=True)).to_be_visible()
    expect(page.get_by_role("navigation", name="Filter")).to_contain_text("All 1")
    expect(search).to_be_focused()
    expect(search).to_have_value("ngi")
    assert page.url.endswith("?q=ngi")
    assert is_same_page(page)
    page.reload()
    expect(search).to_have_value("ngi")
    expect(page.get_by_role("link", name="api", exact=True)).to_have_count(0)


def test_it_keeps_the_search_in_a_filter_and_the_filter_in_a_search(open_page: Open) -> None:
    service()
    failing = service(name="web", stack="home", image="nginx:1.27")
    Service.objects.filter(pk=failing.pk).update(error="no answer")
    page = open_page("viewer", path="/?q=e")
    page.get_by_role("link", name="Failed 1").click()
    expect(page.get_by_role("link", name="api", exact=True)).to_have_count(0)
    page.get_by_role("searchbox").fill("none such")
    expect(page.get_by_role("heading", name="No service matches “none such”.")).to_be_visible()
    assert "show=failed" in page.url
    assert "q=none" in page.url


def test_it_shows_a_check_and_its_result_without_a_reload(open_page: Open) -> None:
    row = service()
    page = open_page("operator")
    mark_page(page)
    page.get_by_role("button", name="Check shop / api").click()
    expect(page.get_by_role("link", name="Waiting…")).to_be_visible()
    job = queue.claim(Job.objects.get().pk)
    assert job is not None
    expect(page.get_by_role("link", name="Checking…")).to_be_visible()
    queue.finish(job, Outcome({"services": 1, "updates": 1}, write=lambda job: find_newer(row)))
    expect(page.get_by_text("minor", exact=True)).to_be_visible()
    expect(page.get_by_text("1.3.0", exact=True)).to_be_visible()
    expect(page.get_by_role("link", name="Update shop / api")).to_be_visible()
    expect(page.locator("#state")).to_contain_text("1 update, checked just now")
    assert is_same_page(page)


def test_it_shows_the_first_stack_without_a_reload(open_page: Open) -> None:
    page = open_page("operator")
    mark_page(page)
    page.get_by_role("button", name="Look now").click()
    expect(page.get_by_role("button", name="Looking…")).to_be_visible()
    job = queue.claim(Job.objects.get().pk)
    assert job is not None
    queue.finish(job, Outcome(write=lambda job: appear()))
    expect(page.get_by_role("link", name="api", exact=True)).to_be_visible()
    expect(page.get_by_role("button", name="Check all")).to_be_visible()
    page.get_by_role("searchbox", name="Search services").fill("none")
    expect(page.get_by_role("link", name="api", exact=True)).to_have_count(0)
    assert is_same_page(page)


def appear() -> None:
    service()


def find_newer(row: Service) -> None:
    now = timezone.now()
    Service.objects.filter(pk=row.pk).update(status="update_available", checked_at=now)
    Candidate.objects.create(
        service=row,
        step="minor",
        image_ref=row.image_ref,
        tag="1.3.0",
        digest=digest("1.3.0"),
        opened_at=now,
    )


def test_it_goes_to_the_sign_in_page_when_the_session_is_over(open_page: Open) -> None:
    service()
    page = open_page("operator")
    page.context.clear_cookies()
    page.get_by_role("searchbox").fill("x")
    expect(page.get_by_label("Password")).to_be_visible()


def test_it_is_reached_by_keyboard(open_page: Open) -> None:
    service()
    page = open_page("operator")
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("main")).to_be_focused()
    names = []
    for _step in range(12):
        page.keyboard.press("Tab")
        names.append(
            page.evaluate(
                "document.activeElement.getAttribute('aria-label')"
                " || document.activeElement.name || document.activeElement.textContent.trim()"
            )
        )
        outline = page.evaluate(
            "[getComputedStyle(document.activeElement).outlineStyle,"
            " getComputedStyle(document.activeElement, '::after').outlineStyle]"
        )
        assert "solid" in outline or "auto" in outline, names
        if names[-1] == "Check shop / api":
            break
    wanted = ["Look again", "Check all", "q", "Check stack shop", "api", "Check shop / api"]
    assert [name for name in names if name in wanted] == wanted
    page.keyboard.press("Enter")
    expect(page.get_by_role("link", name="Waiting…")).to_be_visible()


def test_it_copies_and_says_so(open_page: Open) -> None:
    row = service()
    page = open_page("viewer", path=f"/services/{row.stack_id}/{row.pk}")
    button = page.get_by_role("button", name="Copy the image name")
    button.click()
    expect(button.locator(".copy-word")).to_have_text("Copied")
    assert page.evaluate("navigator.clipboard.readText()") == "ghcr.io/acme/api:1.2.0"


def test_it_keeps_the_colours_that_somebody_chose(open_page: Open) -> None:
    page = open_page("viewer", path="/settings")
    ground = "getComputedStyle(document.documentElement).backgroundColor"
    assert page.evaluate(ground) == "rgb(247, 248, 250)"
    page.get_by_role("button", name="Dark").click()
    expect(page.get_by_role("button", name="Dark", pressed=True)).to_be_visible()
    assert page.evaluate(ground) == "rgb(15, 20, 27)"
    page.goto("/")
    assert page.evaluate(ground) == "rgb(15, 20, 27)"


def test_it_follows_the_system_s_colours(open_page: Open) -> None:
    page = open_page(scheme="dark", path="/sign-in")
    ground = "getComputedStyle(document.documentElement).backgroundColor"
    assert page.evaluate(ground) == "rgb(15, 20, 27)"


def test_what_comes_anew_keeps_the_keyboard_and_what_is_open(open_page: Open) -> None:
    service()
    page = open_page("operator")

    def come_anew() -> None:
        page.evaluate("document.getElementById('live').dataset.old = 'yes'")
        page.evaluate("htmx.trigger(document.body, 'changed')")
        expect(page.locator("#live[data-old]")).to_have_count(0)

    link = page.get_by_role("link", name="Policy shop")
    link.focus()
    come_anew()
    expect(link).to_be_focused()
    page.get_by_label("More for shop").press("Enter")
    come_anew()
    expect(page.get_by_role("button", name="Stop stack")).to_be_visible()
    expect(page.get_by_label("More for shop")).to_be_focused()
    page.keyboard.press("Escape")
    come_anew()
    expect(page.get_by_role("button", name="Stop stack")).to_be_hidden()
