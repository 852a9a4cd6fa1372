"""The admin and the page of the API, under the same policy as every page."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from integrations.models import HookTarget
from tests.browser.conftest import Open
from tests.rows import service

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


def test_it_works_the_admin_with_a_keyboard_and_a_mouse(open_page: Open) -> None:
    service()
    page = open_page("admin", path="/admin/integrations/hooktarget/add/")
    page.get_by_label("Account").select_option(index=1)
    page.get_by_label("Name").fill("acme/api")
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.get_by_text("was added successfully")).to_be_visible()
    assert HookTarget.objects.get().full_name == "acme/api"
    page.goto("/admin/checks/ignorerule/add/")  # its fields complete as one types
    page.locator(".field-stack .select2-selection").click()
    page.locator(".select2-results__option", has_text="shop").click()
    expect(page.locator(".field-stack .select2-selection__rendered")).to_contain_text("shop")
    page.goto("/admin/checks/job/")
    expect(page.locator("#changelist")).to_be_visible()


def test_it_reads_the_api_on_a_page_and_calls_it(open_page: Open) -> None:
    page = open_page("operator", path="/api/docs/")
    operation = page.locator("#operations-discovery-postDiscoveryScan")
    operation.locator(".opblock-summary-control").click()
    operation.get_by_role("button", name="Try it out").click()
    operation.get_by_role("button", name="Execute").click()
    expect(operation.locator(".live-responses-table .response-col_status").last).to_contain_text(
        "202"
    )
