"""A channel whose configuration cannot be read any more, beside one that can."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest
import time_machine
from django.db import connection
from django.test import Client
from django.utils import timezone

from notifications import outbox
from notifications.announce import COMPANY
from notifications.models import Channel, Notification
from tests.notifications.test_outbox import channel, send_all, tell
from tests.people import Program, person
from tests.push.conftest import make_channel
from tests.sink import Sink, sink

pytestmark = pytest.mark.django_db


@pytest.fixture
def place() -> Iterator[Sink]:
    with sink() as place:
        yield place


def unreadable(row: Channel) -> Channel:
    """As after its key was lost."""
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE notifications_channel SET config = %s WHERE id = %s", ["gAAAAAlost", row.pk]
        )
    return row


def test_it_keeps_nobody_from_hearing_of_news(place: Sink) -> None:
    broken = unreadable(channel(place, name="broken"))
    fine = channel(place, name="fine")
    assert tell() == {"svc_api": 2}
    send_all()
    assert Notification.objects.get(channel=fine).status == "sent"
    waits = Notification.objects.defer("channel__config").get(channel=broken)
    assert (waits.status, waits.error) == (
        "waiting",
        "This secret cannot be read with the present key.",
    )


def test_its_message_is_tried_and_says_why(place: Sink) -> None:
    broken = unreadable(channel(place))
    tell()
    with time_machine.travel(timezone.now() + COMPANY + timedelta(seconds=1)):
        row = outbox.claim(broken.pk, timezone.now())
        assert row is not None
        outbox.send(row)
    assert row.tries.get().outcome == "again"
    assert Channel.objects.defer("config").get().failing_since is not None


def test_the_api_shows_it_without_a_configuration_and_takes_another(place: Sink) -> None:
    broken = unreadable(channel(place))
    admin = Program(person("admin"))
    path = f"/api/notifications/channels/{broken.pk}"
    assert admin.get("/api/notifications/channels").json()["channels"][0]["config"] == {}
    assert admin.get(path).json()["config"] == {}
    assert admin.patch(path, {"config": {"url": place.url}}).status_code == 200
    assert admin.post(f"{path}/test").json()["ok"]


def test_browsers_are_offered_the_channels_that_work() -> None:
    unreadable(make_channel("Lost"))
    make_channel("Browsers")
    browser = Client()
    browser.force_login(person("viewer"))
    page = browser.get("/settings").text
    assert "Browsers" in page
    assert "Lost" not in page[page.index('id="push"') : page.index('id="push-said"')]


def test_its_message_can_be_looked_at_and_sent_again(place: Sink) -> None:
    broken = channel(place)
    tell()
    send_all()
    unreadable(broken)
    browser = Client()
    browser.force_login(person("admin"))
    pk = Notification.objects.values_list("pk", flat=True).get()
    assert browser.get(f"/settings/notifications/{pk}").status_code == 200
    assert browser.post(f"/settings/notifications/{pk}/send-again").status_code == 302
