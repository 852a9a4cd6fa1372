"""Settings, Notification channels, in a browser: from the first to the last, by keyboard."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from django.core.cache import cache
from playwright.sync_api import Browser, Page, expect
from pytest_django.live_server_helper import LiveServer

from notifications import announce
from notifications.models import Channel
from tests.browser.conftest import PHONE, Open, sign_in
from tests.rows import service
from tests.sink import Sink, sink
from tests.waiting import PATIENCE_MS

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
SECRET = "never to be seen"


@pytest.fixture
def place() -> Iterator[Sink]:
    cache.clear()
    with sink() as place:
        yield place


def channel(place: Sink, name: str = "Mine") -> Channel:
    config = {"url": place.url, "secret": SECRET, "headers": {"X-Key": SECRET}}
    events = list(announce.EVENTS)
    return Channel.objects.create(
        kind="webhook", name=name, events=events, config=json.dumps(config)
    )


def add(page: Page, place: Sink) -> None:
    """From the settings to a webhook that is saved, by keyboard."""
    page.get_by_role("link", name="Add a channel").press("Enter")
    page.get_by_role("link", name="Webhook").press("Enter")
    page.get_by_label("Name", exact=True).fill("Mine")
    page.get_by_label("URL").fill(place.url)
    page.get_by_label("Secret").fill(SECRET)
    page.get_by_label("Name of header 1").fill("X-Key")
    page.get_by_label("Value of header 1").fill(SECRET)
    page.get_by_label("Receivers that fell silent").press("Space")
    page.get_by_role("button", name="Save").press("Enter")
    expect(page.get_by_text("Mine is saved. Send it a test.")).to_be_visible()


def test_it_adds_tries_and_edits_one_by_keyboard(open_page: Open, place: Sink) -> None:
    page = open_page("admin", path="/settings")
    add(page, place)
    row = Channel.objects.get()
    assert announce.SILENCE not in row.events
    assert row.settings["headers"] == {"X-Key": SECRET}
    page.get_by_role("button", name="Send a test").press("Enter")
    expect(page.locator("#tried")).to_contain_text("It was taken. Answer 204")
    [received] = place.wait_for(1)
    assert received.headers["X-Key"] == SECRET
    assert received.headers["X-Dockrev-Signature-256"].startswith("sha256=")
    save = page.get_by_role("button", name="Save")
    expect(save).to_be_disabled()
    page.get_by_label("Name", exact=True).fill("Mine again")
    save.press("Enter")
    expect(page.get_by_text("Mine again is saved.")).to_be_visible()
    assert SECRET not in page.content()
    before = row.settings
    row.refresh_from_db()
    assert (row.name, row.settings) == ("Mine again", before)


def test_it_replaces_a_secret_and_adds_a_header(open_page: Open, place: Sink) -> None:
    row = channel(place)
    page = open_page("admin", path=f"/settings/channels/{row.pk}", size=PHONE)
    page.locator("summary", has_text="Replace Secret").press("Enter")
    page.get_by_label("New: Secret").fill("another secret")
    page.get_by_role("button", name="Another header").press("Enter")
    page.keyboard.type("X-New")
    page.keyboard.press("Tab")
    page.keyboard.type("new")
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    page.get_by_role("button", name="Save").press("Enter")
    expect(page.get_by_text("Mine is saved.")).to_be_visible()
    row.refresh_from_db()
    assert row.settings["secret"] == "another secret"
    assert row.settings["headers"] == {"X-Key": SECRET, "X-New": "new"}


def test_it_chooses_stacks_from_many(open_page: Open, place: Sink) -> None:
    for number in range(12):
        service(stack=f"stack-{number:02d}")
    row = channel(place)
    page = open_page("admin", path=f"/settings/channels/{row.pk}")
    page.get_by_label("Only these").check()
    page.get_by_label("Find a stack").fill("-07")
    expect(page.get_by_label("stack-06")).to_be_hidden()
    page.get_by_label("stack-07").check()
    page.get_by_role("button", name="Save").click()
    expect(page.locator(".strip")).to_contain_text("stack-07")


def test_it_sends_an_example(open_page: Open, place: Sink) -> None:
    row = channel(place)
    page = open_page("admin", path=f"/settings/channels/{row.pk}")
    page.locator("#last").get_by_role("link", name="Example newer images").press("Enter")
    page.get_by_role("button", name="Copy the body").press("Enter")
    expect(page.get_by_text("Copied")).to_be_visible()
    copied = json.loads(page.evaluate("navigator.clipboard.readText()"))
    assert copied["kind"] == announce.NEW_VERSION
    page.get_by_role("button", name="Send this as a test").press("Enter")
    expect(page.locator("#tried")).to_contain_text("It was taken.")
    [received] = place.wait_for(1)
    assert {**received.json, "sentAt": ""} == {**copied, "sentAt": ""}


def test_it_tries_a_channel_once_at_a_time(open_page: Open, place: Sink) -> None:
    row = channel(place)
    first, second = (open_page("admin", path=f"/settings/channels/{row.pk}") for _each in "12")
    place.answering.clear()
    first.get_by_role("button", name="Send a test").click()
    place.wait_for(1)
    second.get_by_role("button", name="Send a test").click()
    expect(second.locator("#tried")).to_contain_text("A test of this channel is under way.")
    place.answering.set()
    expect(first.locator("#tried")).to_contain_text("It was taken.")
    assert len(place.received) == 1


def test_it_switches_and_deletes_several_by_keyboard(open_page: Open, place: Sink) -> None:
    for name in ("One", "Two", "Three"):
        channel(place, name)
    page = open_page("admin", path="/settings/channels")
    for name in ("One", "Two"):
        page.get_by_label(f"Tick {name}").press("Space")
    page.get_by_role("button", name="Switch off").press("Enter")
    expect(page.get_by_text("2 channels are off.")).to_be_visible()
    assert list(Channel.objects.filter(enabled=True).values_list("name", flat=True)) == ["Three"]
    for name in ("One", "Two"):
        page.get_by_label(f"Tick {name}").press("Space")
    page.get_by_role("button", name="Delete").press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("Delete 2 channels?")
    page.get_by_role("button", name="Delete").press("Enter")
    expect(page.get_by_text("2 channels are deleted.")).to_be_visible()
    assert Channel.objects.get().name == "Three"


@pytest.fixture
def plain(browser: Browser, live_server: LiveServer, people: None) -> Page:
    """A browser without scripts."""
    context = browser.new_context(base_url=live_server.url, java_script_enabled=False)
    page = context.new_page()
    page.set_default_timeout(PATIENCE_MS)
    sign_in(page, "admin")
    page.goto("/settings")
    return page


def test_it_works_without_scripts(plain: Page, place: Sink) -> None:
    add(plain, place)
    plain.get_by_role("button", name="Send a test").click()
    expect(plain.locator("#tried")).to_contain_text("It was taken.")
    plain.get_by_label("Name", exact=True).fill("Mine again")
    plain.get_by_role("button", name="Save").click()
    expect(plain.get_by_text("Mine again is saved.")).to_be_visible()
    assert len(place.received) == 1
    plain.get_by_role("button", name="Delete this channel").click()
    plain.get_by_role("button", name="Delete", exact=True).click()
    expect(plain.get_by_text("Mine again is deleted.")).to_be_visible()
