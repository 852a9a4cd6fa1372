"""What a worker looks for ten times a second, in a thread beside its own work."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from notifications import lanes
from notifications.models import Channel, Notification
from tests.notifications.test_delivery import NOW, SECOND, queued
from tests.notifications.test_outbox import channel
from tests.sink import Sink, sink

pytestmark = pytest.mark.django_db


@pytest.fixture
def place() -> Iterator[Sink]:
    with sink() as place:
        yield place


def found(after: timedelta = timedelta()) -> set[str]:
    return {pk for (pk,) in lanes._to_send_to(now=NOW + after)}


def test_it_finds_what_is_due_at_that_moment_and_nobody_has(place: Sink) -> None:
    rows = [channel(place, name=name) for name in ("due", "off", "rests", "held", "idle")]
    due, off, rests, held, idle = rows
    for row in (due, off, rests, held):
        queued(row)
    Channel.objects.filter(pk=off.pk).update(enabled=False)
    Channel.objects.filter(pk=rests.pk).update(paused_until=NOW + 5 * SECOND)
    Notification.objects.filter(channel=held.pk).take(NOW, status="sending")
    Notification.objects.filter(channel=idle.pk).delete()
    assert found(-SECOND) == set()
    assert found() == {due.pk}
    assert found(5 * SECOND) == {due.pk, rests.pk}


def test_it_asks_once_whatever_waits(place: Sink) -> None:
    for name in "abc":
        queued(channel(place, name=name), 3)
    with CaptureQueriesContext(connection) as captured:
        assert len(found(-SECOND)) == 0
    assert len(captured) <= 1
