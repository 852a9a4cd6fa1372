"""Updates and rollbacks whose worker is killed at a step: another one ends them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from django.utils import timezone

from checks import queue
from checks.models import Hold, Job
from checks.tasks import run_job
from checks.updating import job as going
from checks.updating.steps import Steps
from dockrev.leases import LEASE
from tests.engine.updating import (
    CRASHES,
    Shop,
    log_of,
    outcomes,
    start,
)

pytestmark = [pytest.mark.engine, pytest.mark.django_db(transaction=True)]


KILLED_AT = [
    ("before", "note"),
    ("before", "edit"),
    ("after", "edit"),
    ("after", "pull"),
    ("after", "up"),
    ("before", "settle"),
    ("after", "settle"),
]


class Killed(BaseException):
    """As a worker that is gone: nothing after it is done."""


@pytest.fixture
def kill(monkeypatch: pytest.MonkeyPatch) -> Callable[[str, str], None]:
    """Have the worker die at a step, once."""
    whole = Steps.step

    def arrange(when: str, name: str) -> None:
        left = [1]

        @contextmanager
        def step(self: Steps, of: str, service: str) -> Iterator[None]:
            if left and (when, name) == ("before", of):
                raise Killed(left.pop())
            with whole(self, of, service):
                yield
            if left and (when, name) == ("after", of):
                raise Killed(left.pop())

        monkeypatch.setattr(Steps, "step", step)

    return arrange


def run_until_killed(job_id: str) -> None:
    """And let its lease run out."""
    with pytest.raises(Killed):
        run_job(job_id)
    job = Job.objects.get(pk=job_id)
    assert job.status == "running"
    later = timezone.now() + LEASE * 2
    queue.take_from_dead(job, later)
    Job.objects.filter(pk=job_id).update(not_before=timezone.now())


@pytest.mark.parametrize(("when", "step"), KILLED_AT)
def test_another_worker_goes_on_where_one_was_killed(
    shop_2: Shop, kill: Callable[[str, str], None], when: str, step: str
) -> None:
    start(shop_2)
    new = shop_2.push("2")
    before = shop_2.file.read_text()
    job_id = shop_2.ask(shop_2.change(tag="2"))
    kill(when, step)
    run_until_killed(job_id)
    assert Hold.objects.filter(job=job_id).exists()
    run_job(job_id)
    job = Job.objects.get(pk=job_id)
    assert (job.status, outcomes(job)) == ("success", {"api": "updated"}), log_of(job)
    assert shop_2.runs() == {new}
    assert shop_2.file.read_text() == before.replace(shop_2.image("1"), shop_2.image("2"))
    assert not Hold.objects.exists()


@pytest.mark.parametrize(
    ("when", "step"),
    [("after", "undo"), ("after", "bring_back"), ("after", "up"), ("after", "prove")],
)
def test_another_worker_ends_a_rollback_that_was_cut_off(
    shop_2: Shop, kill: Callable[[str, str], None], when: str, step: str
) -> None:
    old = start(shop_2)
    shop_2.push("2")
    before = shop_2.file.read_bytes()
    job = shop_2.update(shop_2.change(tag="2"))
    assert job.status == "success", log_of(job)
    job_id = going.ask_to_go_back(shop_2.service(), "ada").job_id
    kill("after", step)
    run_until_killed(job_id)
    run_job(job_id)
    back = Job.objects.get(pk=job_id)
    assert (back.status, outcomes(back)) == ("success", {"api": "rolled_back"}), log_of(back)
    assert (shop_2.runs(), shop_2.file.read_bytes()) == ({old}, before)


@pytest.mark.parametrize("step", ["undo", "bring_back"])
def test_another_worker_ends_the_rollback_of_what_failed(
    shop_2: Shop, kill: Callable[[str, str], None], step: str
) -> None:
    old = start(shop_2)
    shop_2.push("2", CRASHES)
    before = shop_2.file.read_bytes()
    job_id = shop_2.ask(shop_2.change(tag="2"))
    kill("after", step)
    run_until_killed(job_id)
    run_job(job_id)
    job = Job.objects.get(pk=job_id)
    assert (job.status, outcomes(job)) == ("rolled_back", {"api": "rolled_back"}), log_of(job)
    assert (shop_2.runs(), shop_2.file.read_bytes()) == ({old}, before)


def test_who_was_killed_twice_goes_back(shop_2: Shop, kill: Callable[[str, str], None]) -> None:
    old = start(shop_2)
    shop_2.push("1", note="second")
    job_id = shop_2.ask(shop_2.change())
    for _time in range(2):
        kill("after", "up")
        run_until_killed(job_id)
    run_job(job_id)
    job = Job.objects.get(pk=job_id)
    assert (job.status, outcomes(job)) == ("rolled_back", {"api": "rolled_back"}), log_of(job)
    assert shop_2.runs() == {old}


def test_a_cancelled_job_that_was_cut_off_goes_back(
    shop_2: Shop, kill: Callable[[str, str], None]
) -> None:
    old = start(shop_2)
    shop_2.push("1", note="second")
    job_id = shop_2.ask(shop_2.change())
    kill("after", "up")
    run_until_killed(job_id)
    assert queue.cancel(job_id)
    run_job(job_id)
    job = Job.objects.get(pk=job_id)
    assert (job.status, outcomes(job)) == ("cancelled", {"api": "rolled_back"}), log_of(job)
    assert shop_2.runs() == {old}


def cut_compose_off(shop: Shop, *, made: bool) -> None:
    """As Compose leaves it that was killed: the new container made, or made no more, the old one
    stopped."""
    [old] = shop.containers()
    old.stop(timeout=0)
    if made:
        shop.engine.client.containers.create(
            shop.image("1"), name=f"{old.short_id}_{old.name}", labels=old.labels
        )


@pytest.mark.parametrize("made", [True, False])
def test_what_a_killed_compose_left_is_in_nobody_s_way(
    shop_2: Shop, kill: Callable[[str, str], None], made: bool
) -> None:
    start(shop_2)
    new = shop_2.push("1", note="second")
    job_id = shop_2.ask(shop_2.change())
    kill("after", "pull")
    run_until_killed(job_id)
    cut_compose_off(shop_2, made=made)
    run_job(job_id)
    job = Job.objects.get(pk=job_id)
    assert (job.status, outcomes(job)) == ("success", {"api": "updated"}), log_of(job)
    assert (shop_2.runs(), len(shop_2.containers())) == ({new}, 1)
    assert ("left half made" in log_of(job)) == made


@pytest.mark.parametrize("made", [True, False])
def test_what_a_killed_compose_stopped_serves_again_after_it_was_put_back(
    shop_2: Shop, kill: Callable[[str, str], None], made: bool
) -> None:
    old = start(shop_2)
    shop_2.push("1", note="second")
    job_id = shop_2.ask(shop_2.change())
    kill("after", "pull")
    run_until_killed(job_id)
    cut_compose_off(shop_2, made=made)
    assert queue.cancel(job_id)
    run_job(job_id)
    job = Job.objects.get(pk=job_id)
    assert (job.status, outcomes(job)) == ("cancelled", {"api": "rolled_back"}), log_of(job)
    assert (shop_2.runs(), len(shop_2.containers())) == ({old}, 1)
