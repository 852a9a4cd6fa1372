"""What a job that changed services comes to, and who hears of it."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path

import pytest
from django.utils import timezone
from pytest_django import Settings

from checks import queue
from checks.backups.job import ask_to_restore
from checks.models import Backup, Job, Replaced, Service
from checks.run import Run
from checks.tasks import run_job
from checks.updating import compose_cli, site, telling
from checks.updating import job as going
from checks.updating.plan import Change, Plan, Project
from checks.updating.steps import Steps
from notifications.models import Channel, Notification
from notifications.wording.jobs import title_of
from tests.rows import service
from tests.updating.replaced import updated

pytestmark = pytest.mark.django_db


def change(row: Service) -> Change:
    image = "ghcr.io/acme/api:"
    return Change(row.pk, row.name, "minor", f"{image}1.1", "", "", f"{image}1.2", "sha256:new")


def finished(*outcomes: tuple[Service, str], cancelled: bool = False) -> Job:
    """Have a job end with this for each service."""
    changes = tuple(change(row) for row, _outcome in outcomes)
    stack = outcomes[0][0].stack
    plan = Plan(stack.pk, stack.host_id, Project("shop", "/srv", ()), changes)
    request = queue.Request("update", "ui", params={"plan": plan.as_json()}, created_by="ada")
    job = queue.claim(queue.enqueue(request).job_id)
    assert job is not None
    steps = Steps(Run(job), len(changes))
    for each, (row, outcome) in zip(changes, outcomes, strict=True):
        error = "" if outcome == "updated" else "no luck"
        facts = {**telling.facts(each), "error": error, "runs": ""}
        steps.became(row.pk, row.name, outcome, **facts)
    assert queue.finish(job, telling.outcome(changes, steps, cancelled=cancelled))
    return job


@pytest.mark.parametrize(
    ("outcomes", "status"),
    [
        (["updated", "updated"], "success"),
        (["updated", "rolled_back"], "rolled_back"),
        (["rolled_back", "failed"], "failed"),
        (["updated", "untouched"], "failed"),
    ],
)
def test_the_worst_of_the_services_says_the_status(outcomes: list[str], status: str) -> None:
    rows = [service(name=name) for name in ("api", "web")]
    assert finished(*zip(rows, outcomes, strict=True)).status == status


def test_one_that_was_cancelled_says_so_unless_something_is_broken() -> None:
    rows = [service(name=name) for name in ("api", "web")]
    pairs = list(zip(rows, ("updated", "untouched"), strict=True))
    assert finished(*pairs, cancelled=True).status == "cancelled"
    broken = [(rows[0], "failed"), (rows[1], "untouched")]
    assert finished(*broken, cancelled=True).status == "failed"


def test_channels_hear_of_it_and_what_changed_is_checked_silently() -> None:
    config = json.dumps({"url": "https://example.com/"})
    Channel.objects.create(kind="webhook", name="sink", events=["job_finished"], config=config)
    job = finished((service(), "updated"), (service(name="web"), "untouched"))
    content = Notification.objects.get().content
    assert (content["job"]["id"], content["job"]["status"]) == (job.pk, "failed")
    told = {each["service_name"]: each["outcome"] for each in content["found"]}
    assert told == {"api": "updated", "web": "untouched"}
    check = Job.objects.get(kind="check.service")
    assert (check.subject, check.notify) == ("shop / api", False)


@pytest.fixture
def no_engine(settings: Settings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    settings.DOCKER_HOST = f"unix://{tmp_path}/no-engine.sock"
    monkeypatch.setattr(compose_cli, "find", lambda: compose_cli.Program(("true",), 2))
    monkeypatch.setattr(site, "PATIENCE", 0.0)


@pytest.mark.usefixtures("no_engine")
@pytest.mark.parametrize(
    ("state", "outcome", "left"),
    [("applied", "untouched", "applied"), ("undoing", "failed", "unclear")],
)
def test_channels_hear_of_a_rollback_that_could_not_begin(
    state: str, outcome: str, left: str
) -> None:
    config = json.dumps({"url": "https://example.com/"})
    Channel.objects.create(kind="webhook", name="sink", events=["job_finished"], config=config)
    row = updated(service())
    job_id = going.ask_to_go_back(row.service, "ada").job_id
    Replaced.objects.filter(pk=row.pk).update(state=state)
    run_job(job_id)
    job = Job.objects.get(pk=job_id)
    assert (job.status, "no-engine.sock" in job.summary["error"]) == ("failed", True)
    [told] = Notification.objects.get().content["found"]
    assert told["outcome"] == outcome
    row.refresh_from_db()
    assert row.state == left


def give_up(job_id: str) -> Job:
    """Have one worker after the other die of a job."""
    for _loss in range(queue.MAX_RESUMPTIONS):
        job = queue.claim(job_id)
        assert job is not None
        now = timezone.now()
        Job.objects.filter(pk=job_id).update(lease_until=now - timedelta(seconds=1))
        queue.take_from_dead(job, now)
    return Job.objects.get(pk=job_id)


def test_channels_hear_of_an_update_that_is_given_up() -> None:
    config = json.dumps({"url": "https://example.com/"})
    Channel.objects.create(kind="webhook", name="sink", events=["job_finished"], config=config)
    rows = [service(name=name) for name in ("api", "web")]
    plan = Plan("", "", Project("shop", "/srv", ()), tuple(map(change, rows)))
    request = queue.Request("update", "ui", params={"plan": plan.as_json()}, created_by="ada")
    job_id = queue.enqueue(request).job_id
    row = updated(rows[0], job_id=job_id, state=Replaced.State.CHANGING, ended_at=None)
    job = give_up(job_id)
    assert (job.status, job.summary["error"]) == ("failed", "left_half_done")
    content = Notification.objects.get().content
    assert (content["job"]["id"], content["job"]["status"]) == (job_id, "failed")
    assert "again and again" in content["job"]["error"]
    told = {each["service_name"]: each["outcome"] for each in content["found"]}
    assert told == {"api": "failed", "web": "untouched"}
    assert {each["service"]: each["outcome"] for each in job.summary["services"]} == told
    row.refresh_from_db()
    assert (row.state, row.ended_at is None) == ("unclear", False)


@pytest.fixture
def restore() -> str:
    """The id of a job that restores."""
    row = service()
    backup = Backup.objects.create(
        service=row,
        stack_name=row.stack.name,
        service_name=row.name,
        job_id="job_1",
        image=row.image_ref,
        kind="volume",
        name="data",
        destination="/data",
        how="live",
        made_at=timezone.now(),
        state=Backup.State.GOOD,
    )
    return ask_to_restore(backup, "ada").job_id


@pytest.mark.parametrize(
    ("end", "error"), [("worked on", "no Docker Engine"), ("given up", "again and again")]
)
def test_channels_hear_of_a_restore_that_failed(restore: str, end: str, error: str) -> None:
    config = json.dumps({"url": "https://example.com/"})
    Channel.objects.create(kind="webhook", name="sink", events=["job_finished"], config=config)
    if end == "given up":
        give_up(restore)
    else:
        run_job(restore)
    content = Notification.objects.get().content
    assert (content["job"]["kind"], content["job"]["status"]) == ("backup.restore", "failed")
    assert error in content["job"]["error"]


@pytest.fixture
def breaks(monkeypatch: pytest.MonkeyPatch) -> None:
    """What nobody foresaw."""

    def broken(*_given: object, **_named: object) -> None:
        raise RuntimeError

    monkeypatch.setattr("checks.updating.apply.site_of", broken)
    monkeypatch.setattr("checks.backups.restoring.place_of", broken)


@pytest.mark.usefixtures("breaks")
def test_channels_hear_of_an_update_that_an_error_of_ours_ended() -> None:
    config = json.dumps({"url": "https://example.com/"})
    Channel.objects.create(kind="webhook", name="sink", events=["job_finished"], config=config)
    row = service()
    plan = Plan(row.stack_id, row.stack.host_id, Project("shop", "/srv", ()), (change(row),))
    request = queue.Request("update", "policy", params={"plan": plan.as_json()})
    job_id = queue.enqueue(request).job_id
    half_done = updated(row, job_id=job_id, state=Replaced.State.CHANGING, ended_at=None)
    run_job(job_id)
    content = Notification.objects.get().content
    assert (content["job"]["id"], content["job"]["status"]) == (job_id, "failed")
    assert "An error inside Dockrev" in content["job"]["error"]
    assert [each["outcome"] for each in content["found"]] == ["failed"]
    half_done.refresh_from_db()
    assert half_done.state == "unclear"


@pytest.mark.usefixtures("breaks")
@pytest.mark.parametrize("why", ["an error of ours", "the backup is gone"])
def test_channels_hear_of_a_restore_that_could_not_begin(restore: str, why: str) -> None:
    config = json.dumps({"url": "https://example.com/"})
    Channel.objects.create(kind="webhook", name="sink", events=["job_finished"], config=config)
    if why == "the backup is gone":
        Backup.objects.update(service=None)
    run_job(restore)
    content = Notification.objects.get().content
    assert (content["job"]["kind"], content["job"]["status"]) == ("backup.restore", "failed")


def test_channels_hear_of_a_rollback_whose_way_back_is_gone() -> None:
    config = json.dumps({"url": "https://example.com/"})
    Channel.objects.create(kind="webhook", name="sink", events=["job_finished"], config=config)
    row = updated(service())
    job_id = going.ask_to_go_back(row.service, "ada").job_id
    row.delete()
    run_job(job_id)
    content = Notification.objects.get().content
    assert (content["job"]["kind"], content["job"]["status"]) == ("rollback", "failed")


def test_a_restore_that_was_cancelled_has_words() -> None:
    assert title_of("backup.restore", "cancelled", "shop / api")


def test_channels_hear_of_a_rollback_that_is_given_up() -> None:
    config = json.dumps({"url": "https://example.com/"})
    Channel.objects.create(kind="webhook", name="sink", events=["job_finished"], config=config)
    row = updated(service())
    job_id = going.ask_to_go_back(row.service, "ada").job_id
    Replaced.objects.filter(pk=row.pk).update(state=Replaced.State.UNDOING)
    assert give_up(job_id).status == "failed"
    [told] = Notification.objects.get().content["found"]
    assert told["outcome"] == "failed"
    row.refresh_from_db()
    assert row.state == "unclear"
