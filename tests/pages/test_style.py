"""The one stylesheet: colours that can be read, and nothing that works around it."""

from __future__ import annotations

import gzip
import re
from itertools import product
from pathlib import Path

import django_htmx
import pytest
from django.conf import settings

STATIC = Path(settings.BASE_DIR) / "static" / "dockrev"
CSS = (STATIC / "app.css").read_text()
HTMX = Path(django_htmx.__file__).parent / "static/django_htmx/htmx-2.min.js"
Colour = tuple[float, float, float]


def tokens(selector: str) -> dict[str, Colour]:
    block = CSS.split(selector, 1)[1].split("}", 1)[0]
    return {
        name: (int(r, 16) / 255, int(g, 16) / 255, int(b, 16) / 255)
        for name, r, g, b in re.findall(r"--([\w-]+): #(..)(..)(..);", block)
    }


PALETTES = {"light": tokens(":root {"), "dark": tokens(':root[data-theme="dark"] {')}


def luminance(colour: Colour) -> float:
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in colour]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: Colour, other: Colour) -> float:
    dark, light = sorted((luminance(one), luminance(other)))
    return (light + 0.05) / (dark + 0.05)


def tint(colour: Colour, surface: Colour) -> Colour:
    """The colour at 12 % on the surface."""
    r, g, b = (c * 0.12 + s * 0.88 for c, s in zip(colour, surface, strict=True))
    return r, g, b


@pytest.mark.parametrize("theme", PALETTES)
@pytest.mark.parametrize(
    ("text", "ground"),
    list(product(["text", "muted", "accent", "ok", "warn", "bad"], ["bg", "surface"])),
)
def test_it_can_be_read(theme: str, text: str, ground: str) -> None:
    palette = PALETTES[theme]
    assert contrast(palette[text], palette[ground]) >= 4.5


@pytest.mark.parametrize("theme", PALETTES)
@pytest.mark.parametrize("colour", ["muted", "accent", "ok", "warn", "bad"])
def test_it_can_be_read_on_its_tint(theme: str, colour: str) -> None:
    palette = PALETTES[theme]
    ground = tint(palette[colour], palette["surface"])
    assert contrast(palette[colour], ground) >= 4.5
    assert contrast(palette["text"], ground) >= 4.5


@pytest.mark.parametrize("theme", PALETTES)
def test_it_can_be_read_on_the_main_button(theme: str) -> None:
    palette = PALETTES[theme]
    assert contrast(palette["on-accent"], palette["accent"]) >= 4.5


def test_it_has_the_same_dark_colours_by_choice_and_by_system() -> None:
    assert tokens(':root:not([data-theme="light"]) {') == PALETTES["dark"]


def test_it_needs_no_force_and_nothing_from_elsewhere() -> None:
    assert "!important" not in CSS
    assert "url(" not in CSS
    assert "@import" not in CSS


def test_it_is_under_a_hundred_kilobytes_in_all() -> None:
    files = [STATIC / "app.css", STATIC / "app.js", STATIC / "icon.svg", HTMX]
    assert sum(path.stat().st_size for path in files) < 100_000
    assert sum(len(gzip.compress(path.read_bytes())) for path in files) < 40_000
    assert len((STATIC / "app.js").read_text().splitlines()) < 160


TEMPLATES = Path(settings.BASE_DIR, "templates")
MAIL = TEMPLATES / "notifications" / "email.html"  # is no page: mail programs load no stylesheet


@pytest.mark.parametrize("path", sorted({*TEMPLATES.rglob("*.html")} - {MAIL}))
def test_it_keeps_style_and_script_out_of_templates(path: Path) -> None:
    source = path.read_text()
    assert not re.search(r"\s(style|on\w+)=", source)
    assert "|safe" not in source
    assert "autoescape off" not in source
