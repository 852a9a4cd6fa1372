"""Updates on a real engine: what runs afterwards, what the file says, and what the job tells."""

from __future__ import annotations

import shlex
from typing import Any

import pytest

from checks import queue
from checks.models import Candidate, Hold, Job, Replaced, Service
from checks.tasks import run_job
from checks.updating import compose_cli, facts, health, orders
from tests.engine.updating import (
    CRASHES,
    ENDS,
    HEALTHCHECK,
    SCRIPT,
    SERVES,
    SICK,
    Shop,
    api,
    log_of,
    outcomes,
    start,
    steps,
)
from tests.waiting import until

pytestmark = [pytest.mark.engine, pytest.mark.django_db(transaction=True)]


def test_a_rebuilt_image_is_pulled_and_runs(shop: Shop) -> None:
    old = start(shop)
    new = shop.push("1", note="second")
    before = shop.file.read_bytes()
    change = shop.change()
    job = shop.update(change)
    assert (job.status, outcomes(job)) == ("success", {"api": "updated"}), log_of(job)
    assert shop.runs() == {new}
    assert shop.file.read_bytes() == before
    service = shop.service()
    assert service.running_digests == [new]
    assert service.status == Service.Status.UP_TO_DATE
    assert Candidate.objects.get(pk=change.candidate_id).closed_as == Candidate.Closed.APPLIED
    row = Replaced.objects.get()
    assert (row.state, row.planned.digest) == ("applied", old)
    assert shop.engine.client.images.get(row.kept).id == row.image_id
    assert steps(job) == ["note", "pull", "up", "wait", "settle"]
    assert all(each["seconds"] >= 0 for each in job.summary["steps"])
    assert not Hold.objects.exists()


def test_a_newer_version_is_written_into_the_file(shop: Shop) -> None:
    start(shop)
    new = shop.push("2", note="newer")
    before = shop.file.read_text()
    job = shop.update(shop.change(tag="2"))
    assert (job.status, outcomes(job)) == ("success", {"api": "updated"}), log_of(job)
    assert shop.runs() == {new}
    assert shop.file.read_text() == before.replace(shop.image("1"), shop.image("2"))
    assert shop.service().tag == "2"


def test_an_image_that_crashes_is_undone(shop: Shop) -> None:
    old = start(shop)
    shop.push("1", CRASHES, note="second")
    [before] = shop.containers()
    change = shop.change()
    job = shop.update(change)
    assert (job.status, outcomes(job)) == ("rolled_back", {"api": "rolled_back"}), log_of(job)
    assert shop.runs() == {old}
    [container] = shop.containers()
    assert container.image is not None
    assert before.image is not None
    assert container.image.id == before.image.id
    assert "about to fail" in log_of(job)
    assert job.summary["troubles"][0]["log"][0] == "about to fail"
    assert "ended" in job.summary["error"]
    candidate = Candidate.objects.get(pk=change.candidate_id)
    assert (candidate.closed_at, bool(candidate.announced_at)) == (None, True)
    assert shop.service().status == Service.Status.UPDATE_AVAILABLE
    assert Replaced.objects.get().state == "undone"
    assert steps(job)[-4:] == ["bring_back", "up", "wait", "prove"]
    # Compose, too, has nothing to do: what its file says is what runs.
    shop.up()
    assert [each.id for each in shop.containers()] == [container.id]


def test_what_ended_well_is_not_started_where_it_is_put_back(shop: Shop) -> None:
    """As many that somebody stops do, with no restart policy: nobody can tell them from a task."""
    shop.push("1", "while [ ! -e /end ]; do /bin/busybox sleep 0.1; done", note="first")
    shop.write(api=f"image: '{shop.image('1')}', command: {SCRIPT}")
    shop.up()
    [before] = shop.containers()
    before.exec_run(["/bin/busybox", "sh", "-c", "echo > /end"])
    assert before.wait()["StatusCode"] == 0
    shop.discover()
    shop.push("1", CRASHES, note="second")
    job = shop.update(shop.change())
    assert (job.status, outcomes(job)) == ("rolled_back", {"api": "rolled_back"}), log_of(job)
    assert [each.status for each in shop.containers()] == ["created"]


def test_what_was_stopped_is_stopped_after_it_was_put_back(shop: Shop) -> None:
    start(shop)
    [before] = shop.containers()
    before.stop(timeout=0)
    shop.discover()
    shop.push("1", CRASHES, note="second")
    job = shop.update(shop.change())
    assert (job.status, outcomes(job)) == ("rolled_back", {"api": "rolled_back"}), log_of(job)
    [container] = shop.containers()
    assert container.image is not None
    assert before.image is not None
    assert (container.status, container.image.id) == ("created", before.image.id)
    assert shop.service().state == Service.State.STOPPED
    assert container.attrs["State"]["StartedAt"].startswith("0001-")
    shop.up()
    assert [each.id for each in shop.containers()] == [container.id]


def test_a_newer_version_that_crashes_is_taken_out_of_the_file(shop_2: Shop) -> None:
    old = start(shop_2)
    shop_2.push("2", CRASHES)
    before = shop_2.file.read_bytes()
    job = shop_2.update(shop_2.change(tag="2"))
    assert job.status == "rolled_back", log_of(job)
    assert shop_2.runs() == {old}
    assert shop_2.file.read_bytes() == before


def test_an_unhealthy_image_is_undone(shop: Shop) -> None:
    old = start(shop, HEALTHCHECK)
    shop.push("1", SICK, note="second")
    job = shop.update(shop.change())
    assert (job.status, outcomes(job)) == ("rolled_back", {"api": "rolled_back"}), log_of(job)
    assert shop.runs() == {old}
    assert "unhealthy" in job.summary["error"]
    assert job.summary["troubles"][0]["health"]


def test_a_healthy_image_is_waited_for(shop_2: Shop) -> None:
    start(shop_2, HEALTHCHECK)
    new = shop_2.push("1", note="second")
    job = shop_2.update(shop_2.change())
    assert job.status == "success", log_of(job)
    assert shop_2.runs() == {new}
    [container] = shop_2.containers()
    assert container.attrs["State"]["Health"]["Status"] == "healthy"


def test_an_image_that_never_becomes_healthy_is_undone(
    shop_2: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = start(shop_2, HEALTHCHECK.replace("retries: 2", "retries: 100"))
    monkeypatch.setattr(health, "LONGEST", 1.0)
    Service.objects.update(policy={"healthMargin": 2})
    shop_2.push("1", SICK, note="second")
    job = shop_2.update(shop_2.change())
    assert (job.status, shop_2.runs()) == ("rolled_back", {old}), log_of(job)
    assert "did not become healthy within 3 s" in job.summary["error"]


def test_what_is_not_made_anew_may_have_restarted_before(shop_2: Shop) -> None:
    shop_2.push("1", f"if [ -e /again ]; then {SERVES}\nfi; echo > /again; exit 1")
    shop_2.write(api=api(shop_2))
    shop_2.up()
    until(lambda: restarts(shop_2) == 1, what="it has restarted once")
    shop_2.discover()
    job = shop_2.update(shop_2.change())
    assert (job.status, outcomes(job)) == ("success", {"api": "updated"}), log_of(job)
    assert restarts(shop_2) == 1


def restarts(shop: Shop) -> int:
    [container] = shop.containers()
    counted: int = container.attrs["RestartCount"]
    return counted


def test_a_task_that_ends_well_is_done(shop_2: Shop) -> None:
    shop_2.push("1", ENDS, note="first")
    shop_2.write(api=api(shop_2, more='restart: "no"'))
    shop_2.up()
    shop_2.discover()
    shop_2.push("1", ENDS, note="second")
    job = shop_2.update(shop_2.change())
    assert (job.status, outcomes(job)) == ("success", {"api": "updated"}), log_of(job)


def test_what_served_and_ends_at_once_is_undone(shop_2: Shop) -> None:
    old = start(shop_2, 'restart: "no"')
    shop_2.push("1", ENDS, note="second")
    job = shop_2.update(shop_2.change())
    assert (job.status, outcomes(job)) == ("rolled_back", {"api": "rolled_back"}), log_of(job)
    assert shop_2.runs() == {old}


def test_a_plan_of_ours_is_done_as_it_stands(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    """From the candidate by the plan to what runs, with names that a shell would trip over."""
    folder = shop.folder / "a $HOME & 'b' ünïcode\n$(touch x) `y`"
    folder.mkdir()
    shop.folder = folder
    start(shop, 'restart: always, labels: {"a.b\\nc ü": "$$(x) \\n\\"ü\\" `y`"}')
    new = shop.push("2")
    digest = shop.registry.digest("acme/api", "2")
    shop.candidate(digest=digest, tag="2", step="minor")
    called: list[str] = []
    begin = compose_cli._start

    def noted(command: list[str], *given: Any) -> Any:
        called.append(shlex.join(command))
        return begin(command, *given)

    monkeypatch.setattr(compose_cli, "_start", noted)
    order = orders.Order(service=shop.service())
    [plan] = orders.plan(order).plans.values()
    job = done(orders.update(order, "ada", reason="ui"))
    assert (job.status, outcomes(job)) == ("success", {"api": "updated"}), log_of(job)
    assert shop.runs() == {new}
    assert shop.image("2") in shop.file.read_text()
    assert called == facts.commands(plan)
    [container] = shop.containers()
    assert container.labels["a.b\nc ü"] == '$(x) \n"ü" `y`'


def test_what_needs_a_service_of_a_profile_is_updated(shop: Shop) -> None:
    """Compose takes no service that needs one whose profile nobody named."""
    shop.push("1", note="first")
    shop.push("1", note="first", name="acme/db")
    db = f"image: '{shop.image('1', 'acme/db')}', command: {SCRIPT}, profiles: [data, 'x y']"
    shop.write(api=api(shop, more="depends_on: [db], profiles: [web]"), db=db)
    text = shop.file.read_text()
    shop.file.write_text(text + f"  idle: {{image: '{shop.image('9')}', profiles: [idle]}}\n")
    named = ["-p", shop.name, "-f", str(shop.file), "--profile", "web", "--profile", "data"]
    shop.compose(*named, "up", "-d", folder=shop.folder)
    shop.discover()
    new = shop.push("2", note="second")
    shop.candidate(digest=shop.registry.digest("acme/api", "2"), tag="2", step="minor")
    order = orders.Order(service=shop.service())
    [plan] = orders.plan(order).plans.values()
    assert plan.project.profiles == ("data", "web", "x y")
    job = done(orders.update(order, "ada", reason="ui"))
    assert (job.status, shop.runs()) == ("success", {new}), log_of(job)
    assert not shop.containers("idle")


def done(queued: list[queue.Queued]) -> Job:
    [one] = queued
    run_job(one.job_id)
    return Job.objects.get(pk=one.job_id)
