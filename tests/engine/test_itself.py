"""Dockrev's own update, with a service that stands for Dockrev: what its helper does from outside,
and what its job makes of that. With a real Dockrev it is in `tests/image`."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from django.utils import timezone

from checks import queue
from checks.models import Hold, Job, Replaced
from checks.tasks import run_job
from checks.updating import containers
from checks.updating.demands import Demands
from checks.updating.itself import following, helper, outside, papers
from checks.updating.itself.database import Database
from checks.updating.job import NoWayBack, way_back
from checks.updating.plan import Change
from tests.engine.updating import HEALTHCHECK, SICK, Shop, log_of, outcomes, start, steps

pytestmark = [pytest.mark.engine, pytest.mark.django_db(transaction=True)]

Helper = Callable[[str], None]  # what it does, by the job's id


@pytest.fixture
def own(shop_2: Shop, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Shop]:
    """The container of `api` is the one that we run in."""
    start(shop_2, HEALTHCHECK)
    mounts = tmp_path / "mountinfo"
    mounts.write_text(f"1 2 8:1 /docker/containers/{shop_2.containers()[0].id}/hosts /etc/hosts\n")
    monkeypatch.setattr(containers, "MOUNTS", mounts)
    monkeypatch.setattr(following, "PAUSE", 0.01)
    yield shop_2
    assert not papers.folder().exists() or os.listdir(papers.folder()) == []  # noqa: PTH208


@pytest.fixture
def helped(monkeypatch: pytest.MonkeyPatch) -> Callable[[Helper], None]:
    """Somebody does the work of the helper's container."""

    def by(does: Helper) -> None:
        monkeypatch.setattr(helper, "start", lambda engine, own, job_id: does(job_id))

    return by


def well(job_id: str) -> None:
    outside.update(job_id)


def lost(job_id: str) -> None:
    """The worker ends with its container, and a new one finds the job."""
    outside.update(job_id)
    Job.objects.filter(pk=job_id).update(lease_until=timezone.now() - timedelta(minutes=1))
    queue.take_from_dead(Job.objects.get(pk=job_id), timezone.now())


def itself(shop: Shop, tag: str) -> Change:
    return shop.change(tag=tag, itself=True)


def test_it_is_made_anew_from_outside(own: Shop, helped: Callable[[Helper], None]) -> None:
    helped(well)
    new = own.push("2", note="newer")
    job = own.update(itself(own, "2"))
    assert (job.status, outcomes(job)) == ("success", {"api": "updated"}), log_of(job)
    assert own.runs() == {new}
    assert own.image("2") in own.file.read_text()
    assert steps(job) == ["note", "edit", "pull", "save", "up", "wait", "settle"]
    assert {each["outcome"] for each in job.summary["steps"]} == {"done"}
    assert not Hold.objects.exists()
    with pytest.raises(NoWayBack, match="by hand only"):
        way_back(own.service())


def test_its_policy_says_how_long_it_is_waited_for(
    own: Shop, helped: Callable[[Helper], None]
) -> None:
    wanted: list[Demands] = []

    def reads(job_id: str) -> None:
        wanted.append(papers.Task.read(job_id).demands)
        outside.update(job_id)

    helped(reads)
    service = own.service()
    service.policy = {"settleTime": 1, "healthMargin": 33, "probeTcp": 9}
    service.save(update_fields=["policy"])
    own.push("2", note="newer")
    job = own.update(itself(own, "2"))
    assert job.status == "success", log_of(job)
    assert wanted == [Demands(settle=1, margin=33)]


def test_the_next_worker_finds_out_how_it_ended(
    own: Shop, helped: Callable[[Helper], None]
) -> None:
    helped(lost)
    new = own.push("2", note="newer")
    job_id = own.ask(itself(own, "2"))
    run_job(job_id)
    job = Job.objects.get(pk=job_id)
    assert (job.status, job.losses) == ("queued", 1)
    assert Hold.objects.filter(job=job).exists()
    # Too late: what is done from outside goes to its end.
    queue.cancel(job_id)
    run_job(job_id)
    job.refresh_from_db()
    assert (job.status, outcomes(job)) == ("success", {"api": "updated"}), log_of(job)
    assert own.runs() == {new}
    assert steps(job) == ["note", "edit", "pull", "save", "up", "wait", "settle"]


def test_it_lets_go_when_it_is_stopped(
    own: Shop, helped: Callable[[Helper], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A worker that is to end is not held up."""
    monkeypatch.setattr(following, "AWAY", timedelta(0))
    helped(lambda job_id: papers.Journal(job_id).step("save").__enter__())
    new = own.push("2", note="newer")
    job_id = own.ask(itself(own, "2"))
    run_job(job_id)
    job = Job.objects.get(pk=job_id)
    assert (job.status, job.losses, job.lease_until) == ("queued", 1, None)
    assert Hold.objects.filter(job=job).exists()
    outside.update(job_id)
    run_job(job_id)
    job.refresh_from_db()
    assert (job.status, outcomes(job)) == ("success", {"api": "updated"}), log_of(job)
    assert own.runs() == {new}


def test_it_comes_back_where_the_new_one_does_not_run_well(
    own: Shop, helped: Callable[[Helper], None]
) -> None:
    helped(lost)
    own.push("2", SICK, note="newer")
    old, before = own.runs(), own.file.read_bytes()
    job_id = own.ask(itself(own, "2"))
    run_job(job_id)
    run_job(job_id)
    job = Job.objects.get(pk=job_id)
    assert (job.status, outcomes(job)) == ("rolled_back", {"api": "rolled_back"}), log_of(job)
    assert own.runs() == old
    assert own.file.read_bytes() == before
    assert job.summary["troubles"][0]["container"] == "shop-api-1"
    assert steps(job)[-3:] == ["undo", "bring_back", "prove"]
    assert Replaced.objects.get().state == "undone"


def test_it_does_not_come_back_to_tables_that_the_old_one_refuses(
    own: Shop, helped: Callable[[Helper], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on a PostgreSQL server, of which there is no copy."""
    monkeypatch.setattr(Database, "is_a_file", False)
    monkeypatch.setattr(Database, "is_changed", lambda self: True)
    helped(well)
    new = own.push("2", SICK, note="newer")
    job = own.update(itself(own, "2"))
    assert (job.status, outcomes(job)) == ("failed", {"api": "failed"}), log_of(job)
    assert "restore the dump" in job.summary["error"]
    # What the file says is what runs.
    assert own.runs() == {new}
    assert own.image("2") in own.file.read_text()
    assert Replaced.objects.get().state == "unclear"


def test_a_helper_that_vanishes_before_it_begins_leaves_all_as_it_was(
    own: Shop, helped: Callable[[Helper], None]
) -> None:
    helped(lambda job_id: None)
    own.push("2", note="newer")
    before, [container] = own.file.read_bytes(), own.containers()
    job = own.update(itself(own, "2"))
    assert (job.status, outcomes(job)) == ("failed", {"api": "untouched"}), log_of(job)
    assert "ended before it was done" in job.summary["error"]
    assert own.file.read_bytes() == before
    assert [each.id for each in own.containers()] == [container.id]


def test_a_helper_that_vanishes_at_its_end_did_its_work(
    own: Shop, helped: Callable[[Helper], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(papers.Journal, "end", lambda self, outcome, error="": None)
    monkeypatch.setattr(following, "AWAY", timedelta(0))
    helped(well)
    new = own.push("2", note="newer")
    job_id = own.ask(itself(own, "2"))
    run_job(job_id)
    run_job(job_id)
    job = Job.objects.get(pk=job_id)
    assert (job.status, outcomes(job)) == ("success", {"api": "updated"}), log_of(job)
    assert own.runs() == {new}
    assert "ended before it was done" in log_of(job)


def test_a_helper_that_cannot_start_leaves_all_as_it_was(own: Shop) -> None:
    """The image of this service has no Dockrev in it. What another image calls itself is nothing
    to us."""
    own.push("2", note="newer")
    before, [container] = own.file.read_bytes(), own.containers()
    assert container.image is not None
    stranger = own.engine.client.containers.create(
        str(container.image.id), labels={helper.LABEL: "job_other"}
    )
    job = own.update(itself(own, "2"))
    assert (job.status, outcomes(job)) == ("failed", {"api": "untouched"}), log_of(job)
    assert "self-update" in job.summary["error"]
    assert own.file.read_bytes() == before
    left = {each.id for each in own.engine.client.containers.list(all=True)}
    assert left == {container.id, stranger.id}


def test_there_is_one_helper_at_a_time(own: Shop) -> None:
    [container] = own.containers()
    assert container.image is not None
    other = own.engine.client.containers.run(
        str(container.image.id),
        ["/bin/busybox", "sleep", "60"],
        name=helper.name_of("job_other"),
        labels={helper.LABEL: "job_other"},
        network_mode="none",
        detach=True,
    )
    own.push("2", note="newer")
    before = own.file.read_bytes()
    job = own.update(itself(own, "2"))
    assert outcomes(job) == {"api": "untouched"}
    assert f"in the container {other.name}" in job.summary["error"]
    assert own.file.read_bytes() == before
    other.reload()
    assert other.status == "running"


def test_another_container_than_ours_is_not_touched(own: Shop, tmp_path: Path) -> None:
    own.push("2", note="newer")
    change = itself(own, "2")
    tmp_path.joinpath("mountinfo").write_text("")
    job = own.update(change)
    assert outcomes(job) == {"api": "untouched"}
    assert "not the container that Dockrev runs in" in job.summary["error"]
