"""Which updates are asked for when the clock ticks, and why a job says it was."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from checks import holds
from checks.automatic import ready
from checks.models import Candidate, Hold, IgnoreRule, Job, Pause, Service, Stack
from checks.tasks import run_job
from checks.updating.plan import Plan
from dockrev import preferences, schedules
from dockrev.models import Schedule, Setting
from tests.fake_engine import IMAGE_ID, FakeEngine
from tests.pages.rows import candidate, job, many_services
from tests.people import Program

pytestmark = pytest.mark.django_db


def tick() -> list[Job]:
    """What the clock's minute asks for: the updates that are queued."""
    now = timezone.now()
    schedules.sync(now)
    schedules.run_now(Schedule.objects.get(name="automatic"), now)
    for asked in Job.objects.queued().filter(kind="automatic"):
        run_job(asked.pk)
    return list(Job.objects.queued().filter(kind="update"))


def wants(row: Service, up_to: str = "major", **more: Any) -> None:
    Service.objects.filter(pk=row.pk).update(policy={"autoUpdate": up_to, **more})


def targets(asked: Job) -> dict[str, str]:
    plan = Plan.from_json(asked.params["plan"])
    return {each.service_name: each.target_image.rpartition(":")[2] for each in plan.changes}


def test_nothing_updates_itself_before_somebody_says_so(fake_engine: FakeEngine) -> None:
    candidate(fake_engine.deploy())
    assert tick() == []
    assert not Job.objects.exists()


def test_it_asks_and_says_which_policy_wants_it(fake_engine: FakeEngine, operator: Program) -> None:
    row = fake_engine.deploy()
    candidate(row)
    Service.objects.update(labels={"dockrev.auto-update": "minor"})
    Stack.objects.update(policy={"autoUpdateHealthy": False})
    Setting.objects.create(key="policy", value={"autoUpdateWindow": "00:00-24:00"})
    [asked] = tick()
    assert (asked.reason, asked.created_by, asked.service_id) == ("policy", "", row.pk)
    assert targets(asked) == {"api": "1.3.0"}
    shown = operator.get(f"/api/jobs/{asked.pk}").json()
    assert shown["because"] == (
        "api: Updates by itself: rebuilt images, patches and minor versions, by the label "
        "dockrev.auto-update; By itself at these times: 00:00-24:00, by the policy for all; "
        "By itself only while healthy: no, by the policy of its stack"
    )
    assert tick() == [asked]


@pytest.mark.parametrize(
    ("up_to", "expected"),
    [
        ("digest", "1.2.0"),
        ("patch", "1.2.9"),
        ("minor", "1.3.0"),
        ("major", "2.0.0"),
    ],
)
def test_it_takes_the_largest_step_it_may(
    fake_engine: FakeEngine, up_to: str, expected: str
) -> None:
    row = fake_engine.deploy()
    tags = {"rebuilt": "1.2.0", "patch": "1.2.9", "minor": "1.3.0", "major": "2.0.0"}
    for step, tag in {**tags, "other": "nightly"}.items():
        candidate(row, step=step, tag=tag)
    wants(row, up_to)
    [asked] = tick()
    assert targets(asked) == {"api": expected}


@pytest.mark.parametrize("state", ["running", "exited"])
@pytest.mark.parametrize("others", ["off", "patch", "minor"])
def test_it_changes_nothing_beside_that_does_not_update_itself_so_far(
    fake_engine: FakeEngine, others: str, state: str
) -> None:
    """One variable says the tag of both."""
    row, beside = (fake_engine.deploy(name, f"ghcr.io/acme/{name}:1.2.0") for name in ("api", "db"))
    images = "  api: {image: 'ghcr.io/acme/api:${TAG}'}\n  db: {image: 'ghcr.io/acme/db:${TAG}'}\n"
    fake_engine.file().write_text(f"services:\n{images}")
    fake_engine.file().with_name(".env").write_text("TAG=1.2.0\n")
    fake_engine.containers[1]["State"] = state
    candidate(row)
    wants(row)
    wants(beside, others)
    asked = tick()
    if others != "minor":
        assert (asked, "db would get another image" in Pause.objects.get().why) == ([], True)
    else:
        assert targets(asked[0]) == {"api": "1.3.0"}


def _of_another_platform(found: Candidate) -> None:
    Candidate.objects.filter(pk=found.pk).update(arch="mismatch")


def _hidden(found: Candidate) -> None:
    rule = IgnoreRule.objects.create(scope="all", kind="exact", value=found.tag)
    Candidate.objects.filter(pk=found.pk).update(ignored_by=rule)


def _too_young(found: Candidate) -> None:
    later = timezone.now() + timedelta(days=1)
    Candidate.objects.filter(pk=found.pk).update(waits_until=later)


def _just_found(found: Candidate) -> None:
    wants(found.service, autoUpdateAge=2)


def _closed_window(found: Candidate) -> None:
    tomorrow = timezone.now() + timedelta(days=1)
    wants(found.service, autoUpdateWindow=f"{tomorrow:%a} 00:00-24:00")


def _unknown_step(found: Candidate) -> None:
    Candidate.objects.filter(pk=found.pk).update(step="other")


def _stopped(found: Candidate) -> None:
    Service.objects.update(state=Service.State.STOPPED)


def _archived(found: Candidate) -> None:
    Service.objects.update(archived_at=timezone.now())


def _held(found: Candidate) -> None:
    resource = holds.resource(found.service_id)
    Hold.objects.create(resource=resource, job=job("check.all", "running"))


def _rollback_queued(found: Candidate) -> None:
    job("rollback", "queued", stack_id=found.service.stack_id)


@pytest.mark.parametrize(
    "obstacle",
    [
        _of_another_platform,
        _hidden,
        _too_young,
        _just_found,
        _closed_window,
        _unknown_step,
        _stopped,
        _archived,
        _held,
        _rollback_queued,
    ],
)
def test_it_leaves_what_is_not_for_it(
    fake_engine: FakeEngine, obstacle: Callable[[Candidate], None]
) -> None:
    row = fake_engine.deploy()
    wants(row)
    obstacle(candidate(row))
    assert tick() == []
    assert not Job.objects.filter(kind__in=["automatic", "update"]).exists()


def test_it_waits_for_the_window_and_for_the_age(fake_engine: FakeEngine) -> None:
    row = fake_engine.deploy()
    wants(row, autoUpdateAge=3, autoUpdateWindow="Sat 22:00-04:00 Europe/Berlin")
    with time_machine.travel(datetime(2026, 11, 24, 12, tzinfo=UTC), tick=False) as clock:
        candidate(row)
        for moment, number in (
            (datetime(2026, 11, 26, 22, 0, tzinfo=UTC), 0),  # neither
            (datetime(2026, 11, 28, 20, 59, tzinfo=UTC), 0),  # old enough, a minute too early
            (datetime(2026, 11, 29, 3, 0, tzinfo=UTC), 0),  # it has just closed
            (datetime(2026, 12, 5, 21, 0, tzinfo=UTC), 1),
        ):
            clock.move_to(moment)
            assert len(tick()) == number, moment


def test_it_waits_until_a_service_is_healthy_unless_told_otherwise(
    fake_engine: FakeEngine,
) -> None:
    row = fake_engine.deploy()
    candidate(row)
    wants(row)
    fake_engine.containers[0]["Status"] = "Up 2 hours (unhealthy)"
    assert tick() == []
    assert not Pause.objects.exists()
    wants(row, autoUpdateHealthy=False)
    assert len(tick()) == 1


def test_it_never_touches_dockrev_itself(fake_engine: FakeEngine) -> None:
    row = fake_engine.deploy()
    candidate(row)
    wants(row)
    fake_engine.titles[IMAGE_ID] = "Dockrev"
    assert tick() == []
    assert "Dockrev itself" in Pause.objects.get(service=row).why
    assert Job.objects.filter(kind="automatic").count() == 1
    assert tick() == []
    assert Job.objects.filter(kind="automatic").count() == 1


def test_it_asks_for_as_many_at_once_as_are_wanted(fake_engine: FakeEngine) -> None:
    for stack in ("blog", "shop", "wiki"):
        for name in ("api", "web"):
            row = fake_engine.deploy(name, stack=stack)
            candidate(row)
            wants(row)
    [first] = tick()
    assert first.scope == "stack"
    assert targets(first) == {"api": "1.3.0", "web": "1.3.0"}
    assert tick() == [first]
    preferences.set("updates_at_once", 2)
    assert len(tick()) == 2
    Job.objects.filter(pk=first.pk).update(status="success", finished_at=timezone.now())
    assert len(tick()) == 2


def test_what_cannot_be_planned_waits_and_keeps_no_other_back(fake_engine: FakeEngine) -> None:
    broken, row = fake_engine.deploy("api"), fake_engine.deploy("web")
    for each in (broken, row):
        candidate(each)
        wants(each)
    text = fake_engine.file().read_text().replace("api:1.2.0", "api:${TAG_OF_NOBODY}", 1)
    fake_engine.file().write_text(text)
    [asked] = tick()
    assert targets(asked) == {"web": "1.3.0"}
    Job.objects.filter(pk=asked.pk).update(status="success", finished_at=timezone.now())
    Candidate.objects.filter(service=row).delete()
    assert tick() == []
    [pause] = Pause.objects.all()
    assert pause.service_id == broken.pk
    assert pause.why


def test_an_engine_that_is_away_is_asked_again_the_next_minute(fake_engine: FakeEngine) -> None:
    row = fake_engine.deploy()
    candidate(row)
    wants(row)
    there, row.stack.host.docker_host = row.stack.host.docker_host, "tcp://127.0.0.1:9"
    row.stack.host.save()
    assert tick() == []
    assert not Pause.objects.exists()
    row.stack.host.docker_host = there
    row.stack.host.save()
    assert len(tick()) == 1


@pytest.mark.parametrize("number", [3, 30])
def test_it_asks_the_database_twice(number: int) -> None:
    many_services(number)
    Setting.objects.create(key="policy", value={"autoUpdate": "major"})
    with CaptureQueriesContext(
        connection,
    ) as queries:
        assert len(ready.due(timezone.now())) == number
    assert len(queries) == 2
