"""Kinds of message that are off for all."""

from __future__ import annotations

import pytest
from django.utils import timezone

from notifications import announce
from notifications.announce import JOB_FINISHED, NEW_VERSION
from notifications.models import Channel, Notification
from tests.notifications.test_jobs import changed, job
from tests.notifications.test_outbox import tell
from tests.people import Program, error_of, person

pytestmark = pytest.mark.django_db

SETTINGS = "/api/settings"


@pytest.fixture
def admin() -> Program:
    return Program(person("admin"))


@pytest.fixture
def channel() -> Channel:
    return Channel.objects.create(
        kind="webhook", name="sink", events=[NEW_VERSION, JOB_FINISHED], config="{}"
    )


def told() -> set[str]:
    return set(Notification.objects.values_list("kind", flat=True))


def test_both_switches_are_needed(admin: Program, channel: Channel) -> None:
    answer = admin.put(SETTINGS, {"events": {NEW_VERSION: False}}).json()
    assert answer["events"] == {kind: kind != NEW_VERSION for kind in announce.EVENTS}
    assert tell() == {}  # nobody heard of it, so it is told later
    announce.job_finished(job(), [changed()], timezone.now())
    assert told() == {JOB_FINISHED}
    admin.put(SETTINGS, {"events": {NEW_VERSION: True}})
    assert tell() == {"svc_api": 1}
    assert told() == {JOB_FINISHED, NEW_VERSION}


def test_those_that_are_not_named_stay(admin: Program) -> None:
    admin.put(SETTINGS, {"events": {NEW_VERSION: False}})
    admin.put(SETTINGS, {"events": {JOB_FINISHED: False}})
    admin.put(SETTINGS, {"retentionDays": 30})
    events = admin.get(SETTINGS).json()["events"]
    assert [kind for kind, on in events.items() if not on] == [NEW_VERSION, JOB_FINISHED]


@pytest.mark.parametrize("events", [{"unknown": True}, {NEW_VERSION: "yes"}, [NEW_VERSION]])
def test_it_refuses_what_is_no_event(admin: Program, events: object) -> None:
    error = error_of(admin.put(SETTINGS, {"events": events}), 400, "invalid_argument")
    assert error["details"]["field"].startswith("events")
    assert all(admin.get(SETTINGS).json()["events"].values())
