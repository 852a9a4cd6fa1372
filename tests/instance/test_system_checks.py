from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.core.checks import run_checks
from pytest_django import Settings


def ids(**given: Any) -> list[str]:
    return [message.id or "" for message in run_checks(**given)]


def test_it_finds_nothing_wrong_with_the_product() -> None:
    assert ids(tags=["work"]) == []


def test_it_demands_one_transaction_for_row_and_message(settings: Settings) -> None:
    settings.Q_CLUSTER = {**settings.Q_CLUSTER, "orm": "queue"}
    assert ids(tags=["work"]) == ["dockrev.E001"]


@pytest.mark.parametrize(("retry", "wrong"), [(59, True), (60, True), (61, False)])
def test_it_demands_that_a_message_outlives_its_work(
    settings: Settings, retry: int, wrong: bool
) -> None:
    settings.Q_CLUSTER = {**settings.Q_CLUSTER, "retry": retry}
    assert ids(tags=["work"]) == (["dockrev.E002"] if wrong else [])


def test_it_demands_that_leases_are_renewed_in_time(settings: Settings) -> None:
    settings.LEASE_RENEW_EVERY = timedelta(seconds=90)
    assert ids(tags=["work"]) == ["dockrev.E003"]


@pytest.mark.django_db
def test_it_demands_a_write_ahead_log() -> None:
    assert "dockrev.E004" not in ids(tags=["database"], databases=["default"])
