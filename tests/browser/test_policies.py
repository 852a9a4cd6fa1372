"""A policy, said by keyboard, and what a service makes of it."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from checks.models import Service, Stack
from tests.browser.conftest import PHONE, Open
from tests.rows import service

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


def test_it_says_a_policy_by_keyboard_and_shows_whence_it_comes(open_page: Open) -> None:
    row = service()
    page = open_page("operator")
    page.get_by_role("link", name="Policy shop").click()
    save = page.get_by_role("button", name="Save the policy")
    expect(save).to_be_disabled()
    page.get_by_label("Largest step").focus()
    page.keyboard.press("p")
    page.get_by_label("No tags that match").focus()
    page.keyboard.type("-rc(")
    page.keyboard.press("Enter")
    expect(page.get_by_text("cannot be read from character 4 on").first).to_be_visible()
    expect(page.get_by_label("Largest step")).to_have_value("patch")
    page.get_by_role("link", name="No tags that match").click()
    field = page.get_by_label("No tags that match")
    field.fill("-rc")
    field.press("Enter")
    expect(page.get_by_text("The policy is saved.")).to_be_visible()
    assert Stack.objects.get().policy == {"largestStep": "patch", "exclude": "-rc"}
    page.goto(f"/services/{row.stack_id}/{row.pk}")
    expect(page.get_by_role("link", name="from the stack")).to_have_count(2)
    page.get_by_label("None, whatever is inherited No tags that match").check()
    page.get_by_role("button", name="Save the policy").click()
    expect(page.get_by_text("Set here. Otherwise: -rc")).to_be_visible()
    assert Service.objects.get().policy == {"exclude": ""}


def test_it_says_on_a_phone_what_a_label_says(open_page: Open) -> None:
    row = service()
    Service.objects.update(labels={"dockrev.track": "digest", "dockrev.include": "1("})
    page = open_page("operator", size=PHONE, path=f"/services/{row.stack_id}/{row.pk}")
    expect(page.get_by_text("The label dockrev.include cannot be read")).to_be_visible()
    expect(page.get_by_label("Tracks")).to_have_count(0)
    expect(page.get_by_text("The label dockrev.track says so")).to_be_visible()


def test_a_rejected_policy_is_seen_and_the_page_stays_alive(open_page: Open) -> None:
    row = service()
    page = open_page("operator", path=f"/services/{row.stack_id}/{row.pk}")
    page.get_by_label("Only tags that match").fill("([")
    page.get_by_role("button", name="Save the policy").click()
    expect(page.get_by_text("Nothing was saved.")).to_be_in_viewport()
    Service.objects.update(error="The registry is gone.")
    page.evaluate("htmx.trigger(document.body, 'changed')")
    expect(page.get_by_text("The registry is gone.")).to_be_visible()
    page.get_by_label("Only tags that match").fill("^1")
    page.get_by_role("button", name="Save the policy").click()
    expect(page.get_by_text("The policy of api is saved.")).to_be_in_viewport()
