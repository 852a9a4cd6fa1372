"""Every word for people is there in every language, and says what can be filled in."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import polib
import pytest
from django.conf import settings

from tests.real.requirements import require

HOUSE = Path(settings.BASE_DIR)
CATALOGUES = sorted((HOUSE / "locale").glob("*/LC_MESSAGES/django.po"))
WITH_WORDS = ("checks", "dockrev", "integrations", "notifications", "templates", "locale")
# What is filled in, and what is not for people: %(name)s and {name}, tags, code.
FILLED = re.compile(r"%\([a-z_]+\)[sd]|%[sd%]|</?[a-z]+[^>]*>")

pytestmark = pytest.mark.parametrize("path", CATALOGUES, ids=lambda path: path.parts[-3])


def entries(path: Path) -> list[polib.POEntry]:
    return [entry for entry in polib.pofile(str(path)) if not entry.obsolete]


def key(entry: polib.POEntry | polib.MOEntry) -> tuple[str, str, str]:
    return entry.msgctxt or "", entry.msgid, entry.msgid_plural or ""


def said(entry: polib.POEntry | polib.MOEntry) -> list[str]:
    return list(entry.msgstr_plural.values()) or [entry.msgstr]


def test_nothing_is_left_in_english(path: Path) -> None:
    left = [
        entry.msgid for entry in entries(path) if "fuzzy" in entry.flags or not all(said(entry))
    ]
    assert not left


def test_what_is_filled_in_is_filled_in_everywhere(path: Path) -> None:
    """A place that is missing would hide a fact, one that is made up would be an error."""
    wrong = [
        entry.msgid
        for entry in entries(path)
        for words in said(entry)
        if sorted(FILLED.findall(words))
        not in (
            sorted(FILLED.findall(entry.msgid)),
            sorted(FILLED.findall(entry.msgid_plural or entry.msgid)),
        )
    ]
    assert not wrong


def test_what_is_read_at_run_time_was_made_of_it(path: Path) -> None:
    compiled = {key(entry): said(entry) for entry in polib.mofile(str(path.with_suffix(".mo")))}
    assert compiled == {key(entry): said(entry) for entry in entries(path)}


def test_every_text_in_the_code_is_collected(path: Path, tmp_path: Path) -> None:
    require("gettext")
    for folder in WITH_WORDS:
        shutil.copytree(
            HOUSE / folder, tmp_path / folder, ignore=shutil.ignore_patterns("__pycache__")
        )
    shutil.copy(HOUSE / "manage.py", tmp_path)
    subprocess.run(
        [sys.executable, "manage.py", "makemessages", "--all", "--no-location", "--no-obsolete"],
        cwd=tmp_path,
        env={**os.environ, "DJANGO_SETTINGS_MODULE": "dockrev.settings"},
        check=True,
        capture_output=True,
    )
    collected = {key(entry) for entry in entries(tmp_path / path.relative_to(HOUSE))}
    assert collected == {key(entry) for entry in entries(path)}
