"""What runs ten times a second, or while a registry waits, reads no table from end to end."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.utils import timezone

from checks import upkeep
from checks.models import Job
from dockrev import schedules
from notifications import lanes, outbox
from tests import rows
from tests.github import deliver, published

pytestmark = pytest.mark.django_db

# Tables that hold a handful of rows, whatever happens.
SMALL = {
    "checks_host",
    "checks_registry",
    "dockrev_schedule",
    "django_q_ormq",
    "integrations_receiver",
    "integrations_hookaccount",
    "notifications_channel",
    "U0",  # a subquery on registries
}
OF_FEW_ROWS = {"active_jobs", "one_active_job_per_key", "due_notifications", "deliveries_waiting"}


def scanned(work: Callable[[], object]) -> set[str]:
    """Which tables SQLite would read whole, with the parameters as they are bound."""
    statements: list[tuple[str, Any]] = []

    def note(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        statements.append((sql, params[0] if many else params))
        return execute(sql, params, many, context)

    with connection.execute_wrapper(note):
        work()
    assert statements
    tables = set()
    with connection.cursor() as cursor:
        for sql, params in statements:
            if sql.startswith(("SELECT", "UPDATE", "DELETE")):
                cursor.execute(f"EXPLAIN QUERY PLAN {sql}", params)
                tables |= {whole for row in cursor.fetchall() if (whole := _read_whole(row[3]))}
    return tables - SMALL


def _read_whole(step: str) -> str:
    """The table that this step of a plan reads from end to end, if it does. An index that holds
    only the few rows in work may be."""
    words = step.split()
    if words[0] != "SCAN" or words[-1] in OF_FEW_ROWS:
        return ""
    return words[1]


@pytest.fixture(autouse=True)
def on_sqlite() -> None:
    if connection.vendor != "sqlite":
        pytest.skip("the plans are SQLite's")


@pytest.mark.parametrize(
    "tick",
    [
        lambda: upkeep.dispatch_due(timezone.now()),
        lambda: lanes._to_send_to(now=timezone.now()),
        lambda: outbox.claim("chn_1", timezone.now()),
        lambda: upkeep.recover(timezone.now()),
        lambda: outbox.recover(timezone.now()),
        lambda: upkeep.busy("quick", timezone.now()),
        lambda: upkeep.is_late("quick", timezone.now()),
        lambda: outbox.is_late(timezone.now()),
        lambda: schedules.fire_due(timezone.now()),
    ],
)
def test_it_ticks_by_index(tick: Callable[[], object]) -> None:
    assert scanned(tick) == set()


def test_it_takes_a_delivery_by_index(client: Client) -> None:
    rows.github_receiver()
    rows.tracked()
    rows.service()
    deliver(client, published())
    assert scanned(lambda: deliver(client, published())) == set()
    rows.service(name="worker")
    assert scanned(lambda: deliver(client, published())) == set()
    rows.tracked("acme/unknown")
    unmatched = published("acme/unknown", repository="acme/unknown")
    assert scanned(lambda: deliver(client, unmatched)) == set()


def test_it_knows_a_table_that_is_read_whole() -> None:
    assert scanned(lambda: list(Job.objects.filter(subject="x"))) == {"checks_job"}
