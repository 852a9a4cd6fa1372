"""What other apps may hear of work. Sent inside the transaction that finishes a job."""

from __future__ import annotations

from django.dispatch import Signal

job_finished = Signal()  # job: Job
