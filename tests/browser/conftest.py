"""A real browser on a real server. Whatever the browser complains of fails the test."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from typing import Literal

import pytest
from django.contrib.auth.models import Group, User
from django.core.cache import cache
from playwright.sync_api import (
    Browser,
    BrowserContext,
    ConsoleMessage,
    Page,
    ViewportSize,
    expect,
    sync_playwright,
)
from pytest_django.live_server_helper import LiveServer

from tests.real.requirements import require
from tests.waiting import PATIENCE_MS

ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
PASSWORD = "correct horse battery"
DESKTOP = ViewportSize(width=1280, height=800)
PHONE = ViewportSize(width=375, height=812)
Open = Callable[..., Page]
Scheme = Literal["light", "dark"]

expect.set_options(timeout=PATIENCE_MS)


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    chromium = require("browser")["chromium"]
    with sync_playwright() as playwright, pytest.MonkeyPatch.context() as patch:
        # Playwright's loop lives in this thread, and Django would take the tests for coroutines.
        patch.setitem(os.environ, "DJANGO_ALLOW_ASYNC_UNSAFE", "true")
        started = playwright.chromium.launch(executable_path=chromium, args=ARGUMENTS)
        yield started
        started.close()


@pytest.fixture
def people(transactional_db: None) -> None:
    """One person for each role, named like it."""
    cache.clear()
    for role in ("viewer", "operator", "admin"):
        group, _ = Group.objects.get_or_create(name=role)
        User.objects.create_user(role, password=PASSWORD).groups.add(group)


@pytest.fixture
def complaints() -> Iterator[list[str]]:
    """What the browser complained of. A test that provokes it takes it out."""
    heard: list[str] = []
    yield heard
    assert heard == []


@pytest.fixture
def open_page(
    browser: Browser, live_server: LiveServer, people: None, complaints: list[str]
) -> Iterator[Open]:
    """Open a window, signed in as somebody."""
    contexts: list[BrowserContext] = []

    def hear(message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"}:
            complaints.append(message.text)

    def make(
        who: str = "", *, size: ViewportSize = DESKTOP, scheme: Scheme = "light", path: str = "/"
    ) -> Page:
        context = browser.new_context(
            base_url=live_server.url,
            viewport=size,
            color_scheme=scheme,
            permissions=["clipboard-read", "clipboard-write"],
        )
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(PATIENCE_MS)
        page.on("console", hear)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        if who:
            sign_in(page, who)
        page.goto(path)
        return page

    yield make
    for context in contexts:
        context.close()


def sign_in(page: Page, who: str, password: str = PASSWORD) -> None:
    page.goto("/sign-in")
    page.get_by_label("User name").fill(who)
    page.get_by_label("Password").fill(password)
    page.get_by_role("button", name="Sign in").click()
