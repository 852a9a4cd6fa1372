"""What a job that changes services came to: its status, its summary, and who is told."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.utils import timezone

from checks import asking, titles
from checks.kinds import Outcome
from checks.models import Candidate, Job, Service
from checks.registry.reference import BadReference, Reference, parse
from checks.updating.plan import Change
from checks.updating.steps import Steps
from notifications.announce import Changed, FinishedJob, job_finished

UPDATED, FAILED, ROLLED_BACK, UNTOUCHED = "updated", "failed", "rolled_back", "untouched"

LAST_LINES = 50  # of a job's log, for a message
MAX_ERROR = 2000


def outcome(changes: Sequence[Change], steps: Steps, *, cancelled: bool = False) -> Outcome:
    """The worst of the services says it. A job that was asked to go back did well if it did."""
    became: list[dict[str, str]] = steps.summary["services"]
    errors = [f"{each['service']}: {each['error']}" for each in became if each["error"]]
    error = "cancelled" if cancelled else "\n".join(errors)[:MAX_ERROR]
    return Outcome(
        {**steps.summary, "error": error},
        status=status({each["outcome"] for each in became}, cancelled=cancelled, wrong=errors),
        write=lambda job: write(job, changes, became),
    )


def status(outcomes: set[str], *, cancelled: bool, wrong: list[str]) -> str:
    """Of a job that changes services, by what became of them."""
    if FAILED in outcomes:
        return Job.Status.FAILED
    if cancelled:
        return Job.Status.CANCELLED
    if ROLLED_BACK in outcomes and wrong:
        return Job.Status.ROLLED_BACK
    return Job.Status.FAILED if UNTOUCHED in outcomes else Job.Status.SUCCESS


def write(job: Job, changes: Sequence[Change], became: list[dict[str, str]]) -> None:
    """In the transaction that finishes the job. What was changed is checked anew, silently: what
    was newer before may be so again, or something else."""
    outcomes = {each["serviceId"]: each["outcome"] for each in became}
    services = Service.objects.select_related("stack").in_bulk(list(outcomes))
    names = Candidate.objects.in_bulk([each.candidate_id for each in changes])
    found = [
        _changed(each, services[each.service_id], names.get(each.candidate_id), outcomes)
        for each in changes
        if each.service_id in services
    ]
    job_finished(_finished(job), found, timezone.now())
    for each in found:
        if each.outcome != UNTOUCHED:
            asking.check_service(services[each.service_id], job.created_by, reason=job.reason)


def tell(job: Job) -> None:
    """Of a job that changes the image of no service. In the transaction that finishes it."""
    job_finished(_finished(job), (), timezone.now())


def _finished(job: Job) -> FinishedJob:
    lines = job.log_lines.order_by("-pk").values_list("message", flat=True)[:LAST_LINES]
    return FinishedJob(
        id=job.pk,
        kind=job.kind,
        scope=job.scope,
        status=job.status,
        reason=job.reason,
        created_by=job.created_by,
        subject=job.subject,
        stack_id=job.stack_id,
        service_id=job.service_id,
        created_at=job.created_at,
        started_at=job.started_at,
        finished_at=job.finished_at or timezone.now(),
        error=titles.error_of(job.summary),
        log=tuple(reversed(lines)),
    )


def _changed(
    change: Change, service: Service, candidate: Candidate | None, outcomes: dict[str, str]
) -> Changed:
    old, new = _named(change.image), _named(change.target_image)
    return Changed(
        stack_id=service.stack_id,
        stack_name=service.stack.name,
        service_id=service.pk,
        service_name=service.name,
        image=str(old),
        current_tag=old.tag,
        current_display_tag=old.tag,
        candidate_tag=new.tag,
        candidate_display_tag=candidate.display_tag if candidate else new.tag,
        candidate_digest=change.target_digest,
        candidate_image=str(new),
        step=change.step,
        outcome=outcomes[change.service_id],
    )


def _named(text: str) -> Reference:
    """Without a digest; as it stands where it is no reference."""
    try:
        named = parse(text)
    except BadReference:
        return Reference("", text)
    return Reference(named.registry, named.repository, named.tag)


def facts(change: Change, *, back: bool = False) -> dict[str, Any]:
    """From which image to which, as a summary tells it."""
    ends = (change.target_image, change.image) if back else (change.image, change.target_image)
    return dict(zip(("from", "to"), ends, strict=True))
