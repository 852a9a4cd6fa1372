"""Ending: nothing of it stays, and no work is lost."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest

from tests.processes.instance import ROOT, Instance
from tests.waiting import PATIENCE, until

Process = subprocess.Popen[bytes]


def to_one(process: Process, number: signal.Signals) -> None:
    os.kill(process.pid, number)


def to_group(process: Process, number: signal.Signals) -> None:
    os.killpg(process.pid, number)


def is_running(instance: Instance, job: str) -> bool:
    return instance.rows("SELECT status FROM checks_job WHERE id = ?", job) == [("running",)]


@pytest.mark.parametrize("reach", [to_one, to_group])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_ends_all_of_it_after_the_work_in_hand(
    instance: Instance, number: signal.Signals, reach: object
) -> None:
    instance.migrate()
    process = instance.run()
    ids = instance.ask_held(2)
    until(lambda: all(is_running(instance, job) for job in ids))

    assert callable(reach)
    reach(process, number)
    until(lambda: "worker stopping" in instance.complained())
    instance.gate.touch()

    assert process.wait(PATIENCE) == 0
    assert instance.processes() == {}
    assert instance.did(ids)
    assert "Traceback" not in instance.complained()


@pytest.mark.parametrize("reach", [to_one, to_group])
def test_it_ends_a_worker_alone(instance: Instance, reach: object) -> None:
    instance.migrate()
    process = instance.work()
    assert callable(reach)
    reach(process, signal.SIGTERM)
    assert process.wait(PATIENCE) == 0
    assert instance.processes() == {}


def test_it_cuts_long_work_off_and_does_it_after_the_next_start(instance: Instance) -> None:
    instance.migrate()
    process = instance.run()
    (job,) = instance.ask_held(1)
    until(lambda: is_running(instance, job))
    process.terminate()
    assert process.wait(PATIENCE) == 0
    assert instance.processes() == {}
    assert is_running(instance, job)

    instance.gate.touch()
    instance.run()
    until(lambda: instance.did([job]))


@pytest.mark.parametrize("command", ["run", "work"])
def test_it_leaves_nothing_behind_when_it_is_killed(instance: Instance, command: str) -> None:
    instance.migrate()
    process = instance.run() if command == "run" else instance.work()
    (job,) = instance.ask_held(1, kind="test.long")
    until(lambda: is_running(instance, job))
    process.kill()
    process.wait()
    until(lambda: not instance.processes())


def test_it_ends_with_the_make_that_started_it(instance: Instance) -> None:
    shell = subprocess.Popen(
        ["sh", "-c", f"{sys.executable} manage.py run --end-with-parent; true"],
        cwd=ROOT,
        env=instance.environment,
        start_new_session=True,
    )
    until(instance.serves)
    shell.kill()
    shell.wait()
    until(lambda: not instance.processes())


def test_it_can_be_interrupted_while_it_starts(instance: Instance) -> None:
    process = instance.start("run")
    until((instance.data / "encryption.key").exists)
    os.killpg(process.pid, signal.SIGINT)
    assert process.wait(PATIENCE) in (0, 1, 130, -signal.SIGINT)
    assert instance.processes() == {}
    assert "Traceback" not in instance.complained()
