"""Processes are killed and stopped at bad moments, and the work still gets done, once."""

from __future__ import annotations

import os
import random
import signal
import time

from checks.queue import MAX_LOSSES
from tests.processes.instance import WHOLE, Instance, parent
from tests.waiting import PATIENCE, until


def kill(pid: int) -> None:
    os.kill(pid, signal.SIGKILL)


def test_it_does_a_job_once_whose_worker_is_killed(instance: Instance) -> None:
    instance.migrate()
    instance.work()
    (job,) = instance.ask_held(1)
    until(lambda: instance.jobs([job]) == [("running", 0)])
    for pid in instance.workers():  # it is one of these
        kill(pid)
    instance.gate.touch()
    until(lambda: instance.did([job]))
    assert instance.rows("SELECT losses FROM checks_job WHERE id = ?", job) == [(1,)]


def test_it_works_on_after_twenty_random_kills(instance: Instance) -> None:
    instance.migrate()
    instance.run()
    chance = random.Random(20)  # noqa: S311 - which process is killed is no secret
    ids = []
    for turn in range(20):
        if turn % 4 == 0:
            ids += instance.ask(3, seconds="0.3")
        until(lambda: len(instance.workers()) == WHOLE, what="a whole cluster")
        kill(chance.choice(instance.workers()))
    last = instance.ask(3)
    until(lambda: instance.did(last))
    until(lambda: not {status for status, _effects in instance.jobs(ids)} & {"queued", "running"})
    # Chance may kill whoever has one job three times: that is given up, and did nothing.
    lost = "SELECT id FROM checks_job WHERE status = 'failed' AND losses = ?"
    given_up = {job for (job,) in instance.rows(lost, MAX_LOSSES)} & set(ids)
    assert instance.did([job for job in ids if job not in given_up])
    assert instance.jobs(list(given_up)) == [("failed", 0)] * len(given_up)


def test_it_shares_work_between_two_workers(instance: Instance) -> None:
    instance.migrate()
    first, second = instance.work(), instance.work()
    assert len(instance.workers()) == 2 * WHOLE
    ids = instance.ask(30, seconds="0.1")
    instance.rows(
        "UPDATE dockrev_schedule SET next_run_at = '2020-01-01 00:00:00' WHERE name = 'test'"
    )
    until(lambda: instance.did(ids))

    fired = "SELECT status FROM checks_job WHERE reason = 'schedule' AND kind = 'test.quick'"
    until(lambda: instance.rows(fired) == [("success",)])
    for process in (first, second):
        process.terminate()
        assert process.wait(PATIENCE) == 0


def test_it_goes_on_when_one_of_two_workers_dies_whole(instance: Instance) -> None:
    instance.migrate()
    first = instance.work()
    ids = instance.ask_held(4)
    until(lambda: ("running", 0) in instance.jobs(ids))
    instance.work()
    first.kill()
    first.wait()
    instance.gate.touch()
    until(lambda: instance.did(ids))


def test_it_notices_workers_that_do_nothing(instance: Instance) -> None:
    instance.migrate()
    instance.work()
    # One that is stopped in a transaction, as at the start, would keep everybody from writing.
    first = instance.ask(1)
    until(lambda: instance.did(first))
    until(lambda: not instance.rows("SELECT id FROM checks_job WHERE finished_at IS NULL"))
    stuck = instance.workers()
    for pid in stuck:
        os.kill(pid, signal.SIGSTOP)
    ids = instance.ask(3)
    until(lambda: instance.did(ids))
    assert not set(stuck) & set(instance.workers())


def test_it_gives_up_when_its_clusters_keep_dying(instance: Instance) -> None:
    instance.migrate()
    process = instance.work()
    while process.poll() is None:
        for pid in instance.workers():
            kill(pid)
        time.sleep(0.2)  # between two kills
    assert process.returncode == 1
    assert "died too often" in instance.complained()
    assert instance.processes() == {}


def test_it_runs_the_long_cluster_only_while_it_is_needed(instance: Instance) -> None:
    instance.migrate()
    instance.work()
    assert not instance.workers("long")
    ids = instance.ask_held(2, kind="test.long")
    until(lambda: instance.workers("long"))
    instance.gate.touch()
    until(lambda: instance.did(ids))
    until(lambda: not instance.workers("long"))
    assert instance.did(instance.ask(1, kind="test.long")) or until(
        lambda: instance.workers("long")
    )


def test_it_does_two_long_jobs_at_a_time(instance: Instance) -> None:
    instance.migrate()
    instance.work()
    ids = instance.ask_held(3, kind="test.long")
    three = [("queued", 0), ("running", 0), ("running", 0)]
    until(lambda: sorted(instance.jobs(ids)) == three)
    instance.gate.touch()
    until(lambda: instance.did(ids))


def test_it_lives_with_an_app_whose_part_is_broken(instance: Instance) -> None:
    instance.migrate()
    instance.start("work", DOCKREV_TEST_FAILING_APP="yes")
    ids = instance.ask(2)
    until(lambda: instance.did(ids))
    assert "this app is broken" in instance.complained()


def test_it_brings_server_and_worker_back(instance: Instance) -> None:
    instance.migrate()
    instance.run()
    for pid, name in instance.processes().items():
        if name == "dockrev server":
            kill(pid)
    until(lambda: not instance.serves())
    until(instance.serves)

    worker = parent(instance.workers()[0])
    kill(worker)
    until(lambda: instance.workers() and worker not in instance.processes())
    ids = instance.ask(1)
    until(lambda: instance.did(ids))
