"""GitHub Packages from the first sign-in to the job that a push sets off, and who hears a secret.

Server, worker and browser are real; GitHub is the tests' own, and calls the server as GitHub does.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Locator, Page, ViewportSize, expect

from tests.browser.conftest import DESKTOP, sign_in
from tests.fake_github.server import FakeGitHub
from tests.github import PATH, published
from tests.processes.instance import Instance
from tests.waiting import PATIENCE_MS, until

pytestmark = pytest.mark.browser
PASSWORD = "a pass phrase of the story"
PAT = "ghp_" + "s0meT0ken" * 4
PAGE = "/settings/github-packages"
# Nothing answers there: what is checked here is that it is asked for, not what it finds.
SET_UP = """
from integrations.models import Receiver
from tests import rows
rows.service(image="127.0.0.1:9/acme/api:1.2.0")
Receiver.objects.update(registry_host="127.0.0.1:9")
"""


@pytest.fixture
def github() -> Iterator[FakeGitHub]:
    with FakeGitHub() as running:
        running.add_token(PAT, login="ada", scopes=["repo", "admin:repo_hook"])
        for name in ("acme/api", "acme/docs", "acme/web"):
            running.add_repository(name, private=name == "acme/web")
        yield running
    assert not running.violations, "\n".join(running.violations)


@pytest.fixture
def instance(tmp_path: Path) -> Iterator[Instance]:
    instance = Instance(tmp_path)
    instance.environment |= {
        "DJANGO_SETTINGS_MODULE": "dockrev.settings",
        "DOCKREV_ADMIN_USERNAME": "admin",
        "DOCKREV_ADMIN_PASSWORD": PASSWORD,
        "DOCKREV_LOG_LEVEL": "DEBUG",
    }
    try:
        instance.migrate()
        instance.run()
        prepared = instance.command("shell", "--no-imports", "--command", SET_UP)
        assert prepared.returncode == 0, prepared.stderr
        yield instance
    finally:
        instance.end()


@pytest.fixture
def page(browser: Browser, instance: Instance) -> Iterator[Page]:
    context = browser.new_context(base_url=instance.url(""), viewport=ViewportSize(**DESKTOP))
    page = context.new_page()
    page.set_default_timeout(PATIENCE_MS)
    complaints: list[str] = []
    page.on("console", lambda told: complaints.append(told.text) if told.type == "error" else None)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    sign_in(page, "admin", PASSWORD)
    yield page
    context.close()
    assert complaints == []


def counts(page: Page) -> Locator:
    return page.locator("#counts")


def results(page: Page) -> Locator:
    return page.locator("#work .counts")


def connect(page: Page, github: FakeGitHub) -> None:
    """Enter what GitHub gave, save, and find only its mask after a reload."""
    page.goto("/settings")
    page.get_by_role("link", name="Set up GitHub Packages").click()
    expect(page.locator("#health")).to_contain_text("off")
    save = page.get_by_role("button", name="Save connection")
    expect(save).to_be_disabled()
    page.get_by_label("Enable").check()
    page.get_by_label("GitHub PAT").fill(PAT)
    expect(page.get_by_label("Callback URL")).to_have_value(re.compile(f"{PATH}$"))
    page.get_by_text("GitHub Enterprise, webhooks made by hand").click()
    page.get_by_label("GitHub API URL").fill(github.url)
    save.click()
    expect(page.get_by_text("The connection is saved.")).to_be_visible()
    page.reload()
    expect(page.get_by_text("ghp_...")).to_be_visible()
    expect(page.get_by_text("ada, classic token")).to_be_visible()
    expect(page.get_by_label("GitHub PAT")).to_have_value("")
    expect(page.get_by_label("Enable")).to_be_checked()
    expect(page.locator("#health")).to_contain_text("on, and no repository is selected")


def reach(page: Page) -> None:
    page.get_by_role("button", name="Test reachability").click()
    expect(page.locator("#reachability")).to_contain_text("It came in here")


def choose(page: Page) -> None:
    """Add an owner, and choose among their repositories."""
    page.get_by_label("Add Repo").fill("https://github.com/orgs/acme")
    page.get_by_role("button", name="Resolve and Add").click()
    expect(counts(page)).to_have_text("3 in all, 0 selected, 3 shown by this filter")
    expect(page.locator("#work")).to_contain_text("3 found, 3 of them new")
    page.get_by_label("Search owner/repo").fill("api")
    expect(counts(page)).to_have_text("3 in all, 0 selected, 1 shown by this filter")
    page.get_by_label("Selected: acme/api").check()
    expect(counts(page)).to_have_text("3 in all, 1 selected, 1 shown by this filter")
    page.reload()
    expect(page.get_by_label("Search owner/repo")).to_have_value("api")
    expect(page.get_by_label("Selected: acme/api")).to_be_checked()
    page.goto(PAGE)
    page.get_by_label("Selected: acme/web").check()
    expect(counts(page)).to_have_text("3 in all, 2 selected, 3 shown by this filter")
    expect(page.locator("#pending")).to_contain_text("2 repositories changed")


def sync(page: Page, github: FakeGitHub, instance: Instance) -> None:
    page.get_by_role("button", name="Dry run").click()
    expect(results(page)).to_contain_text("dry run: nothing was changed")
    assert github.hooks("acme/api") == []
    page.get_by_role("button", name="Sync webhook").click()
    expect(results(page)).to_have_text(re.compile(r"^\s*2 created\s*$"))
    row = page.locator("li.repo", has_text="acme/api")
    expect(row).to_contain_text("ok")
    expect(page.locator("#pending")).to_have_count(0)
    [hook] = github.hooks("acme/api")
    assert hook.url == instance.url(PATH)
    assert "package" in hook.events
    github.settle()
    page.reload()
    expect(row).to_contain_text("verified")
    expect(page.locator("#health")).to_contain_text("connected")
    page.get_by_role("button", name="Sync webhook").click()
    expect(results(page)).to_have_text(re.compile(r"^\s*2 noop\s*$"))


def push(page: Page, github: FakeGitHub, instance: Instance) -> None:
    """A push checks what runs it; one that nothing runs has Dockrev look once for what does."""
    github.publish("acme/api", published("acme/api", "1.3.0"))
    page.goto("/queue")
    expect(page.get_by_role("link", name="Check shop / api").first).to_be_visible()
    asked = "SELECT count(*) FROM checks_job WHERE kind = ? AND by_delivery"
    assert instance.rows(asked, "check.service") == [(1,)]
    assert instance.rows(asked, "discovery") == [(0,)]
    for tag in ("1.3.0", "latest"):
        github.publish("acme/web", published("acme/web", tag, repository="acme/web"))
    assert instance.rows(asked, "discovery") == [(1,)]


def rotate(page: Page, github: FakeGitHub, instance: Instance) -> None:
    """The new secret is shown once, and is at GitHub soon."""
    [before] = {hook.secret for hook in github.hooks("acme/api")}
    page.goto(PAGE)
    page.get_by_text("Rotate", exact=True).click()
    page.get_by_role("button", name="Rotate the secret").click()
    shown = page.locator("#secret .copyable code")
    expect(shown).to_be_visible()
    secret = shown.inner_text()
    assert secret != before
    page.reload()
    expect(shown).to_have_count(0)
    at_github = [github.hooks(name)[0] for name in ("acme/api", "acme/web")]
    until(lambda: {hook.secret for hook in at_github} == {secret}, what="rotated")
    left = "SELECT count(*) FROM integrations_receiver WHERE previous_secret <> ''"
    until(lambda: instance.rows(left) == [(0,)], what="the old one is refused")
    assert github.publish("acme/api", published("acme/api", "1.4.0"))[0].status_code == 202


def traces(instance: Instance, directory: Path) -> Iterator[tuple[str, bytes]]:
    """Everything that is written down: the database as text and as bytes, files, logs."""
    with closing(sqlite3.connect(instance.data / "dockrev.sqlite3", timeout=20)) as database:
        yield "the dump", "\n".join(database.iterdump()).encode()
    for path in sorted(directory.rglob("*")):
        if path.is_file():
            yield str(path.relative_to(directory)), path.read_bytes()


def test_it_goes_from_a_token_to_a_check_and_tells_nobody_a_secret(
    page: Page, github: FakeGitHub, instance: Instance, tmp_path: Path
) -> None:
    connect(page, github)
    reach(page)
    choose(page)
    sync(page, github, instance)
    old = github.hooks("acme/api")[0].secret
    push(page, github, instance)
    rotate(page, github, instance)
    secrets = {PAT, old, github.hooks("acme/api")[0].secret}
    assert len(secrets) == 3
    assert " DEBUG " in instance.complained() + instance.said()
    found = dict(traces(instance, tmp_path))
    assert any(name.endswith("-wal") for name in found)
    told = [name for name, said in found.items() for each in secrets if each.encode() in said]
    assert told == []
