"""The page of one ignore rule, in a browser: what it hides follows what is typed."""

from __future__ import annotations

import pytest
from playwright.sync_api import Dialog, Route, expect

from checks.models import IgnoreRule
from tests.browser.conftest import PHONE, Open
from tests.pages.rows import candidate
from tests.rows import service

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


def test_it_shows_what_a_rule_hides_as_somebody_types(open_page: Open) -> None:
    candidate(service(), tag="1.3.0-rc.1")
    candidate(service(name="web"), tag="1.3.0")
    page = open_page("operator", path="/settings/ignores/add")
    preview, value = page.locator("#preview"), page.get_by_label("Value")
    save = page.get_by_role("button", name="Save the rule")
    expect(save).to_be_disabled()
    page.get_by_label("Hides", exact=True).select_option("regex")
    value.press_sequentially("-rc(", delay=10)
    expect(page.locator("#value-fault mark")).to_have_text("(")
    expect(value).to_be_focused()
    value.press("Backspace")
    expect(page.locator("#value-fault mark")).to_have_count(0)
    expect(preview).to_contain_text("1 update, of 1 of 2 services in its scope.")
    expect(preview.get_by_role("link", name="shop / api")).to_be_visible()
    page.get_by_label("Try a tag").fill("2.0")
    expect(preview).to_contain_text("2.0: not hidden")
    assert not IgnoreRule.objects.exists()
    save.click()
    expect(page.get_by_text("The rule is saved.")).to_be_visible()
    assert IgnoreRule.objects.get().value == "-rc"


def test_it_shows_what_was_typed_while_an_answer_came(open_page: Open) -> None:
    page = open_page("operator", path="/settings/ignores/add")
    held: list[Route] = []
    page.route("**/settings/ignores/add", lambda route: held.append(route), times=1)
    page.get_by_label("Hides", exact=True).select_option("regex")
    while not held:
        page.wait_for_timeout(10)
    page.get_by_label("Value").fill("-rc(")
    held[0].continue_()
    expect(page.locator("#value-fault mark")).to_have_text("(")


def test_it_helps_to_name_a_service(open_page: Open) -> None:
    row = service()
    page = open_page("operator", size=PHONE, path="/settings/ignores/add")
    which = page.get_by_label("Which one")
    expect(which).to_be_hidden()
    page.get_by_label("For", exact=True).select_option("service")
    which.fill("ap")
    page.get_by_role("button", name="shop/api").click()
    expect(which).to_have_value("shop/api")
    page.get_by_label("Value").fill("1.3.0")
    page.keyboard.press("Enter")
    expect(page.get_by_text("The rule is saved.")).to_be_visible()
    assert IgnoreRule.objects.get().service == row


def test_it_asks_before_somebody_leaves_what_they_typed(open_page: Open) -> None:
    page = open_page("operator", path="/settings/ignores/add")
    asked: list[str] = []

    def hear(dialog: Dialog) -> None:
        asked.append(dialog.type)
        dialog.accept()

    page.once("dialog", hear)
    page.get_by_label("Note").fill("not yet")
    page.get_by_role("link", name="Cancel").click()
    page.wait_for_url("**/settings/ignores")
    assert asked == ["beforeunload"]
