"""Messages in this browser: what it says of itself, how it is switched, and what it then shows.

No browser here reaches its vendor's push service, so `PushManager` is one of ours; permission,
service worker and notifications are the browser's own, and so is the message, once it is there.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from playwright.sync_api import Browser as PlaywrightBrowser
from playwright.sync_api import Page, expect
from pytest_django.live_server_helper import LiveServer

from notifications import push_keys, push_subscribing
from notifications.models import Channel
from notifications.push_endpoints import Given
from notifications.push_models import PushSubscription
from tests.browser.conftest import ARGUMENTS, PHONE, Open
from tests.push.conftest import key_of, make_channel
from tests.push.service import Browser, PushService, at_global_addresses
from tests.real.requirements import require
from tests.waiting import until

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

# What the browser's own keeps it keeps across pages, as this does. `made` is what it makes next.
MANAGER = """
const made = MADE;
const packed = (key) => btoa(String.fromCharCode(...key))
  .replaceAll("+", "-").replaceAll("/", "_").replace(/=+$/, "");
const kept = () => JSON.parse(localStorage.getItem("push") ?? "null");
const there = (facts) => facts && {
  endpoint: facts.endpoint,
  toJSON: () => facts,
  unsubscribe: async () => { localStorage.removeItem("push"); return true; },
};
const manager = {
  getSubscription: async () => there(kept()),
  subscribe: async ({ applicationServerKey }) => {
    const facts = made.find(({ key }) => key === packed(applicationServerKey));
    if (!facts) throw new DOMException("no", "AbortError");
    localStorage.setItem("push", JSON.stringify(facts.subscription));
    return there(kept());
  },
};
Object.defineProperty(ServiceWorkerRegistration.prototype, "pushManager", { get: () => manager });
"""


@pytest.fixture
def service(tmp_path: Path) -> Iterator[PushService]:
    made = PushService()
    with at_global_addresses(made.server, made.addresses, made.dialled, tmp_path):
        yield made


@pytest.fixture
def channel(people: None) -> Channel:
    return make_channel()


def stub(page: Page, *browsers: Browser) -> None:
    made = [{"key": each.server_key, "subscription": each.subscription} for each in browsers]
    page.add_init_script(MANAGER.replace("MADE", json.dumps(made)))
    page.context.grant_permissions(["notifications"])


def subscribed(browser: Browser) -> None:
    """As the viewer, to the only channel."""
    [channel] = push_subscribing.channels()
    found = browser.subscription
    given = Given(found["endpoint"], **found["keys"])
    push_subscribing.subscribe(User.objects.get(username="viewer"), channel, given, "Chrome")


Settings = Callable[..., Page]


@pytest.fixture
def settings_page(open_page: Open) -> Settings:
    def make(*browsers: Browser, who: str = "viewer", script: str = "", **given: Any) -> Page:
        page = open_page(who, **given)
        stub(page, *browsers)
        if script:
            page.add_init_script(script)
        page.goto("/settings")
        return page

    return make


def state(page: Page) -> Any:
    return page.locator("#push > [data-push]:visible")


@pytest.mark.parametrize(
    ("script", "words"),
    [
        (
            "Object.defineProperty(window, 'isSecureContext', { value: false })",
            "only from pages that they got by https",
        ),
        ("delete window.PushManager", "This browser cannot take messages."),
        (
            "delete window.PushManager; Object.defineProperty(navigator, 'userAgent',"
            " { value: 'Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X)' })",
            "choose Share, then “Add to Home Screen”",
        ),
        (
            "Object.defineProperty(Notification, 'permission', { value: 'denied' })",
            "Messages from Dockrev are blocked in this browser.",
        ),
        (
            "Object.defineProperty(Notification, 'permission', { value: 'default' })",
            "The browser asks whether you agree.",
        ),
    ],
)
def test_it_says_why_it_cannot_be_switched_on(
    channel: Channel, settings_page: Settings, script: str, words: str
) -> None:
    page = settings_page(script=script)
    expect(state(page)).to_have_count(1)
    expect(state(page)).to_contain_text(words)


def test_it_is_switched_on_tried_and_switched_off_by_keyboard(
    channel: Channel, service: PushService, settings_page: Settings
) -> None:
    browser = service.browser(key_of(channel))
    page = settings_page(browser)
    page.get_by_role("button", name="Switch messages on").press("Enter")
    expect(state(page)).to_contain_text("On.")
    expect(page.get_by_text("this one")).to_be_visible()
    expect(page.locator("#push button:focus")).to_have_text("Send a test to this browser")
    row = PushSubscription.objects.get()
    assert (row.user.username, row.endpoint) == ("viewer", browser.subscription["endpoint"])
    page.keyboard.press("Enter")
    expect(page.locator("#push-said")).to_have_text("Sent. It comes in a moment.")
    assert browser.shown[0]["title"] == "Dockrev can reach you here"
    page.reload()
    expect(state(page)).to_contain_text("On.")
    page.get_by_role("button", name="Switch messages off").press("Enter")
    expect(state(page)).to_contain_text("Off.")
    expect(page.locator("#browsers .row")).to_have_count(0)
    assert not PushSubscription.objects.exists()


def test_it_says_what_went_wrong(
    channel: Channel, service: PushService, settings_page: Settings
) -> None:
    browser = service.browser(key_of(channel))
    browser.gone = 410
    page = settings_page()
    page.get_by_role("button", name="Switch messages on").click()
    expect(page.locator("#push-said")).to_contain_text("does not reach the push service")
    expect(state(page)).to_contain_text("Off.")
    page = settings_page(browser, who="operator")
    page.get_by_role("button", name="Switch messages on").click()
    page.get_by_role("button", name="Send a test").click()
    expect(page.locator("#push-said")).to_contain_text("signed off at its push service")
    expect(state(page)).to_contain_text("Off.")


def test_it_is_off_once_it_is_removed_from_the_list(
    channel: Channel, service: PushService, settings_page: Settings
) -> None:
    page = settings_page(service.browser(key_of(channel)))
    page.get_by_role("button", name="Switch messages on").click()
    expect(state(page)).to_contain_text("On.")
    page.get_by_role("button", name="Remove").press("Enter")
    expect(state(page)).to_contain_text("Off.")
    assert not PushSubscription.objects.exists()


def test_it_asks_to_be_switched_on_again_after_the_keys_changed(
    channel: Channel, service: PushService, settings_page: Settings
) -> None:
    first = service.browser(key_of(channel))
    pair = push_keys.generated()
    second = service.browser(pair.public)
    elsewhere = service.browser(key_of(channel))
    page = settings_page(first, second)
    page.get_by_role("button", name="Switch messages on").click()
    expect(state(page)).to_contain_text("On.")
    subscribed(elsewhere)
    page.reload()
    expect(page.get_by_text("this one").locator("visible=true")).to_have_count(1)
    push_subscribing.give_new_keys(channel, pair)
    page.reload()
    expect(state(page)).to_contain_text("The keys have changed")
    expect(page.locator("#browsers")).to_contain_text("gets nothing")
    page.get_by_role("button", name="Switch messages on again").click()
    expect(state(page)).to_contain_text("On.")
    known = {row.endpoint for row in PushSubscription.objects.all()}
    assert known == {each.subscription["endpoint"] for each in (second, elsewhere)}


def test_it_subscribes_to_the_channel_that_is_chosen(
    channel: Channel, service: PushService, settings_page: Settings
) -> None:
    other = make_channel("Only the shop")
    browser = service.browser(key_of(other))
    page = settings_page(browser)
    page.get_by_label("Messages of").select_option(label="Only the shop")
    page.get_by_role("button", name="Switch messages on").click()
    expect(page.locator("#browsers")).to_contain_text("Only the shop")
    assert PushSubscription.objects.get().channel == other


@pytest.mark.parametrize(
    ("who", "words"),
    [("viewer", "An admin can make one"), ("admin", "Add a Web Push channel")],
)
def test_it_says_what_is_missing_without_a_channel(
    people: None, settings_page: Settings, who: str, words: str
) -> None:
    page = settings_page(who=who)
    expect(page.locator("#this-browser")).to_contain_text(words)
    expect(page.locator("#push")).to_have_count(0)


class Worker:
    """The real service worker of a page, and pushing to it as a push service would."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.session = page.context.new_cdp_session(page)
        found: list[str] = []
        self.session.on(
            "ServiceWorker.workerRegistrationUpdated",
            lambda event: found.extend(each["registrationId"] for each in event["registrations"]),
        )
        self.session.send("ServiceWorker.enable")
        with page.context.expect_event("serviceworker") as started:
            page.evaluate("navigator.serviceWorker.register('/sw.js').then(() => true)")
        self.script = started.value
        # A push to one that is still being activated may be lost.
        active = "navigator.serviceWorker.ready.then(({ active }) => active.state)"
        until(lambda: page.evaluate(active) == "activated", "an active worker")
        self.registration = found[-1]

    def push(self, data: str) -> None:
        origin = self.page.evaluate("location.origin")
        given = {"origin": origin, "registrationId": self.registration, "data": data}
        self.session.send("ServiceWorker.deliverPushMessage", given)

    def shown(self, count: int) -> list[dict[str, Any]]:
        script = """async () => {
          const known = await navigator.serviceWorker.ready;
          const shown = await known.getNotifications();
          return shown.map(({ title, body, tag, icon, renotify, requireInteraction, data }) =>
            ({ title, body, tag, icon, renotify, requireInteraction, data }));
        }"""
        found: list[dict[str, Any]] = []

        def is_enough() -> bool:
            found[:] = self.page.evaluate(script)
            return len(found) >= count

        until(is_enough, what=f"{count} notifications")
        return found


@pytest.fixture
def worker(open_page: Open, channel: Channel) -> Worker:
    page = open_page("viewer", path="/settings")
    page.context.grant_permissions(["notifications"])
    return Worker(page)


def test_it_shows_what_is_pushed(worker: Worker) -> None:
    told = {
        "id": "ntf_1",
        "title": "shop / api has an update",
        "body": "1 to 2",
        "tag": "service:svc_1",
        "url": "/services/a/b",
        "urgent": True,
    }
    worker.push(json.dumps(told))
    [shown] = worker.shown(1)
    assert (shown["title"], shown["body"], shown["tag"]) == (
        "shop / api has an update",
        "1 to 2",
        "service:svc_1",
    )
    assert shown["requireInteraction"] is True
    assert shown["data"] == {"id": "ntf_1", "url": "/services/a/b"}
    assert worker.page.request.get(shown["icon"]).status == 200
    worker.push(json.dumps({**told, "id": "ntf_2", "tag": "service:svc_2"}))
    assert len(worker.shown(2)) == 2


@pytest.mark.parametrize("data", ["", "no JSON", "[1]", "{}"])
def test_it_shows_something_whatever_was_pushed(worker: Worker, data: str) -> None:
    worker.push(data)
    [shown] = worker.shown(1)
    assert shown["title"] == "Dockrev"


def test_it_opens_pages_of_ours_and_no_others(worker: Worker, live_server: LiveServer) -> None:
    ours = live_server.url
    for path, opened in (
        ("/queue/job_1?a=b", f"{ours}/queue/job_1?a=b"),
        ("https://evil.example/", f"{ours}/"),
        ("//evil.example/x", f"{ours}/"),
        ("javascript:alert(1)", f"{ours}/"),
        ("http://[", f"{ours}/"),
        (None, f"{ours}/null"),
    ):
        assert worker.script.evaluate("(path) => ours(path)", path) == opened
    # A page of ours that is open is brought to the front; for another one a window is opened.
    worker.script.evaluate(
        """() => {
          self.seen = [];
          WindowClient.prototype.focus = async function () { seen.push(["focus", this.url]); };
          Clients.prototype.openWindow = async (url) => { seen.push(["open", url]); };
        }"""
    )
    for path in ("/settings", "/queue"):
        worker.script.evaluate("(path) => open(ours(path)).then(() => true)", path)
    seen = worker.script.evaluate("seen")
    assert seen == [["focus", f"{ours}/settings"], ["open", f"{ours}/queue"]]


def test_it_tells_of_an_address_that_its_browser_changed(
    worker: Worker, channel: Channel, service: PushService
) -> None:
    old, new = (service.browser(key_of(channel)) for _ in range(2))
    subscribed(old)
    worker.script.evaluate(
        """([before, made]) => renew({
          oldSubscription: { endpoint: before.endpoint, options: {} },
          newSubscription: { toJSON: () => made },
        }).then(() => true)""",
        [old.subscription, new.subscription],
    )
    assert PushSubscription.objects.get().endpoint == new.subscription["endpoint"]


def test_it_can_be_installed(
    browser: PlaywrightBrowser, people: None, live_server: LiveServer, tmp_path: Path
) -> None:
    # With a profile: in a private window nothing can be installed.
    context = browser.browser_type.launch_persistent_context(
        tmp_path, executable_path=require("browser")["chromium"], args=ARGUMENTS
    )
    with closing(context):
        page = context.new_page()
        page.goto(f"{live_server.url}/sign-in")
        session = context.new_cdp_session(page)
        assert session.send("Page.getInstallabilityErrors")["installabilityErrors"] == []
        manifest = session.send("Page.getAppManifest")
        assert manifest["errors"] == []
        assert json.loads(manifest["data"])["display"] == "standalone"


def test_it_fits_on_a_phone_with_long_names(
    channel: Channel, service: PushService, settings_page: Settings
) -> None:
    browser = service.browser(key_of(channel))
    page = settings_page(browser, size=PHONE)
    page.get_by_role("button", name="Switch messages on").click()
    expect(state(page)).to_contain_text("On.")
    PushSubscription.objects.update(browser="a-browser-with-a-name" * 4, last_error="why " * 99)
    page.reload()
    expect(page.locator("#browsers .row")).to_have_count(1)
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
