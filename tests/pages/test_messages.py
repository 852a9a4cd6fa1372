from __future__ import annotations

import re
from datetime import timedelta

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from notifications.announce import ANOMALY, NEW_VERSION
from notifications.models import Attempt, Channel, Notification
from tests.pages.test_overview import text_of

pytestmark = pytest.mark.django_db

HISTORY = "/settings/notifications"


def channel(name: str = "Team", **given: object) -> Channel:
    return Channel.objects.create(kind="webhook", name=name, config="{}", **given)


def message(to: Channel, status: str = "sent", **given: object) -> Notification:
    """A message, and the try that made it what it is."""
    now = timezone.now()
    facts: dict[str, object] = {
        "kind": NEW_VERSION,
        "title": "shop / api has an update",
        "said": {
            "human": {"title": "shop / api has an update", "summary": "shop / api: 1 to <2>"},
            "links": {"primaryUrl": "https://dockrev.example/services/s/a"},
        },
        "created_at": now,
        "next_attempt_at": now if status == "waiting" else None,
        "sent_at": now if status == "sent" else None,
        **given,
    }
    row = Notification.objects.create(channel=to, status=status, **facts)
    outcome, answer = {"sent": ("sent", 204), "failed": ("refused", 403)}.get(
        status, ("again", None)
    )
    Attempt.objects.create(
        notification=row, number=1, began_at=now, took_ms=12, outcome=outcome, answer=answer,
        error=row.error, excerpt="not for you" if status == "failed" else "",
    )  # fmt: skip
    return row


def page(client: Client, path: str = HISTORY) -> str:
    response = client.get(path)
    assert response.status_code == 200
    return text_of(response.content)


def test_it_says_what_to_do_before_there_is_any(viewer: Client, admin: Client) -> None:
    assert "no channel yet" in page(viewer)
    channel()
    assert "Nothing was sent yet" in page(admin)


def test_it_lists_messages_with_what_came_of_them(viewer: Client) -> None:
    to = channel()
    message(to)
    message(to, "failed", error="It answered 403.", title="web fell ill")
    message(to, "waiting", error="Nobody is there.")
    said = page(viewer)
    assert "3 messages, 1 waiting , 1 failed, the last sent just now" in said
    assert "All 3 Waiting 1 Sent 1 Failed 1" in said
    assert "shop / api has an update sent, answered 204 Team Newer images" in said
    assert "web fell ill It answered 403." in said
    assert re.search("next try (in a moment|just now|in [^ ]+ seconds) Nobody is there", said)


def test_it_finds_by_status_channel_kind_and_words(viewer: Client) -> None:
    one, two = channel("Team"), channel("Phone")
    message(one, title="alpha")
    message(two, "failed", title="beta", kind=ANOMALY, error="No route.")
    message(two, title="gamma", content={"found": [{"service_name": "grafana"}]})

    def found(asked: str) -> set[str]:
        said = page(viewer, f"{HISTORY}?{asked}")
        return {title for title in ("alpha", "beta", "gamma") if title in said}

    assert found("") == {"alpha", "beta", "gamma"}
    assert found("show=failed") == {"beta"}
    assert found(f"channel={two.pk}") == {"beta", "gamma"}
    assert found(f"channel={two.pk}&kind={ANOMALY}") == {"beta"}
    assert found("q=grafana") == {"gamma"}
    assert found("q=phone+route") == {"beta"}
    assert found("q=team") == {"alpha"}
    assert found("q=100%25") == set()
    assert found("channel=%00&kind=nothing") == set()


def test_it_shows_fifty_at_once_with_as_many_queries_as_for_one(viewer: Client) -> None:
    to = channel()
    message(to)
    with CaptureQueriesContext(
        connection,
    ) as one:
        page(viewer)
    for _ in range(59):
        message(to, "waiting")
    with CaptureQueriesContext(connection) as many:
        said = page(viewer)
    assert len(one) == len(many)
    assert "1 to 50 of 60" in said


def test_it_shows_a_message_with_each_try(viewer: Client) -> None:
    row = message(channel(), "failed", error="It answered 403.")
    body = viewer.get(f"{HISTORY}/{row.pk}").content.decode()
    said = text_of(body.encode())
    assert "shop / api: 1 to <2>" in said
    assert 'href="https://dockrev.example/services/s/a"' in body
    assert "Refused, answered 403 It answered 403. “not for you” 12 ms" in said
    assert "&quot;primaryUrl&quot;" in body
    assert "Send again" not in said


def test_it_shows_a_message_with_a_fixed_number_of_queries(viewer: Client) -> None:
    row = message(channel())
    with CaptureQueriesContext(connection) as one:
        page(viewer, f"{HISTORY}/{row.pk}")
    for number in range(2, 30):
        Attempt.objects.create(
            notification=row, number=number, began_at=timezone.now(), outcome="again"
        )
    with CaptureQueriesContext(connection) as many:
        page(viewer, f"{HISTORY}/{row.pk}")
    assert len(one) == len(many)


def test_it_says_that_what_was_not_tried_is_not_worded(viewer: Client) -> None:
    row = message(channel(), "waiting", said=None, title="")
    said = page(viewer, f"{HISTORY}/{row.pk}")
    assert "It is worded when it is sent." in said
    assert "Newer images" in said


def test_an_admin_sends_it_again(admin: Client) -> None:
    row = message(channel())
    assert "the same id" in page(admin, f"{HISTORY}/{row.pk}")
    answer = admin.post(f"{HISTORY}/{row.pk}/send-again", follow=True)
    assert "once more, under the same id" in text_of(answer.content)
    row.refresh_from_db()
    assert row.status == "waiting"
    again = admin.post(f"{HISTORY}/{row.pk}/send-again", follow=True)
    assert "on its way already" in text_of(again.content)


def test_it_does_not_send_to_a_channel_that_is_off(admin: Client) -> None:
    row = message(channel(enabled=False))
    assert "Its channel is off" in page(admin, f"{HISTORY}/{row.pk}")
    answer = admin.post(f"{HISTORY}/{row.pk}/send-again", follow=True)
    assert "is off. Switch it on" in text_of(answer.content)


def test_it_says_when_a_channel_that_rests_is_tried(viewer: Client) -> None:
    later = timezone.now() + timedelta(minutes=20, seconds=30)
    message(channel(paused_until=later), "waiting")
    assert "next try in 20 minutes" in page(viewer)
