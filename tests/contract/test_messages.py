"""`/api/notifications`: what was said to whom, and saying it again."""

from __future__ import annotations

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from notifications.announce import ANOMALY
from notifications.models import Notification
from tests.pages.test_messages import channel, message
from tests.people import Program, error_of, person

pytestmark = pytest.mark.django_db

ROUTE = "/api/notifications"


@pytest.fixture
def viewer() -> Program:
    return Program(person("viewer"))


@pytest.fixture
def admin() -> Program:
    return Program(person("admin"))


def test_it_lists_messages_the_newest_first(viewer: Program) -> None:
    to = channel()
    old, new = message(to), message(to, "failed", error="It answered 403.", kind=ANOMALY)
    answer = viewer.get(ROUTE).json()
    assert (answer["page"], answer["perPage"], answer["total"]) == (1, 50, 2)
    first = answer["notifications"][0]
    assert first.pop("createdAt").endswith("Z")
    assert first == {
        "id": new.pk,
        "channel": {"id": to.pk, "kind": "webhook", "name": "Team"},
        "kind": ANOMALY,
        "title": "shop / api has an update",
        "status": "failed",
        "tries": 1,
        "lastAnswer": 403,
        "error": "It answered 403.",
        "sentAt": None,
        "nextTryAt": None,
    }
    assert answer["notifications"][1]["id"] == old.pk


def test_it_filters(viewer: Program) -> None:
    one, two = channel("Team"), channel("Phone")
    a, b = message(one, title="alpha"), message(two, "failed", kind=ANOMALY, title="beta")

    def found(asked: str) -> list[str]:
        return [row["id"] for row in viewer.get(f"{ROUTE}?{asked}").json()["notifications"]]

    assert found(f"channel={one.pk}") == [a.pk]
    assert found("status=failed") == [b.pk]
    assert found(f"kind={ANOMALY}") == [b.pk]
    assert found("q=alp") == [a.pk]
    assert found("page=2&perPage=1") == [a.pk]
    error_of(viewer.get(f"{ROUTE}?status=nothing"), 400, "invalid_argument")


def test_it_asks_the_database_as_often_for_many_as_for_one(viewer: Program) -> None:
    to = channel()
    message(to)
    viewer.get(ROUTE)  # the first use of a token is written down
    with CaptureQueriesContext(connection) as one:
        viewer.get(ROUTE)
    for _ in range(20):
        message(to, "waiting")
    with CaptureQueriesContext(connection) as many:
        viewer.get(ROUTE)
    assert len(one) == len(many)


def test_it_tells_all_of_one(viewer: Program) -> None:
    row = message(channel(), "failed", error="It answered 403.")
    told = viewer.get(f"{ROUTE}/{row.pk}").json()
    assert told["payload"] == row.said
    [attempt] = told["attempts"]
    assert attempt.pop("beganAt").endswith("Z")
    assert attempt == {
        "number": 1,
        "tookMs": 12,
        "outcome": "refused",
        "answer": 403,
        "error": "It answered 403.",
        "excerpt": "not for you",
    }
    error_of(viewer.get(f"{ROUTE}/ntf_{'0' * 26}"), 404, "not_found")


def test_it_sends_again_under_the_same_id(admin: Program) -> None:
    row = message(channel())
    answer = admin.post(f"{ROUTE}/{row.pk}/resend", {})
    assert (answer.status_code, answer.json()["id"]) == (202, row.pk)
    assert answer.json()["status"] == "waiting"
    error = error_of(admin.post(f"{ROUTE}/{row.pk}/resend", {}), 409, "conflict")
    assert error["details"]["reason"] == "under_way"
    assert Notification.objects.count() == 1


def test_it_sends_nothing_to_a_channel_that_is_off(admin: Program) -> None:
    row = message(channel(enabled=False))
    error = error_of(admin.post(f"{ROUTE}/{row.pk}/resend", {}), 409, "conflict")
    assert error["details"]["reason"] == "channel_off"
