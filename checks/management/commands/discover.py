"""`dockrev discover`: look at every host now, without a worker, and say what is there."""

from __future__ import annotations

import sys
import time
from typing import Any

from django.core.management.base import BaseCommand
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from checks import queue
from checks.models import Job, JobLog, Service
from checks.tasks import run_job

PATIENCE = 90.0  # seconds: longer than the job may take
POLL = 0.2
COLUMNS = ("host", "stack", "service", "state", "image")


class Command(BaseCommand):
    help = str(
        gettext_lazy(
            "Find stacks and their services on every host and write them down. Exits with 2 "
            "where there was nothing to look at."
        )
    )

    def handle(self, *args: Any, **options: Any) -> None:
        job = self._run()
        warnings = list(JobLog.objects.filter(job=job, level=JobLog.Level.WARN))
        for line in warnings:
            self.stderr.write(line.message)
        rows = [COLUMNS, *_services()]
        widths = [max(len(row[column]) for row in rows) for column in range(len(COLUMNS))]
        for row in rows if len(rows) > 1 else ():
            cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
            self.stdout.write("  ".join(cells).rstrip())
        if job.status != Job.Status.SUCCESS:
            nothing = _("There was nothing to look at.")
            self.stderr.write(nothing if warnings else job.summary.get("error") or nothing)
            sys.exit(2)

    def _run(self) -> Job:
        """Run the job here, or wait for the worker that took it first."""
        queued = queue.enqueue(queue.Request(kind="discovery", reason=Job.Reason.UI))
        deadline = time.monotonic() + PATIENCE
        run_job(queued.job_id)
        while (job := Job.objects.get(pk=queued.job_id)).is_active and time.monotonic() < deadline:
            time.sleep(POLL)
            run_job(queued.job_id)
        return job


def _services() -> list[tuple[str, ...]]:
    services = Service.objects.present().select_related("stack__host")
    return [
        (row.stack.host.name, row.stack.name, row.name, row.get_state_display(), row.image_ref)
        for row in services.order_by("stack__host__name", "stack__name", "name")
    ]
