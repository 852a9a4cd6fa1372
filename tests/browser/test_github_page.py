"""The page of GitHub Packages under a person's hands: live, by keyboard, and without scripts."""

from __future__ import annotations

import pytest
from django.utils import timezone
from playwright.sync_api import Browser, Page, expect
from pytest_django.live_server_helper import LiveServer

from checks import queue
from checks.kinds import Outcome
from checks.models import Job
from checks.run import Run
from integrations.models import HookAccount, HookTarget, Receiver
from tests.browser.conftest import PHONE, Open, sign_in
from tests.browser.test_overview import is_same_page, mark_page
from tests.fake_github.server import FakeGitHub
from tests.rows import github_receiver, tracked
from tests.waiting import PATIENCE_MS

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
PAGE = "/settings/github-packages"
PAT = "ghp_" + "a1B2" * 9
CALLBACK = "https://dockrev.example/api/webhooks/github-packages"


@pytest.fixture
def account(people: None, github: FakeGitHub) -> HookAccount:
    """On, with a token that GitHub knows, and three repositories."""
    github.delivers = False
    github.add_token(PAT, scopes=["repo"])
    receiver = github_receiver()
    Receiver.objects.update(secret_created_at=timezone.now())
    account, _made = HookAccount.objects.get_or_create(
        provider="github", receiver=receiver, defaults={"name": "GitHub"}
    )
    account.credential, account.callback_url = PAT, CALLBACK
    account.save(update_fields=["credential", "callback_url"])
    for name in ("acme/api", "acme/docs", "acme/web"):
        github.add_repository(name)
        tracked(name, selected=False)
    return account


def start() -> Run:
    """Take the job that was queued last, as a worker does."""
    job = queue.claim(Job.objects.latest("id").pk)
    assert job is not None
    return Run(job)


def result(repo: str, action: str) -> dict[str, object]:
    return {"repo": repo, "action": action, "hookId": "1", "conflictHooks": [], "message": None}


def test_it_follows_a_sync_to_its_end(open_page: Open, account: HookAccount) -> None:
    page = open_page("admin", path=PAGE)
    mark_page(page)
    page.get_by_role("button", name="Select all 3").click()
    expect(page.locator("#counts")).to_contain_text("3 selected")
    page.get_by_role("button", name="Sync webhook").click()
    panel = page.locator("#work")
    expect(panel).to_contain_text("queued")
    run = start()
    run.progress(1, 3, "acme/api")
    run.partial({"ok": False, "results": [result("acme/api", "created")]}, force=True)
    expect(panel).to_contain_text("1 of 3")
    expect(panel).to_contain_text("1 created")
    HookTarget.objects.filter(full_name="acme/api").update(hook_state="ok", hook_id="1")
    done = [result("acme/api", "created"), result("acme/web", "error")]
    queue.finish(run.job, Outcome({"ok": False, "results": done}))
    expect(panel.locator(".counts")).to_contain_text("1 error")
    expect(panel.get_by_role("progressbar")).to_have_count(0)
    expect(page.locator("li.repo", has_text="acme/api")).to_contain_text("ok")
    expect(page.locator("#health")).to_contain_text("1 of 3 ok")
    assert is_same_page(page)


def test_it_cancels_a_sync(open_page: Open, account: HookAccount) -> None:
    page = open_page("admin", path=PAGE)
    mark_page(page)
    page.get_by_role("button", name="Dry run").click()
    page.get_by_role("button", name="Cancel").click()
    expect(page.locator("#work")).to_contain_text("cancelled")
    assert is_same_page(page)


def test_it_is_used_by_keyboard(open_page: Open, account: HookAccount) -> None:
    page = open_page("admin", path=PAGE)
    page.keyboard.press("/")
    page.keyboard.type("web")
    expect(page.locator("li.repo")).to_have_count(1)
    tick = page.get_by_label("Selected: acme/web")
    tick.focus()
    page.keyboard.press("Space")
    expect(page.locator("#counts")).to_contain_text("1 selected")
    expect(tick).to_be_focused()
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    remove = page.get_by_role("button", name="Remove", exact=True)
    expect(remove).to_be_visible()
    page.keyboard.press("Escape")
    expect(remove).to_be_hidden()
    expect(page.get_by_label("More for acme/web")).to_be_focused()


def test_it_keeps_what_is_being_typed(open_page: Open, account: HookAccount) -> None:
    """Selecting looks again at the list and not at the form above it; leaving asks."""
    page = open_page("admin", path=PAGE)
    page.get_by_label("Callback URL").fill("https://other.example/hook")
    page.get_by_label("Selected: acme/api").check()
    expect(page.locator("#counts")).to_contain_text("1 selected")
    expect(page.get_by_label("Callback URL")).to_have_value("https://other.example/hook")
    asked: list[str] = []

    def stay(dialog: object) -> None:
        asked.append(dialog.type)  # type: ignore[attr-defined]  # playwright's Dialog
        dialog.accept()  # type: ignore[attr-defined]  # the same

    page.on("dialog", stay)
    page.get_by_role("link", name="Queue").first.click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Queue")
    assert asked == ["beforeunload"]


def test_it_says_what_was_wrong_with_an_action(open_page: Open, account: HookAccount) -> None:
    page = open_page("admin", path=PAGE)
    HookAccount.objects.update(callback_url="")
    page.get_by_role("button", name="Audit").click()
    expect(page.locator(".messages")).to_contain_text("Give a callback URL first")


def test_it_ends_a_conflict_on_a_phone(open_page: Open, account: HookAccount) -> None:
    hooks = [
        {"id": "7", "url": CALLBACK, "events": ["package"], "active": True},
        {"id": "8", "url": CALLBACK, "events": ["*"], "active": False},
    ]
    HookTarget.objects.filter(full_name="acme/api").update(
        selected=True, hook_state="conflict", conflict_hooks=hooks
    )
    page = open_page("admin", path=PAGE, size=PHONE)
    page.get_by_label("8 *").check()
    page.get_by_role("button", name="Delete the others").click()
    expect(page.locator("#work")).to_contain_text("queued")
    [choice] = Job.objects.get().params["resolve"]
    assert choice == {"repo": "acme/api", "keepHookId": "8", "deleteHookIds": ["7"]}


def test_what_comes_anew_keeps_the_hook_that_was_chosen(
    open_page: Open, account: HookAccount
) -> None:
    """Else the one that somebody wanted to keep would be deleted."""
    hooks = [
        {"id": "7", "url": CALLBACK, "events": ["package"], "active": True},
        {"id": "8", "url": CALLBACK, "events": ["*"], "active": False},
    ]
    HookTarget.objects.filter(full_name__in=["acme/api", "acme/web"]).update(
        selected=True, hook_state="conflict", conflict_hooks=hooks
    )
    page = open_page("admin", path=PAGE)
    page.get_by_label("8 *").first.check()
    page.evaluate("document.getElementById('live').dataset.old = 'yes'")
    page.evaluate("htmx.trigger(document.body, 'changed')")
    expect(page.locator("#live[data-old]")).to_have_count(0)
    expect(page.get_by_label("8 *").first).to_be_checked()


def test_the_keyboard_goes_to_no_button_of_another(open_page: Open, account: HookAccount) -> None:
    hooks = [
        {"id": "7", "url": CALLBACK, "events": ["package"], "active": True},
        {"id": "8", "url": CALLBACK, "events": ["*"], "active": False},
    ]
    names = sorted(HookTarget.objects.values_list("name_key", flat=True))[:2]
    HookTarget.objects.filter(name_key__in=names).update(
        selected=True, hook_state="conflict", conflict_hooks=hooks
    )
    page = open_page("admin", path=PAGE)
    page.get_by_role("button", name="Delete the others").first.focus()
    HookTarget.objects.filter(name_key=names[0]).update(hook_state="ok", conflict_hooks=[])
    page.evaluate("htmx.trigger(document.body, 'changed')")
    expect(page.get_by_role("button", name="Delete the others")).to_have_count(1)
    expect(page.get_by_role("button", name="Delete the others")).not_to_be_focused()


@pytest.fixture
def plain(browser: Browser, live_server: LiveServer, account: HookAccount) -> Page:
    """A browser without scripts."""
    context = browser.new_context(base_url=live_server.url, java_script_enabled=False)
    page = context.new_page()
    page.set_default_timeout(PATIENCE_MS)
    sign_in(page, "admin")
    page.goto(PAGE)
    return page


def test_it_works_without_scripts(plain: Page) -> None:
    plain.get_by_label("GitHub PAT").fill("github_pat_" + "b" * 30)
    plain.get_by_role("button", name="Save connection").click()
    expect(plain.get_by_text("github_pat_...")).to_be_visible()
    plain.get_by_label("GitHub PAT").fill(PAT)
    plain.get_by_role("button", name="Save connection").click()
    plain.get_by_label("Add Repo").fill("other/one")
    plain.get_by_role("button", name="Resolve and Add").click()
    expect(plain.locator("#counts")).to_contain_text("4 in all, 1 selected")
    plain.get_by_label("Selected: acme/api").check()
    plain.get_by_label("Selected: other/one").uncheck()
    plain.get_by_role("button", name="Save this page's selection").click()
    expect(plain.get_by_label("Selected: acme/api")).to_be_checked()
    expect(plain.get_by_label("Selected: other/one")).not_to_be_checked()
    plain.get_by_text("Rotate", exact=True).click()
    plain.get_by_role("button", name="Rotate the secret").click()
    expect(plain.get_by_text("It is shown this once.")).to_be_visible()
    plain.goto(PAGE)
    plain.get_by_role("button", name="Sync webhook").click()
    expect(plain.locator("#work")).to_contain_text("Sync webhooks of GitHub")
    plain.get_by_label("More for acme/api").click()
    plain.get_by_role("button", name="Remove", exact=True).click()
    expect(plain.locator("#counts")).to_contain_text("3 in all")
