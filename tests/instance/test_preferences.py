from __future__ import annotations

import pytest
from pytest_django import DjangoAssertNumQueries, Settings

from dockrev import preferences
from dockrev.models import Setting

pytestmark = pytest.mark.django_db


def test_it_answers_with_defaults_where_nobody_chose(settings: Settings) -> None:
    settings.PUBLIC_URL = "https://updates.example.org"
    assert preferences.load() == preferences.Preferences(
        "https://updates.example.org", retention_days=90, deliveries_most=100_000
    )


def test_it_keeps_an_answer_and_forgets_it_again(settings: Settings) -> None:
    settings.PUBLIC_URL = "https://updates.example.org"
    preferences.set("public_base_url", "https://elsewhere.example.org")
    preferences.set("retention_days", 7)
    assert preferences.get("public_base_url") == "https://elsewhere.example.org"
    assert preferences.get("retention_days") == 7

    preferences.set("public_base_url", None)
    assert preferences.get("public_base_url") == "https://updates.example.org"


def test_it_reads_everything_with_one_query(
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    with django_assert_num_queries(1):
        preferences.load()


@pytest.mark.parametrize(("key", "value"), [("retention_days", "7"), ("retention_days", True)])
def test_it_refuses_a_value_of_another_type(key: str, value: object) -> None:
    with pytest.raises(ValueError, match=key):
        preferences.set(key, value)


def test_it_refuses_a_key_that_nobody_knows() -> None:
    with pytest.raises(KeyError):
        preferences.set("retention_weeks", 1)


def test_it_does_not_trip_over_a_row_that_was_edited_by_hand() -> None:
    Setting.objects.create(key="retention_days", value="a month")
    assert preferences.get("retention_days") == 90
