"""Settings, Registry webhooks, in a browser: from the list to a test that works."""

from __future__ import annotations

import pytest
from playwright.sync_api import Browser, Page, expect
from pytest_django.live_server_helper import LiveServer

from integrations.models import Delivery, Receiver
from integrations.receivers import CALLERS, RECEIVERS
from tests.browser.conftest import PHONE, Open, sign_in
from tests.receivers.stand_in import Signing
from tests.rows import service
from tests.waiting import PATIENCE_MS

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


class Lab(Signing):
    kind = "lab"
    label = "Lab registry"
    steps = ("Enter {url} and {secret} there.",)


@pytest.fixture
def row(people: None, monkeypatch: pytest.MonkeyPatch) -> Receiver:
    for table in (RECEIVERS, CALLERS):
        monkeypatch.setitem(table, Lab.kind, Lab())
    service("registry.example/acme/api:1.2.0")
    return Receiver.objects.create(kind=Lab.kind, name=Lab.label)


def copied(page: Page) -> str:
    text: str = page.evaluate("navigator.clipboard.readText()")
    return text


def set_up(page: Page) -> None:
    page.get_by_role("link", name="Set up registry webhooks").click()
    page.get_by_role("link", name=Lab.label).click()
    page.get_by_label("Enable").check()
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("Lab registry is on.")).to_be_visible()
    expect(page.get_by_text("It is shown this once.")).to_be_visible()


def test_it_is_set_up_and_tried_on_a_phone(open_page: Open, row: Receiver) -> None:
    page = open_page("admin", path="/settings", size=PHONE)
    set_up(page)
    row.refresh_from_db()
    page.locator("#secret").get_by_role("button", name="Copy the secret").click()
    expect(page.locator("#secret").get_by_text("Copied")).to_be_visible()
    assert copied(page) == row.secret
    page.locator("#steps").get_by_role("button", name="Copy the address").click()
    expect(page.locator("#steps").get_by_text("Copied")).to_be_visible()
    assert copied(page).endswith("/api/webhooks/lab")
    page.get_by_role("button", name="Send a test payload").click()
    expect(page.get_by_text("It works.")).to_be_visible()
    expect(page.locator("#tried")).to_contain_text("1 check is queued.")
    expect(page.locator("#recent")).to_contain_text("test")
    expect(page.locator("#secret")).to_contain_text(row.secret)  # what is copied next is there
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    page.reload()
    assert row.secret not in page.content()


def test_it_makes_a_new_secret_in_place(open_page: Open, row: Receiver) -> None:
    page = open_page("admin", path="/settings")
    set_up(page)
    page.goto(f"/settings/receivers/{row.pk}")
    page.get_by_label("Name", exact=True).fill("Being typed")
    page.get_by_role("button", name="Make a new secret").click()
    expect(page.get_by_text("It is shown this once.")).to_be_visible()
    row.refresh_from_db()
    expect(page.locator("#steps")).to_contain_text(row.secret)
    expect(page.get_by_text("The one before still counts.")).to_be_visible()
    expect(page.get_by_label("Name", exact=True)).to_have_value("Being typed")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Being typed")


def test_it_explains_by_keyboard(open_page: Open, row: Receiver) -> None:
    page = open_page("operator", path="/settings/receivers/explain")
    page.get_by_label("Receiver").select_option(label=Lab.label)
    page.get_by_role("button", name="Choose").press("Enter")
    page.get_by_role("link", name="A push").press("Enter")
    expect(page.get_by_label("Body")).to_have_value(
        '{\n  "id": "example",\n  "images": [\n    "registry.example/acme/api:1.2.0"\n  ]\n}'
    )
    page.get_by_role("button", name="Explain it").press("Enter")
    expect(page.locator("#walk")).to_contain_text("It would be refused at “Proof”.")
    expect(page.locator("#walk")).to_contain_text("shop / api")
    assert not Delivery.objects.exists()


@pytest.fixture
def plain(browser: Browser, live_server: LiveServer, row: Receiver) -> Page:
    """A browser without scripts."""
    context = browser.new_context(base_url=live_server.url, java_script_enabled=False)
    page = context.new_page()
    page.set_default_timeout(PATIENCE_MS)
    sign_in(page, "admin")
    page.goto("/settings")
    return page


def test_it_works_without_scripts(plain: Page, row: Receiver) -> None:
    set_up(plain)
    plain.get_by_role("button", name="Send a test payload").click()
    expect(plain.get_by_text("It works.")).to_be_visible()
    plain.get_by_role("button", name="Make a new secret").click()
    row.refresh_from_db()
    expect(plain.locator("#secret")).to_contain_text(row.secret)
    plain.get_by_text("Another receiver of the kind").click()
    plain.get_by_label("Its name").fill("Second")
    plain.get_by_role("button", name="Add it").click()
    plain.get_by_text("Delete this receiver").click()
    plain.get_by_role("button", name="Delete it").click()
    expect(plain.get_by_text("Second is deleted.")).to_be_visible()
