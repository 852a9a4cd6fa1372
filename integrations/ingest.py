"""The one pipeline that every delivery runs through.

Order: size (in the view), proof, off, the sender's headers, JSON, ping, duplicate, relevance, the
image's name, the selection. Nothing is parsed or stored before the proof. What is stored, the
delivery, its jobs and their queue entries, commits together, so a delivery is whole or absent.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import F
from django.utils import timezone
from django.utils.translation import gettext as _

from checks import findings
from checks.models import Job
from dockrev.errors import InvalidArgument
from dockrev.ids import new_id
from dockrev.prepared import Insert, Select
from dockrev.together import Seen, together
from integrations import issuer_keys, keeping, recognition, reporting
from integrations.matching import Match, ask_for_checks, ask_for_discovery, services_running
from integrations.models import Delivery, HookTarget, Receiver
from integrations.proof import Entry, KeyUnknown, entry_of, prove
from integrations.receivers import RECEIVERS
from integrations.receivers.base import (
    BadHeaders,
    ImageEvent,
    Incoming,
    Reading,
    Verdict,
)
from integrations.tallies import tallies

Decision = Delivery.Decision
MAX_MATCHES = 500
MAX_IMAGES = 1000  # of one call


@dataclass
class Answer:
    """What a delivery is answered, and what became of it."""

    status: int
    decision: str
    reason: str = ""
    delivery_id: str = ""
    attempt: int = 1
    images: list[str] = field(default_factory=list)
    matched: list[str] = field(default_factory=list)
    job_ids: list[str] = field(default_factory=list)
    reused_job_ids: list[str] = field(default_factory=list)
    fallback_reason: str = ""

    @property
    def body(self) -> dict[str, Any]:
        return {
            "ok": True,
            "deliveryId": self.delivery_id or None,
            "decision": self.decision,
            "reason": self.reason or None,
            "attempt": self.attempt,
            "images": self.images,
            "matchedServiceIds": self.matched,
            "jobIds": self.job_ids,
            "reusedJobIds": self.reused_job_ids,
            "fallbackUsed": bool(self.fallback_reason),
            "fallbackReason": self.fallback_reason or None,
        }


_known = Select(
    lambda receiver, key: (
        Delivery.objects.filter(receiver=receiver, dedupe_key=key)
        .order_by()
        .values_list("pk", "received_at")
    ),
    "receiver",
    "key",
)
_selected_name = Select(
    lambda receiver, name: HookTarget.objects.filter(
        account__receiver=receiver, selected=True, name_key=name
    ).values_list("pk")[:1],
    "receiver",
    "name",
)
_selected_owner = Select(
    lambda receiver, owner: HookTarget.objects.filter(
        account__receiver=receiver, selected=True, owner_key=owner
    ).values_list("pk")[:1],
    "receiver",
    "owner",
)
_insert = Insert(Delivery)


def take(kind: str, incoming: Incoming, *, address: str) -> Answer:
    """Take a call for the receivers of a kind.

    Raises InvalidSignature, RateLimited or InvalidArgument, and then nothing is stored.
    """
    taking = partial(_proven, kind, incoming, address)
    try:
        try:
            return together.do(taking)
        except IntegrityError:
            # The worker found it in its sender's list at this moment, and stored it: a duplicate.
            return together.do(taking)
    except _Off as off:
        tallies.while_off(str(off))
        return Answer(200, Decision.IGNORED, "disabled")
    except KeyUnknown:
        together.do(lambda _seen: partial(issuer_keys.ask_again, timezone.now()))
        raise


class _Off(Exception):
    """A call has the right proof, and its receiver, whose id this is, is off."""


def _proven(kind: str, incoming: Incoming, address: str, seen: Seen) -> Callable[[], Answer]:
    """Read a call, after its proof; what is returned decides on it and keeps it.

    Raises _Off, and what `take` does.
    """
    row, by_previous_secret = prove(kind, incoming, address, seen)
    if not row.enabled:
        raise _Off(row.pk)
    protocol = RECEIVERS[kind]
    try:
        protocol.require_headers(incoming)
    except BadHeaders as error:
        raise InvalidArgument(
            str(error), _("The header %(name)s is missing or malformed.") % {"name": error}
        ) from None
    reading = protocol.read(incoming, row.setup)
    return partial(_store, row, reading, incoming, by_previous_secret=by_previous_secret)


def take_reconciled(receiver: Receiver, incoming: Incoming) -> Answer:
    """Take a call that never came, as its sender's own list has it; where it was read proves it.

    Should it come after all, it is a duplicate. Raises BadHeaders, and then nothing is stored.
    """
    protocol = RECEIVERS[receiver.kind]
    protocol.require_headers(incoming)
    row = entry_of(receiver)
    reading = protocol.read(incoming, row.setup)
    with transaction.atomic():
        return _store(row, reading, incoming, reconciled=True)


def take_test(receiver: Receiver, incoming: Incoming) -> Answer:
    """Take an example of ours, which has proved itself. It is kept, and counts for nothing."""
    row = replace(entry_of(receiver), for_test=True)
    reading = RECEIVERS[receiver.kind].read(incoming, row.setup)
    with transaction.atomic():
        return _store(row, reading, incoming, is_test=True)


def foresee(receiver: Receiver, incoming: Incoming) -> Answer:
    """Answer as a proven call would be answered if the receiver were on; nothing is changed.

    What the answer names as queued was not, and is not there.
    """
    row = entry_of(receiver)
    reading = RECEIVERS[receiver.kind].read(incoming, row.setup)
    with transaction.atomic():
        answer = _store(row, reading, incoming, is_test=True)
        transaction.set_rollback(True)
        return answer


def replay(delivery: Delivery) -> Answer:
    """Run a stored delivery through again, as if it had come now."""
    reading = _read_again(delivery)
    with transaction.atomic():
        now = timezone.now()
        row = replace(entry_of(delivery.receiver), for_test=delivery.is_test)
        answer = _decide(row, reading, now)
        answer.delivery_id, answer.attempt = delivery.pk, delivery.attempts + 1
        changes = {
            "attempts": F("attempts") + 1,
            "last_received_at": now,
            **_result(answer),
            **reporting.begun(row, reading, delivery.pk),
        }
        Delivery.objects.filter(pk=delivery.pk).update(**changes)
    return answer


def _store(row: Entry, reading: Reading, incoming: Incoming, **origin: bool) -> Answer:
    """Decide on a call and keep it. `origin` are the columns that say how it came."""
    now = timezone.now()
    key = keeping.key_of(reading, incoming)
    if known := _same_call(row, key, reading, now):
        return _again(known, reading, now)
    fresh = recognition.look(row.pk, reading)
    if fresh.seen_in:
        return _again(fresh.seen_in, reading, now)
    answer = _decide(row, fresh.reading, now)
    answer.delivery_id = new_id("dlv")
    if fresh.keys:
        answer.images = _named(reading)  # those that came before, too
    _insert(
        id=answer.delivery_id,
        receiver_id=row.pk,
        dedupe_key=key,
        received_at=now,
        last_received_at=now,
        **keeping.columns(reading, incoming),
        **origin,
        **_result(answer),
        **reporting.begun(row, reading, answer.delivery_id),
    )
    recognition.keep(row.pk, answer.delivery_id, fresh)
    if reading.verdict is Verdict.PING:
        _mark_verified(row, reading, now)
    if not (origin.get("reconciled") or origin.get("is_test")):
        tallies.accepted(row.pk, now)
    return answer


def _same_call(row: Entry, key: str, reading: Reading, now: datetime) -> str:
    """The delivery that a call repeats, if any.

    Where an equal key means the same call for a while only, an older one gives its key up; so does
    one of a time that is yet to come, because somebody has set the clock back.
    """
    for pk, received_at in _known(receiver=row.pk, key=key):
        if reading.same_for is None or abs(now - received_at) < reading.same_for:
            return str(pk)
        Delivery.objects.filter(pk=pk).update(dedupe_key=pk)
    return ""


def _again(delivery_id: str, reading: Reading, now: datetime) -> Answer:
    """The answer to a call that is stored already; what cannot be read still cannot."""
    Delivery.objects.filter(pk=delivery_id).update(attempts=F("attempts") + 1, last_received_at=now)
    known = Delivery.objects.only("pk", "attempts").get(pk=delivery_id)
    if reading.verdict is Verdict.INVALID_JSON:
        answer = _rejected(reading)
    elif reading.verdict is Verdict.PING:
        answer = Answer(200, Decision.PROCESSED, "ping")
    else:
        answer = Answer(200, Decision.IGNORED, "duplicate_delivery")
    answer.delivery_id, answer.attempt = known.pk, known.attempts
    answer.images = _named(reading)
    return answer


def _images(reading: Reading) -> tuple[ImageEvent, ...]:
    """Each that was read once, and of very many the first."""
    if len(reading.images) < 2:
        return reading.images
    return tuple(dict.fromkeys(reading.images))[:MAX_IMAGES]


def _named(reading: Reading) -> list[str]:
    return [str(image) for image in _images(reading)]


def _result(answer: Answer) -> dict[str, Any]:
    """The columns of a delivery that say what became of it."""
    waits = bool(answer.fallback_reason)
    jobs = answer.job_ids + answer.reused_job_ids
    return {
        "decision": answer.decision,
        "reason": answer.reason,
        "images": answer.images,
        "matched_service_ids": answer.matched,
        "job_ids": answer.job_ids,
        "reused_job_ids": answer.reused_job_ids,
        "fallback_reason": answer.fallback_reason,
        "waiting_for_job": jobs[0] if waits and jobs else "",
    }


def _decide(row: Entry, reading: Reading, now: datetime) -> Answer:
    findings.keep(reading.findings, source=row.name, now=now)
    match reading.verdict:
        case Verdict.INVALID_JSON | Verdict.INVALID_PAYLOAD:
            return _rejected(reading)
        case Verdict.PING:
            return Answer(200, Decision.PROCESSED, "ping")
        case Verdict.NOT_RELEVANT:
            return Answer(200, Decision.IGNORED, reading.verdict.value, images=_named(reading))
        case Verdict.IMAGES:
            return _act(row, reading, now)


def _rejected(reading: Reading) -> Answer:
    return Answer(400, Decision.REJECTED, reading.verdict.value)


def _act(row: Entry, reading: Reading, now: datetime) -> Answer:
    images, has_targets = _named(reading), RECEIVERS[row.kind].has_targets
    if has_targets and not _is_selected(row, reading):
        return Answer(200, Decision.IGNORED, "repo_not_selected", images=images)
    answer = Answer(202, Decision.PROCESSED, images=images)
    if matches := _matches(reading):
        _check(answer, matches, row=row, now=now)
    else:
        is_owner_only = has_targets and not reading.repository
        answer.fallback_reason = (
            "owner_only_payload" if is_owner_only else "no_managed_service_match"
        )
        if not row.for_test:  # whose image nobody has to look for
            queued = ask_for_discovery(by=row.name, now=now)
            (answer.reused_job_ids if queued.reused else answer.job_ids).append(queued.job_id)
    return answer


def _matches(reading: Reading) -> list[Match]:
    """The services that run what a delivery names, or else what it may mean by it."""
    return services_running(_images(reading)) or services_running(reading.also)


def _check(answer: Answer, matches: list[Match], *, row: Entry, now: datetime) -> None:
    checked = matches[:MAX_MATCHES]
    for queued in ask_for_checks(checked, by=row.name, now=now):
        (answer.reused_job_ids if queued.reused else answer.job_ids).append(queued.job_id)
    answer.matched.extend(match.service_id for match in checked)


def _is_selected(row: Entry, reading: Reading) -> bool:
    """Whether the repository that it names takes part, or, where it names none, its owner does."""
    if reading.repository:
        return bool(_selected_name(receiver=row.pk, name=reading.repository.lower()))
    return bool(_selected_owner(receiver=row.pk, owner=reading.owner.lower()))


def _mark_verified(row: Entry, reading: Reading, now: datetime) -> None:
    """A hook got through. Which one is ours is a sync's to say, once one has: by its word hooks
    are deleted."""
    if not reading.repository:
        return
    targets = HookTarget.objects.filter(
        account__receiver=row.pk, name_key=reading.repository.lower()
    )
    if reading.hook_id:
        targets.filter(hook_url="").update(hook_id=reading.hook_id)
        targets = targets.filter(hook_id=reading.hook_id)
    targets.update(verified_at=now)


def match_again(sender: Any, job: Job, **_given: Any) -> None:
    """After a fallback discovery: check what the deliveries that waited for it now match.

    Most waiting deliveries are of images that still run nowhere, and many are of the same one.
    """
    if job.kind != "discovery":
        return
    now = timezone.now()
    waiting = Delivery.objects.filter(waiting_for_job=job.pk).select_related("receiver")
    found: dict[tuple[ImageEvent, ...], list[Match]] = {}
    for delivery in waiting.iterator():
        reading = _read_again(delivery)
        images = reading.images + reading.also
        if images not in found:
            found[images] = [replace(match, tagged=True) for match in _matches(reading)]
        if found[images]:
            _matched_late(delivery, found[images], now)
    waiting.update(waiting_for_job="")


def _read_again(delivery: Delivery) -> Reading:
    setup = entry_of(delivery.receiver).setup
    incoming = Incoming(delivery.headers, bytes(delivery.payload), at=delivery.received_at)
    return RECEIVERS[delivery.receiver.kind].read(incoming, setup)


def _matched_late(delivery: Delivery, matches: list[Match], now: datetime) -> None:
    answer = Answer(202, Decision.PROCESSED)
    _check(answer, matches, row=entry_of(delivery.receiver), now=now)
    Delivery.objects.filter(pk=delivery.pk).update(
        matched_service_ids=answer.matched,
        job_ids=delivery.job_ids + answer.job_ids,
        reused_job_ids=delivery.reused_job_ids + answer.reused_job_ids,
    )
