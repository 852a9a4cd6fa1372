"""Which candidates an update brings: those that somebody names, else those that are offered."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext as _

from checks.models import Candidate, Service, Stack
from checks.overview import by_step
from dockrev.errors import Conflict, InvalidArgument


class NotPossible(Conflict):
    """There is no plan for what is wanted; the text says why, and how to mend it.

    `reason` is one of `nothing_to_update`, `target_moved`, `arch_mismatch`, `not_running`,
    `files_unreachable`, `files_differ`, `not_editable`, `not_pulled`, `missing`, `archived`,
    `itself`, `host_off`, `read_only`; where nobody looks at the plan also `others_change`.
    """

    def __init__(self, reason: str, message: str, **details: Any) -> None:
        super().__init__(message, reason=reason, **details)
        self.reason = reason


@dataclass(frozen=True)
class Target:
    """What somebody wants a service to run: a candidate by its id, or by tag and digest."""

    service_id: str
    candidate_id: str = ""
    tag: str = ""
    digest: str = ""


@dataclass(frozen=True)
class Wanted:
    service: Service
    candidate: Candidate


def choose(
    services: Sequence[Service],
    targets: Iterable[Target] = (),
    *,
    allow_arch_mismatch: bool = False,
) -> tuple[Wanted, ...]:
    """The candidate of each service that is to be updated. One query; `services` come with their
    stacks. Without targets: of each service that has one what the API calls its `candidate`.

    Raises InvalidArgument for a target that none of them is, and NotPossible.
    """
    offered = _offered(services)
    named = {target.service_id: target for target in targets}
    known = {service.pk: service for service in services}
    if unknown := [service_id for service_id in named if service_id not in known]:
        text = _("%(id)s is no service of what is to be updated.")
        raise InvalidArgument("targets", text % {"id": unknown[0][:100]})
    wanted = [
        Wanted(known[service_id], _meant(known[service_id], offered[service_id], target))
        for service_id, target in named.items()
    ]
    if not named:
        best = {pk: found for pk in known if (found := _best(offered[pk], allow_arch_mismatch))}
        wanted = [Wanted(known[pk], candidate) for pk, candidate in best.items()]
    for each in wanted:
        _refuse_other_platform(each, allow_arch_mismatch)
    if not wanted:
        raise _nothing(services, offered)
    return tuple(wanted)


def services_of(stack: Stack) -> list[Service]:
    services = Service.objects.present().filter(stack=stack)
    return list(services.select_related("stack__host", "image").order_by("name"))


def _offered(services: Sequence[Service]) -> dict[str, list[Candidate]]:
    offered: dict[str, list[Candidate]] = defaultdict(list)
    rows = Candidate.objects.offered().filter(service__in=[each.pk for each in services])
    for candidate in rows.select_related("image"):
        offered[candidate.service_id].append(candidate)
    return defaultdict(list, {pk: by_step(found) for pk, found in offered.items()})


def _best(offered: list[Candidate], allow_arch_mismatch: bool) -> Candidate | None:
    """A list has those that are not for our platform last."""
    best = next(iter(offered), None)
    if best is None or (best.arch == Candidate.Arch.MISMATCH and not allow_arch_mismatch):
        return None
    return best


def _meant(service: Service, offered: list[Candidate], target: Target) -> Candidate:
    for candidate in offered:
        if target.candidate_id:
            if candidate.pk == target.candidate_id:
                return candidate
        elif candidate.tag == target.tag and target.digest in ("", candidate.digest):
            return candidate
    latest = [f"{each.tag}@{each.digest}" for each in offered]
    text = _("What was wanted of %(name)s is not the latest that is known any more.")
    raise NotPossible(
        "target_moved", text % {"name": service.name}, serviceId=service.pk, latest=latest
    )


def _refuse_other_platform(wanted: Wanted, allowed: bool) -> None:
    candidate = wanted.candidate
    if candidate.arch != Candidate.Arch.MISMATCH or allowed:
        return
    text = _("%(tag)s of %(name)s is not built for %(platform)s.")
    values = {
        "tag": candidate.tag,
        "name": wanted.service.name,
        "platform": candidate.platform or wanted.service.runs_on or "?",
    }
    raise NotPossible("arch_mismatch", text % values, serviceId=wanted.service.pk)


def _nothing(services: Sequence[Service], offered: dict[str, list[Candidate]]) -> NotPossible:
    if any(offered[service.pk] for service in services):
        return NotPossible(
            "arch_mismatch", _("All that is newer is not built for the platform here.")
        )
    return NotPossible(
        "nothing_to_update", _("Nothing newer is known. A check asks the registry again.")
    )
