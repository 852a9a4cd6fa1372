"""Settings, Registries, in a browser."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import expect
from pytest_django import Settings

from checks.models import Registry
from tests.browser.conftest import PHONE, Open
from tests.rows import service
from tests.servers import TokenRegistry

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.fixture(autouse=True)
def no_docker_config(tmp_path: Path, settings: Settings) -> None:
    settings.DOCKER_CONFIG = str(tmp_path)


def test_it_is_set_up_from_the_list_to_a_test_that_works(
    open_page: Open, token_registry: TokenRegistry
) -> None:
    address = token_registry.server.address
    service(f"{address}/acme/api:1.2")
    page = open_page("admin", path="/settings", size=PHONE)
    page.get_by_role("link", name="Set up registries").click()
    page.get_by_role("link", name=address).click()
    save = page.get_by_role("button", name="Save")
    expect(save).to_be_disabled()
    page.get_by_label("User name").fill("ada")
    page.get_by_label("Password or token").fill("babbage")
    save.click()
    expect(page.get_by_text(f"{address} is saved. Test it.")).to_be_visible()
    page.get_by_role("button", name="Test").click()
    expect(page.get_by_text("It does not work yet.")).to_be_visible()
    page.get_by_label("Password or token").fill(token_registry.password)
    save.click()
    page.get_by_role("button", name="Test").click()
    expect(page.get_by_text("It works.")).to_be_visible()
    expect(page.get_by_text("Signed in as ada, by a token.")).to_be_visible()
    page.get_by_role("link", name="Registries", exact=True).click()
    expect(page.get_by_text("as ada")).to_be_visible()


def test_it_shows_what_is_wrong_where_it_is_hidden(open_page: Open, complaints: list[str]) -> None:
    page = open_page("admin", path="/settings/registries/add")
    page.get_by_label("Host", exact=True).fill("registry.example")
    page.get_by_text("Private CA, plain http").click()
    page.get_by_label("CA certificates").fill("no certificate")
    page.get_by_role("button", name="Save").click()
    error = "Paste certificates as PEM"
    expect(page.locator("#entry .field").get_by_text(error)).to_be_visible()
    page.get_by_role("alert").get_by_role("link", name="CA certificates").click()
    expect(page.get_by_label("CA certificates")).to_be_in_viewport()
    assert not Registry.objects.exists()
    assert [each for each in complaints if "422" not in each] == []
    complaints.clear()
