"""Pauses: an update that did not end well is not tried again and again by itself."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from django.utils import timezone
from django.utils.translation import gettext as _

from checks import titles
from checks.models import Candidate, Job, Pause, Replaced, Service
from checks.updating.plan import Change, Plan
from checks.updating.telling import ROLLED_BACK, UPDATED


def after(job: Job, **_signal: Any) -> None:
    """A job has ended: pause the services that it did not bring forward, let go of those it did.

    It is the same whoever asked: what failed for a person would fail by itself.
    """
    if job.kind == "rollback":
        _after_rollback(job)
    elif job.kind == "update" and "plan" in job.params:
        _after_update(job)


def refuse(service: Service, candidate: Candidate, why: str) -> None:
    """No update can be planned; it would be so again a minute later."""
    _pause(service.pk, candidate.tag, candidate.digest, why=why)


def resume(service: Service) -> bool:
    """A person says so. False: there was no pause."""
    return bool(Pause.objects.filter(service=service).delete()[0])


def _after_update(job: Job) -> None:
    if job.status == Job.Status.CANCELLED and not job.started_at and not _is_ours(job):
        return  # a person changed their mind before anything began
    told = {each["serviceId"]: each for each in job.summary.get("services", ())}
    done = [pk for pk, each in told.items() if each["outcome"] == UPDATED]
    Pause.objects.filter(service__in=done).delete()
    late = {pk for pk, each in told.items() if each.get("late")}  # they wait for another time
    for change in _changes(job):
        if change.service_id not in done and change.service_id not in late:
            why = _why(job, told.get(change.service_id, {}))
            tag = _tag(change)
            _pause(change.service_id, tag, change.target_digest, why=why, job_id=job.pk)


def _after_rollback(job: Job) -> None:
    row = Replaced.objects.filter(pk=job.params["replaced"]).first()
    if row is None or job.status == Job.Status.CANCELLED:
        return
    told = {each["serviceId"]: each for each in job.summary.get("services", ())}
    if told.get(row.service_id, {}).get("outcome") == ROLLED_BACK:
        why = _("It was rolled back from there.")
    else:
        why = _why(job, told.get(row.service_id, {}))
    change = row.planned
    _pause(row.service_id, _tag(change), change.target_digest, why=why, job_id=job.pk)


def _changes(job: Job) -> Iterator[Change]:
    yield from Plan.from_json(job.params["plan"]).changes


def _why(job: Job, told: Mapping[str, Any]) -> str:
    if error := told.get("error"):
        return str(error)  # of a job that was cancelled, too: it may have been rolled back before
    if job.status == Job.Status.CANCELLED:
        return _("Somebody cancelled its update.")
    return str(titles.error_of(job.summary))


def _is_ours(job: Job) -> bool:
    return job.reason == Job.Reason.POLICY


def _tag(change: Change) -> str:
    found = Candidate.objects.filter(pk=change.candidate_id).first()
    return found.tag if found else ""


def _pause(service_id: str, tag: str, digest: str, *, why: str, job_id: str = "") -> None:
    if not Service.objects.filter(pk=service_id).exists():
        return
    said = {"tag": tag, "digest": digest, "job_id": job_id, "why": why, "at": timezone.now()}
    Pause.objects.update_or_create(service_id=service_id, defaults=said)
