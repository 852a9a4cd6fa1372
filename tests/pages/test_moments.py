from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from django.test import override_settings
from django.utils import timezone

from dockrev.templatetags.moments import age, ago, until

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("distance", "words", "short"),
    [
        (timedelta(seconds=3), "just now", "3 s"),
        (timedelta(seconds=59), "59 seconds ago", "59 s"),
        (timedelta(minutes=1, seconds=59), "1 minute ago", "1 min"),
        (timedelta(hours=23, minutes=59), "23 hours ago", "23 h"),
        (timedelta(days=2), "2 days ago", "2 d"),
        (timedelta(days=800), "2 years ago", "2 y"),
        (timedelta(minutes=-5), "in 5 minutes", "0 s"),
    ],
)
def test_it_says_how_long_ago_something_was(distance: timedelta, words: str, short: str) -> None:
    with time_machine.travel(NOW, tick=False):
        assert f">{words}</time>" in ago(NOW - distance)
        assert f">{short}</time>" in age(NOW - distance)


def test_it_says_never() -> None:
    assert ago(None) == "never"
    assert age(None) == "\N{EN DASH}"


def test_it_gives_the_exact_time_in_the_configured_zone() -> None:
    with override_settings(TIME_ZONE="Europe/Berlin"), timezone.override("Europe/Berlin"):
        element = ago(NOW)
    assert 'title="1 Mar 2026, 13:00:00 CET"' in element
    assert 'datetime="2026-03-01T12:00:00+00:00"' in element


@pytest.mark.parametrize(
    ("took", "words"),
    [
        (timedelta(milliseconds=312), "312 ms"),
        (timedelta(seconds=3.14), "3.1 s"),
        (timedelta(seconds=42), "42 s"),
        (timedelta(minutes=3), "3 min"),
        (timedelta(hours=1, minutes=4, seconds=9), "1 h 4 min"),
        (timedelta(days=2, minutes=5), "2 d"),
    ],
)
def test_it_says_how_long_something_took(took: timedelta, words: str) -> None:
    assert until(NOW, NOW + took).replace("\N{NO-BREAK SPACE}", " ") == words


def test_it_counts_on_while_something_runs() -> None:
    with time_machine.travel(NOW, tick=False):
        assert until(NOW - timedelta(seconds=90), None).replace("\xa0", " ") == "1 min 30 s"
    assert until(None, None) == "\N{EN DASH}"
