"""An account at a registry, from nothing to its first webhook, without scripts and by keyboard."""

from __future__ import annotations

import pytest
from playwright.sync_api import Browser, expect
from pytest_django.live_server_helper import LiveServer

from checks.models import Job
from checks.tasks import run_job
from integrations.models import HookTarget
from tests.browser.conftest import Open, sign_in
from tests.fake_harbor.server import FakeHarbor
from tests.waiting import PATIENCE_MS

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
CALLBACK = "https://dockrev.example.com/api/webhooks/harbor"


@pytest.fixture
def harbor(people: None, harbor: FakeHarbor) -> FakeHarbor:
    harbor.add_person("robot$dockrev", "a secret", is_robot=True)
    for name in ("apps", "library"):
        harbor.add_project(name)
    return harbor


def test_it_works_without_scripts(
    browser: Browser, live_server: LiveServer, harbor: FakeHarbor
) -> None:
    context = browser.new_context(base_url=live_server.url, java_script_enabled=False)
    page = context.new_page()
    page.set_default_timeout(PATIENCE_MS)
    sign_in(page, "admin")
    page.goto("/settings/registries")
    page.get_by_role("link", name="Webhooks there").click()
    page.get_by_role("link", name="Harbor", exact=True).click()
    page.get_by_role("button", name="Save connection").click()
    expect(page.get_by_role("alert")).to_contain_text("Say where it is.")
    page.get_by_label("Address").fill(harbor.url)
    page.get_by_label("User name").fill("robot$dockrev")
    page.get_by_label("Password or token").fill("a secret")
    page.get_by_label("Callback URL").fill(CALLBACK)
    page.get_by_role("button", name="Save connection").click()
    expect(page.locator("#token")).to_contain_text("robot$dockrev")
    page.get_by_role("link", name="Pick from a list").click()
    page.get_by_label("apps", exact=True).check()
    page.get_by_role("button", name="Add what is ticked").click()
    expect(page.get_by_label("Selected: apps")).to_be_checked()
    page.get_by_role("button", name="Sync webhook").click()
    run_job(Job.objects.get(finished_at=None).pk)
    page.reload()
    expect(page.locator("#work")).to_contain_text("1 created")
    assert len(harbor.policies) == 1
    context.close()


def test_it_works_by_keyboard(open_page: Open, harbor: FakeHarbor) -> None:
    page = open_page("admin", path="/settings/hook-accounts/add/harbor")
    page.get_by_label("Address").focus()
    page.keyboard.type(harbor.url)
    for text in ("robot$dockrev", "a secret", CALLBACK):
        page.keyboard.press("Tab")
        page.keyboard.type(text)
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("Harbor")
    page.get_by_label("Add by name").focus()
    page.keyboard.type("library")
    page.keyboard.press("Enter")
    expect(page.get_by_label("Selected: library")).to_be_checked()
    page.get_by_label("Selected: library").focus()
    page.keyboard.press("Space")
    expect(page.locator("#counts")).to_contain_text("0 selected")
    assert not HookTarget.objects.get().selected
