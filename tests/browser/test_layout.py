"""Every page, on a desktop and on a phone: nothing sticks out, nothing is complained of."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.contrib.auth.models import Group, User
from django.utils import timezone
from playwright.sync_api import ViewportSize, expect

from checks.models import Host, IgnoreRule, JobLog, Registry, Service, Stack
from dockrev import schedules
from integrations.models import HookAccount, HookTarget, Receiver
from notifications import announce
from notifications.channels import TRANSPORTS
from notifications.models import Channel
from tests.browser.conftest import DESKTOP, PHONE, Open, Scheme
from tests.certificates import Authority
from tests.github import digest, published
from tests.pages.rows import candidate, delivery, job
from tests.rows import github_receiver, service, tracked

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
LONG = "a-name-that-somebody-generated-from-a-template-and-never-looked-at-again-0001"
IMAGE = f"registry.internal.example.com:5050/platform/observability/{LONG}"


def hook_account(hook: dict[str, Any]) -> HookAccount:
    account = HookAccount.objects.create(
        provider="harbor",
        name=LONG,
        receiver=Receiver.objects.get(kind="harbor"),
        api_url=f"http://{LONG}.internal.example.com",
        username=LONG,
        credential="x",
        callback_url=f"https://{LONG}.example.com/{LONG}/api/webhooks/harbor",
        authorities=Authority(LONG[:60]).pem,
    )
    HookTarget.objects.create(
        account=account,
        full_name=LONG,
        hook_id="1" * 300,
        hook_state="conflict",
        conflict_hooks=[{**hook, "id": "1" * 300, "lastFailure": LONG}],
        last_error=LONG * 3,
    )
    return account


@pytest.fixture
def places(people: None) -> list[str]:
    """Rows with the longest of everything, and the pages that show them."""
    row = service(image=f"{IMAGE}:v1.0.0-nightly.20251119-alpine3.20-rootless", name=LONG)
    Stack.objects.update(name=LONG, error=f"/srv/{LONG}/{LONG}.yaml is not there.")
    Host.objects.update(error=f"unix:///{LONG}/{LONG}.sock does not answer.")
    candidate(row, tag="v1.1.0-nightly.20251120-alpine3.20-rootless-experimental")
    Service.objects.update(error=f"{IMAGE}: no answer.", running_digests=[digest("a")])
    receiver = github_receiver()
    shown = job(
        "check.all",
        "running",
        subject=LONG,
        progress_done=1,
        progress_total=3,
        progress_message=LONG,
    )
    JobLog.objects.create(job=shown, at=timezone.now(), level="error", message=LONG * 5)
    hook = {"id": "1" * 20, "url": IMAGE, "events": ["package"] * 9, "active": True}
    HookTarget.objects.filter(pk=tracked(f"acme/{LONG}").pk).update(
        hook_id="1",
        hook_state="conflict",
        conflict_hooks=[{**hook, "lastFailure": LONG}, hook],
        last_error=LONG * 3,
        last_failure=LONG,
        last_failure_at=timezone.now(),
    )
    account = hook_account(hook)
    failed = job("discovery", "failed", created_by=LONG, summary={"error": LONG * 3})
    told = delivery(
        receiver,
        repository=f"acme/{LONG}",
        images=[f"{IMAGE}:1@{digest('a')}"],
        matched_service_ids=[row.pk],
        job_ids=[shown.pk],
        headers={"x-github-delivery": LONG * 3},
        payload=json.dumps({**published(), "long": LONG * 9}).encode(),
    )
    entry = Registry.objects.create(
        host="registry.internal.example.com:5050",
        username=LONG,
        password="x",
        authorities=Authority(LONG[:60]).pem,
        last_error=LONG * 3,
        mirror_of=f"{LONG}.example.com",
        limit_most=999_999_999,
        limit_remaining=999_999_998,
        limit_seen_at=timezone.now(),
    )
    rule = IgnoreRule.objects.create(
        scope="service", service=row, kind="regex", value=LONG * 3, note=LONG * 6
    )
    pages = ["/", "/?show=updates", "/?q=nothing", "/queue", "/deliveries", "/settings"]
    pages += ["/settings/registries", f"/settings/registries/{entry.pk}"]
    pages += ["/settings/registries/add"]
    pages += ["/settings/hook-accounts", "/settings/hook-accounts/add/harbor"]
    pages += [f"/settings/hook-accounts/{account.pk}"]
    pages += [f"/settings/hook-accounts/{account.pk}?pick={LONG}"]
    pages += channel_pages(row.stack_id)
    pages += ["/settings/ignores", "/settings/ignores/add", f"/settings/ignores/{rule.pk}"]
    schedules.sync(timezone.now())
    pages += [
        "/settings/schedules/check",
        "/settings/github-packages",
        "/settings/github-packages?q=nothing",
    ]
    details = [f"/queue/{shown.pk}", f"/queue/{failed.pk}", f"/deliveries/{told.pk}"]
    labels = {"dockrev.include": f"({LONG}", "dockrev.exclude": LONG * 3}
    Service.objects.update(
        labels=labels, policy={"exclude": LONG, "transform": f"{LONG} => {LONG}"}
    )
    Stack.objects.update(policy={"include": LONG * 3})
    pages += ["/settings/policy", f"/stacks/{row.stack_id}/policy"]
    return [*pages, *details, f"/services/{row.stack_id}/{row.pk}", "/settings/password"]


def channel_pages(stack_id: str) -> list[str]:
    config = {"url": f"https://{LONG[:60]}.example/", "headers": {LONG[:90]: LONG}}
    channel = Channel.objects.create(
        kind="webhook",
        name=LONG[:100],
        events=list(announce.EVENTS),
        stack_ids=[stack_id],
        config=json.dumps(config),
        last_error=LONG * 3,
        failing_since=timezone.now(),
    )
    pages = [f"/settings/channels/new/{kind}" for kind in TRANSPORTS]
    pages += [f"/settings/channels/{channel.pk}", f"/settings/channels/{channel.pk}/examples"]
    return ["/settings/channels", "/settings/channels/new", *pages]


@pytest.mark.parametrize("size", [DESKTOP, PHONE, ViewportSize(width=320, height=640)])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_fits_the_window(
    open_page: Open, places: list[str], size: ViewportSize, scheme: Scheme
) -> None:
    page = open_page("admin", size=size, scheme=scheme)
    for path in places:
        page.goto(path)
        width = page.evaluate("document.documentElement.scrollWidth")
        assert width <= size["width"], path
        expect(page.get_by_role("heading", level=1)).to_have_count(1)


def test_it_gives_every_control_a_name_and_every_id_once(
    open_page: Open, places: list[str]
) -> None:
    page = open_page("admin")
    for path in places:
        page.goto(path)
        nameless = page.evaluate(
            """() => Array.from(document.querySelectorAll('a, button, input:not([hidden])'))
            .filter(each => each.type !== 'hidden' && !each.getAttribute('aria-label')
              && !each.textContent.trim() && !each.labels?.length)
            .map(each => each.outerHTML)"""
        )
        assert nameless == [], path
        twice = page.evaluate(
            """() => { const ids = Array.from(document.querySelectorAll('[id]'), e => e.id);
            return ids.filter((id, place) => ids.indexOf(id) !== place) }"""
        )
        assert twice == [], path


def test_it_has_the_four_entries_within_reach_of_a_thumb(open_page: Open) -> None:
    page = open_page("viewer", size=PHONE)
    entries = page.get_by_role("navigation", name="Main").get_by_role("listitem")
    assert entries.all_inner_texts() == ["Overview", "Queue", "Deliveries", "Settings"]
    for entry in entries.all():
        box = entry.bounding_box()
        assert box is not None
        assert box["height"] >= 44
        assert box["y"] + box["height"] <= PHONE["height"]
    entries.nth(1).click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Queue")
    expect(entries.nth(1).get_by_role("link")).to_have_attribute("aria-current", "page")


def test_it_says_why_an_action_was_refused(open_page: Open, complaints: list[str]) -> None:
    service()
    page = open_page("operator")
    User.objects.get(username="operator").groups.set([Group.objects.get(name="viewer")])
    page.get_by_role("button", name="Check shop / api").click()
    expect(page.get_by_text("Your role does not allow this.")).to_be_visible()
    assert all("403" in each or "htmx:" in each for each in complaints)
    complaints.clear()


def test_it_fits_where_there_is_nothing(open_page: Open, complaints: list[str]) -> None:
    page = open_page("viewer", size=PHONE, path="/nothing/here")
    expect(page.get_by_role("heading", level=1)).to_have_text("There is nothing here.")
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    assert all("404" in each for each in complaints)
    complaints.clear()


def test_the_bar_of_a_phone_never_hides_what_the_keyboard_comes_to(open_page: Open) -> None:
    row = service()
    page = open_page("operator", size=PHONE, path=f"/services/{row.stack_id}/{row.pk}")
    page.get_by_label("Tracks").focus()
    for _ in range(20):
        page.keyboard.press("Tab")
        assert page.evaluate(
            "document.activeElement.getBoundingClientRect().bottom"
            " <= document.querySelector('.rail').getBoundingClientRect().top"
        ), page.evaluate("document.activeElement.outerHTML")
