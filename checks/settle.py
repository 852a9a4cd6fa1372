"""Writes down what a check found: the service's state, and candidates opened, kept or closed."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from checks import announcements, ignoring
from checks.candidates import Judged, close, keep_abouts, settle_candidates
from checks.decide import Verdict
from checks.models import Candidate, Job, Service
from checks.registry.configs import About
from checks.registry.reference import Reference
from dockrev.prepared import Update
from notifications.announce import Check, NewVersion, new_versions

Status = Service.Status

_update = Update(Service, "id", "image_ref", "running_image_id")


@dataclass(frozen=True)
class Checked:
    """A service and what a check of it came to: a verdict for a platform, or the `failure` that
    prevented one. One that was not `asked` for waits, and its failure says so.

    `runs` is what the image that runs says of itself, with the digest that it is known by.
    """

    service: Service
    verdict: Verdict | None = None
    platform: str = ""
    failure: str = ""
    asked: bool = True
    runs: tuple[str, About] | None = None

    @property
    def trouble(self) -> str:
        """What went wrong, with all of the check or with a part of it."""
        return self.failure or (self.verdict.trouble if self.verdict else "")

    @property
    def status(self) -> str:
        return self.verdict.status if self.verdict else Status.ERROR


def settle(checked: Iterable[Checked], now: datetime) -> None:
    """Store the outcomes of checks, inside the caller's transaction."""
    settled = {
        each.service.pk: Judged(each.service, each.verdict, each.platform)
        for each in checked
        if _settle(each, now) and each.verdict is not None
    }
    settle_candidates(settled, now)
    # Rules may have been made or taken away meanwhile.
    ignoring.apply(settled, now)


def _settle(checked: Checked, now: datetime) -> bool:
    """Returns whether its verdict goes for candidates, too.

    Trouble with a registry changes nothing but the error: what was known before stays known.
    """
    service, verdict = checked.service, checked.verdict
    fields: dict[str, Any] = {"error": checked.trouble}
    if checked.asked:
        fields["checked_at"] = now
    if verdict and verdict.status != Status.ERROR:
        fields |= {"status": verdict.status, "reason": verdict.reason}
        if not verdict.trouble:
            fields["tag_gone"] = verdict.gone
            fields["tags_hidden"] = dict(verdict.choice.by_rule) if verdict.choice else {}
            fields["tags_left"] = dict(verdict.choice.dropped) if verdict.choice else {}
            fields["equal_indexes"] = {checked.platform: verdict.equal} if verdict.equal else {}
    elif checked.asked and service.status == Status.UNKNOWN:
        fields["status"] = Status.ERROR
    if verdict and verdict.baseline:
        fields |= {
            "baseline_ref": service.image_ref,
            "baseline_digest": verdict.baseline,
            "baseline_at": now,
        }
    if checked.runs:
        keep_abouts(dict([checked.runs]), now)
        fields["image_id"] = checked.runs[0]
    # The service may have been archived, or may run another image, since the registry was asked.
    found_by = (service.pk, service.image_ref, service.running_image_id)
    return bool(_update(found_by, **fields)) and verdict is not None


def close_what_no_longer_applies(service_ids: list[str], now: datetime) -> int:
    """After discovery saw other images run: close the candidates that run now, or that were for
    another reference. Returns how many it closed."""
    closed: dict[Service, list[str]] = defaultdict(list)
    rows = Candidate.objects.unclosed().filter(service__in=service_ids).select_related("service")
    for candidate in rows:
        service = candidate.service
        if {candidate.digest, candidate.platform_digest} & set(service.running_digests):
            closed[service].append(Candidate.Closed.APPLIED)
        elif candidate.image_ref != service.image_ref:
            closed[service].append(Candidate.Closed.GONE)
        else:
            continue
        close(candidate, closed[service][-1], now)
    for service, how in closed.items():
        _without_candidates(service, applied=Candidate.Closed.APPLIED in how)
    return sum(map(len, closed.values()))


def _without_candidates(service: Service, *, applied: bool) -> None:
    """Where one of them was applied, what runs is what the last check wanted, so far as anybody
    knows. What was applied long ago says nothing of another reference."""
    if service.candidates.open().exists():
        ignoring.follow(service)
    else:
        status = Status.UP_TO_DATE if applied else Status.UNKNOWN
        Service.objects.filter(pk=service.pk).update(status=status)


def announce(job: Job, service_ids: list[str], now: datetime) -> None:
    """Tell people of every open candidate of these services that they have not heard of, inside
    the caller's transaction.

    Only where the job may announce. A candidate that no channel wanted stays unannounced, so
    that a channel made later hears of it at the next check.
    """
    if not job.notify:
        return
    rows = list(
        Candidate.objects.offered()
        .filter(service__in=service_ids, announced_at=None)
        .select_related("service__stack", "service__image", "image")
        .order_by("service__stack__name", "service__name", "-opened_at")
    )
    if not rows:
        return
    check = Check(job.pk, job.reason, job.scope, len(service_ids))
    claim, first = announcements.claim(rows, now)
    if first:
        announcements.keep(claim, new_versions(check, [news(row) for row in first], now))
    announcements.mark(rows)


def news(candidate: Candidate) -> NewVersion:
    """A candidate as messages tell it; its service, the stack and both images are at hand."""
    service = candidate.service
    return NewVersion(
        stack_id=service.stack_id,
        stack_name=service.stack.name,
        service_id=service.pk,
        service_name=service.name,
        image=f"{service.registry}/{service.repository}:{service.tag}",
        current_tag=service.tag,
        current_display_tag=service.display_tag,
        candidate_tag=candidate.tag,
        candidate_display_tag=candidate.display_tag,
        candidate_digest=candidate.digest,
        candidate_image=str(Reference(service.registry, service.repository, candidate.tag)),
        step=candidate.step,
    )
