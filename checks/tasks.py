"""What a worker calls. The message is a hint: the job row says whether there is work."""

from __future__ import annotations

import logging

from django.utils.translation import gettext as _
from django_q.exceptions import TimeoutException

from checks import queue
from checks.kinds import KINDS, Outcome
from checks.models import Job, JobLog
from checks.run import Cancelled, Run, kept_alive
from dockrev.logs import bound

logger = logging.getLogger(__name__)


class JobFailed(Exception):
    """The job could not do its work; the text is for people and holds no secret."""


def run_job(job_id: str) -> None:
    """Claim a job, do it, and write what came of it. Any error ends as a failed job."""
    job = queue.claim(job_id)
    if job is None:
        return
    run = Run(job)
    with bound(job=job.pk), kept_alive(job):
        try:
            outcome = KINDS[job.kind].run(run)
        except Cancelled:
            outcome = Outcome({"error": "cancelled"}, status=Job.Status.CANCELLED)
        except JobFailed as error:
            outcome = _failed(run, str(error))
        except TimeoutException:
            queue.finish(job, _failed(run, _("It took too long and was stopped.")))
            raise
        except Exception:
            logger.exception("job failed")
            outcome = _failed(run, _("An error inside Dockrev ended this job; the log has it."))
        queue.finish(job, outcome)
        logger.info("job finished", extra={"kind": job.kind, "outcome": outcome.status})


def _failed(run: Run, message: str) -> Outcome:
    run.log(message, level=JobLog.Level.ERROR)
    return Outcome({"error": message}, status=Job.Status.FAILED)
