"""What browsers load by themselves: the service worker, the manifest and its icons."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest
from django.conf import settings
from django.contrib.staticfiles import finders
from django.test import Client

from dockrev.middleware import CONTENT_SECURITY_POLICY
from tests.people import person

pytestmark = pytest.mark.django_db


def size_of(name: str) -> tuple[int, int]:
    """Of a PNG: both are at the beginning of the file."""
    found = finders.find(name)
    assert isinstance(found, str)
    begins = Path(found).read_bytes()[:24]
    assert begins[:8] == b"\x89PNG\r\n\x1a\n"
    width, height = struct.unpack(">II", begins[16:])
    return width, height


def test_it_serves_the_worker_of_the_whole_site_to_everybody(client: Client) -> None:
    answer = client.get("/sw.js")
    assert answer.headers["Content-Type"] == "text/javascript; charset=utf-8"
    assert answer.headers["Cache-Control"] == "no-cache"
    assert answer.headers["Content-Security-Policy"] == CONTENT_SECURITY_POLICY
    assert "Set-Cookie" not in answer.headers
    signed_in = Client()
    signed_in.force_login(person("admin"))
    assert signed_in.get("/sw.js").content == answer.content


def test_it_answers_no_requests_and_keeps_nothing(client: Client) -> None:
    script = client.get("/sw.js").content.decode()
    assert '"fetch"' not in script
    assert "caches" not in script


def test_it_names_icons_that_are_there_in_their_sizes(client: Client) -> None:
    answer = client.get("/manifest.webmanifest")
    assert answer.headers["Content-Type"] == "application/manifest+json"
    facts = answer.json()
    assert (facts["id"], facts["start_url"], facts["scope"]) == ("/", "/", "/")
    assert facts["display"] == "standalone"
    assert facts["name"] == facts["short_name"] == "Dockrev"
    assert {(icon["sizes"], icon["purpose"]) for icon in facts["icons"]} == {
        ("192x192", "any"),
        ("512x512", "any"),
        ("512x512", "maskable"),
    }
    for icon in facts["icons"]:
        width, height = size_of(icon["src"].removeprefix(settings.STATIC_URL))
        assert f"{width}x{height}" == icon["sizes"]


@pytest.mark.parametrize(("name", "side"), [("apple-touch-icon", 180), ("badge", 96)])
def test_it_has_the_icons_that_nothing_else_names(name: str, side: int) -> None:
    assert size_of(f"dockrev/{name}.png") == (side, side)


@pytest.mark.parametrize(
    ("theme", "colours"),
    [("system", ["#f7f8fa", "#0f141b"]), ("light", ["#f7f8fa"]), ("dark", ["#0f141b"])],
)
def test_it_says_its_colours_as_they_were_chosen(
    client: Client, theme: str, colours: list[str]
) -> None:
    client.cookies["dockrev_theme"] = theme
    page = client.get("/sign-in").content.decode()
    assert [part[:7] for part in page.split('name="theme-color" content="')[1:]] == colours
    assert 'rel="manifest" href="/manifest.webmanifest"' in page
    assert "apple-touch-icon.png" in page
