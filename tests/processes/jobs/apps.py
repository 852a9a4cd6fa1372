"""Kinds of job that take a while and leave one mark for each time they took effect."""

from __future__ import annotations

import os
import time
from datetime import datetime
from pathlib import Path

from django.apps import AppConfig
from django.utils import timezone

from dockrev import ticks


class JobsConfig(AppConfig):
    name = "tests.processes.jobs"
    label = "process_tests"

    def ready(self) -> None:
        from checks import kinds, queue  # noqa: PLC0415 - models load after apps
        from checks.models import Job, JobLog  # noqa: PLC0415 - the same
        from checks.run import Run  # noqa: PLC0415 - the same
        from dockrev import schedules  # noqa: PLC0415 - the same

        def nap(run: Run) -> kinds.Outcome:
            time.sleep(float(run.job.params["seconds"]))
            while (gate := run.job.params["gate"]) and not Path(gate).exists():
                time.sleep(0.02)
            return kinds.Outcome({"slept": True}, write=mark)

        def mark(job: Job) -> None:
            JobLog.objects.create(job=job, at=timezone.now(), message="effect")

        def fire() -> None:
            params = {"seconds": "0", "gate": "", "number": str(time.time_ns())}
            queue.enqueue(queue.Request("test.quick", Job.Reason.SCHEDULE, params=params))

        kinds.register(kinds.JobKind("test.quick", "quick", repeatable=True, run=nap))
        kinds.register(kinds.JobKind("test.long", "long", repeatable=True, run=nap))
        schedules.register("test", "0 0 1 1 *", fire)
        if os.environ.get("DOCKREV_TEST_FAILING_APP"):
            ticks.register(Failing())


class Failing:
    """An app whose part of the worker is broken."""

    def dispatch_due(self, now: datetime) -> object:
        raise RuntimeError("this app is broken")

    def recover(self, now: datetime) -> object:
        raise RuntimeError("this app is broken")

    def redispatch(self, cluster: str) -> object:
        return None

    def busy(self, cluster: str, now: datetime) -> int:
        return 0

    def is_late(self, cluster: str, since: datetime) -> bool:
        return False
