"""What becomes of services, and who hears of it, where a job is given up after many lost workers,
or where an error ended it that nobody foresaw.

It is written in the transaction that ends the job, by whoever ends it.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from django.utils import timezone

from checks import titles
from checks.models import Job, Replaced
from checks.updating import telling
from checks.updating.plan import Change, Plan
from checks.updating.telling import FAILED, UNTOUCHED

State = Replaced.State


def give_up_update(job: Job) -> None:
    begun = Replaced.objects.filter(job_id=job.pk, state__in=Replaced.HALF_DONE)
    changed = set(begun.values_list("service", flat=True))
    begun.update(state=State.UNCLEAR, ended_at=timezone.now())
    _tell(job, Plan.from_json(job.params["plan"]).changes, changed)


def give_up_rollback(job: Job) -> None:
    row = Replaced.objects.filter(pk=job.params["replaced"]).first()
    if row is None:
        telling.tell(job)
        return
    begun = Replaced.objects.filter(pk=row.pk, state=State.UNDOING)
    changed = begun.update(state=State.UNCLEAR, ended_at=timezone.now())
    _tell(job, [row.planned], {row.service_id} if changed else (), back=True)


def _tell(
    job: Job, changes: Sequence[Change], changed: Collection[str], *, back: bool = False
) -> None:
    """`changed` are the ids of services that were half done."""
    became = list(job.summary.get("services", ()))
    told = {each["serviceId"] for each in became}
    error = titles.error_of(job.summary)
    for change in changes:
        if change.service_id not in told:
            outcome = FAILED if change.service_id in changed else UNTOUCHED
            known = {"serviceId": change.service_id, "service": change.service_name}
            facts = {**telling.facts(change, back=back), "error": error, "runs": ""}
            became.append({**known, "outcome": outcome, **facts})
    job.summary = {**job.summary, "services": became}
    job.save(update_fields=["summary"])
    telling.write(job, changes, became)
