"""What a worker calls. The message is a hint: the job row says whether there is work."""

from __future__ import annotations

import logging

from django.utils.translation import gettext as _
from django_q.exceptions import TimeoutException

from checks import queue
from checks.kinds import KINDS, Outcome
from checks.models import Job, JobLog
from checks.run import Cancelled, Run, kept_alive
from dockrev import languages
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
    with bound(job=job.pk), kept_alive(job), languages.spoken():
        try:
            outcome = attempt(run)
        except TimeoutException:
            # One that resumes is left to its lease: it is not over.
            if not KINDS[job.kind].resumes:
                queue.finish(job, _failed(run, _("It took too long and was stopped.")))
            raise
        finish(run, outcome)


def attempt(run: Run) -> Outcome:
    """Do a job once; what it found before it failed or was cancelled stays in its summary."""
    try:
        return KINDS[run.job.kind].run(run)
    except Cancelled:
        return cancelled(run)
    except JobFailed as error:
        return _failed(run, str(error))
    except Exception:
        logger.exception("job failed")
        return _failed(run, _("An error inside Dockrev ended this job; the log has it."))


def finish(run: Run, outcome: Outcome) -> None:
    """Write what came of a job."""
    if queue.finish(run.job, outcome):
        logger.info("job finished", extra={"kind": run.job.kind, "outcome": run.job.status})


def cancelled(run: Run) -> Outcome:
    return Outcome({**run.summary, "error": "cancelled"}, status=Job.Status.CANCELLED)


def _failed(run: Run, message: str) -> Outcome:
    """Whatever ended it, what it left half done is written down, and people hear of it."""
    run.log(message, level=JobLog.Level.ERROR)
    summary = {**run.summary, "error": message}
    return Outcome(summary, status=Job.Status.FAILED, write=KINDS[run.job.kind].given_up)
