"""The digest: what is open, and what failed, for the stacks of each channel."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from django.test import Client
from django.utils import timezone

from checks import digests
from checks.models import Candidate, IgnoreRule, Job, Service
from dockrev import schedules
from dockrev.models import Schedule
from notifications.messages import message
from notifications.models import Channel, Notification
from tests import rows
from tests.people import person

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 5, 4, 8, tzinfo=UTC)
DAY = timedelta(days=1)


def channel(**given: Any) -> Channel:
    row = {"kind": "webhook", "name": "sink", "events": ["digest"], "config": "{}", **given}
    return Channel.objects.create(**row)


def offered(service: Service, step: str = "minor", tag: str = "2.0", **given: Any) -> Candidate:
    return Candidate.objects.create(
        service=service,
        step=step,
        image_ref=service.image_ref,
        tag=tag,
        digest=f"sha256:{'2' * 64}",
        opened_at=NOW - DAY,
        **given,
    )


def failed(kind: str = "update", status: str = "failed", **given: Any) -> Job:
    facts = {
        "scope": "service",
        "reason": "ui",
        "subject": "shop / api",
        "created_at": NOW - DAY,
        "finished_at": NOW - DAY,
        "dedupe_key": f"{kind}{Job.objects.count()}",
        **given,
    }
    return Job.objects.create(kind=kind, status=status, **facts)


def tell(at: datetime = NOW) -> list[dict[str, Any]]:
    """What each message of a run says."""
    before = set(Notification.objects.values_list("pk", flat=True))
    with time_machine.travel(at, tick=False):
        digests.tell()
    new = Notification.objects.select_related("channel").exclude(pk__in=before)
    return [dict(message(row, at).payload) for row in new]


def test_it_counts_what_is_open_by_stack_and_step() -> None:
    channel()
    api = rows.service(name="api")
    offered(api, "minor")
    offered(api, "major", "3.0")
    offered(rows.service(name="web"), "minor")
    offered(rows.service(name="db", stack="data"), "rebuilt", "1.2.0")
    [said] = tell()
    assert said["human"] == {
        "title": "3 services have an update",
        "summary": "data: 1 rebuilt",
        "detail": "data: 1 rebuilt\nshop: 2 minor, 1 major",
    }
    assert said["digest"]["steps"] == {
        "rebuilt": 1,
        "patch": 0,
        "minor": 2,
        "major": 1,
        "other": 0,
    }
    assert said["digest"]["since"] == "2026-04-27T08:00:00.000Z"
    assert len(said["links"]["serviceUrls"]) == 4


def test_one_candidate_is_one_sentence() -> None:
    channel()
    offered(rows.service())
    [said] = tell()
    assert said["human"] == {
        "title": "1 service has an update",
        "summary": "shop / api: 1.2.0 to 2.0",
    }


def test_it_cuts_at_ten_and_counts_the_rest() -> None:
    channel()
    for number in range(13):
        offered(rows.service(name="api", stack=f"s{number:02}"))
    for _number in range(12):
        failed()
    [said] = tell()
    lines = said["human"]["detail"].splitlines()
    assert lines[9:12] == ["s09: 1 minor", "and 3 more", "The update of shop / api failed."]
    assert lines[-1] == "and 2 more"
    assert said["links"]["truncated"] == {
        "stacksOmitted": 3,
        "serviceUrlsOmitted": 3,
        "jobsOmitted": 2,
    }
    kept = Notification.objects.get().content
    assert len(kept["found"]) == len(kept["failures"]) == len(kept["stacks"]) == 10


def test_it_is_silent_where_nothing_is_open() -> None:
    channel()
    service = rows.service()
    rule = IgnoreRule.objects.create(scope="all", kind="exact", value="2.0")
    offered(service, ignored_by=rule)
    offered(service, "major", "3.0", closed_at=NOW, closed_as="gone")
    gone = rows.service(name="gone")
    offered(gone)
    Service.objects.filter(pk=gone.pk).update(archived_at=NOW)
    failed(finished_at=NOW - 8 * DAY)
    failed(status="success")
    failed(kind="discovery")
    assert tell() == []


def test_it_tells_of_failures_since_the_last_one() -> None:
    channel()
    failed()
    failed(kind="rollback", status="failed", finished_at=NOW - 2 * DAY)
    [said] = tell()
    assert said["human"]["title"] == "2 jobs failed"
    assert said["human"]["detail"].splitlines() == [
        "The update of shop / api failed.",
        "The rollback of shop / api failed.",
    ]
    assert said["links"]["primaryUrl"] == "/queue"
    assert tell(NOW + DAY) == []
    failed(status="rolled_back", finished_at=NOW + 36 * timedelta(hours=1))
    [said] = tell(NOW + 2 * DAY)
    assert said["human"]["summary"] == "The update of shop / api was taken back."


def test_each_channel_hears_of_its_stacks() -> None:
    api, db = rows.service(name="api"), rows.service(name="db", stack="data")
    offered(api)
    offered(db)
    failed(stack_id=db.stack_id)
    channel(stack_ids=[api.stack_id])
    channel(stack_ids=["stk_other"])
    channel(events=["new_version_discovered"])
    channel(enabled=False)
    [said] = tell()
    assert [each["stackName"] for each in said["links"]["stacks"]] == ["shop"]
    assert said["links"]["jobs"] == []


def test_it_leads_to_what_is_open() -> None:
    channel()
    service = rows.service()
    rows.service(name="calm")
    offered(service)
    Service.objects.filter(pk=service.pk).update(status="update_available")
    [said] = tell()
    browser = Client()
    browser.force_login(person("viewer"))
    page = browser.get(said["links"]["primaryUrl"]).content.decode()
    assert service.pk in page
    assert ">calm<" not in page


def test_it_is_sent_on_mondays_unless_people_say_otherwise() -> None:
    schedules.sync(timezone.now())
    row = Schedule.objects.get(name="digest")
    assert (row.cron, row.enabled) == ("0 8 * * MON", True)
    channel()
    offered(rows.service())
    schedules.run_now(row, timezone.now())
    assert Notification.objects.get().kind == "digest"
