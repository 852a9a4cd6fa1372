"""A call's walk through the pipeline, step by step in words: of an example, and of what was pasted.

What is decided, `integrations.ingest` decides. Here it is only told, so that somebody whose
deliveries do not arrive sees where they stop.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

from django.template.defaultfilters import filesizeformat
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from checks.models import Service
from integrations import ingest, reporting
from integrations.ingest import Answer, Decision
from integrations.models import Delivery, Receiver
from integrations.proof import entry_of
from integrations.receivers import RECEIVERS
from integrations.receivers.base import BadHeaders, BadProof, Finding, Incoming, Reading, Verdict

OK, FAILED, ENDED = "ok", "failed", "ended"
NAMED = 10  # services and images of one sentence
CALLBACKS = {
    Delivery.Callback.WAITING: gettext_lazy("Its sender asks to be told, and would be."),
    Delivery.Callback.REFUSED: gettext_lazy(
        "Its sender asks to be told at an address that is none of Docker Hub's: nothing is sent."
    ),
    Delivery.Callback.UNSUPPORTED: gettext_lazy(
        "Its sender asks to be told, and has given that up: nothing is sent."
    ),
}


class Step(NamedTuple):
    """A step of the pipeline, what came of it, and that in words.

    The outcome is `ok` where the call goes on, `failed` where it would be refused, and `ended`
    where it is taken and nothing more is to be done.
    """

    step: str
    outcome: str
    detail: str


@dataclass
class Walk:
    """How far a call came, and what it is answered: for an explanation, would be."""

    steps: list[Step]
    answer: Answer
    services: list[Service] = field(default_factory=list)

    @property
    def refused_at(self) -> Step | None:
        """The first step that would not let it through."""
        return next((step for step in self.steps if step.outcome == FAILED), None)

    @property
    def body(self) -> dict[str, Any]:
        return self.answer.body | {"steps": [step._asdict() for step in self.steps]}


def send_test(receiver: Receiver) -> Walk:
    """Run the kind's first example through the pipeline, with the proof that its sender gives.

    It becomes a delivery, unless the receiver could take none.
    """
    refused = Answer(401, Decision.REJECTED, "invalid_signature")
    if missing := list(_not_ready(receiver)):
        off = Answer(200, Decision.IGNORED, "disabled")
        return Walk(missing, refused if receiver.enabled else off)
    protocol = RECEIVERS[receiver.kind]
    example = protocol.examples(secrets.token_hex(8))[0]
    incoming = protocol.prove(example.incoming(), receiver.secret)
    steps = list(_before_reading(receiver, incoming))
    if any(step.outcome == FAILED for step in steps):
        return Walk(steps, refused)
    reading = protocol.read(incoming, entry_of(receiver).setup)
    answer = ingest.take_test(receiver, incoming)
    return _told(steps, receiver, reading, answer, is_test=True)


def explain(receiver: Receiver, headers: Mapping[str, str], body: bytes) -> Walk:
    """Say of a call what the pipeline would do with it, and do nothing.

    It is read to its end as far as it can be: also where it would have been refused before.
    """
    protocol = RECEIVERS[receiver.kind]
    given = {name.lower(): value for name, value in headers.items()}
    steps = list(_before_reading(receiver, Incoming(given, body)))
    incoming = Incoming({**protocol.usual_headers, **given}, body)
    reading = protocol.read(incoming, entry_of(receiver).setup)
    answer = ingest.foresee(receiver, incoming)
    return _told(steps, receiver, reading, answer, is_test=False)


def _not_ready(receiver: Receiver) -> Iterator[Step]:
    if not receiver.secret:
        yield Step("proof", FAILED, _("It has no secret. Make one, and enter it at the registry."))
    if not receiver.enabled:
        yield Step("enabled", FAILED, _("The receiver is off. Switch it on, and save."))


def _before_reading(receiver: Receiver, incoming: Incoming) -> Iterator[Step]:
    yield _size(receiver, incoming)
    yield _proof(receiver, incoming)
    if receiver.enabled:
        yield Step("enabled", OK, _("The receiver is on."))
    else:
        detail = _("The receiver is off: a call would be counted, and nothing else.")
        yield Step("enabled", FAILED, detail)
    yield _headers(receiver, incoming)


def _size(receiver: Receiver, incoming: Incoming) -> Step:
    most, size = RECEIVERS[receiver.kind].max_body, len(incoming.body)
    words = {"size": filesizeformat(size), "most": filesizeformat(most)}
    if size > most:
        return Step("size", FAILED, _("%(size)s, and at most %(most)s are read.") % words)
    return Step("size", OK, _("%(size)s, of %(most)s at most.") % words)


def _proof(receiver: Receiver, incoming: Incoming) -> Step:
    protocol, now = RECEIVERS[receiver.kind], timezone.now()
    is_fresh = receiver.previous_until is not None and receiver.previous_until > now
    known = (receiver.secret, receiver.previous_secret) if is_fresh else (receiver.secret,)
    try:
        fitted = protocol.verify(incoming, known, entry_of(receiver).setup)
    except BadProof:
        if protocol.token_in_path and not incoming.token:
            detail = _("What proves a call is in its URL, which is not looked at here.")
            return Step("proof", FAILED, detail)
        words = {"proof": protocol.proof}
        detail = _("No right proof, so it would be refused with 401. Needed: %(proof)s.")
        return Step("proof", FAILED, detail % words)
    if fitted:
        return Step("proof", OK, _("It knows the secret before the present one."))
    return Step("proof", OK, _("It knows the secret."))


def _headers(receiver: Receiver, incoming: Incoming) -> Step:
    try:
        RECEIVERS[receiver.kind].require_headers(incoming)
    except BadHeaders as error:
        detail = _("The header %(name)s is missing, so it would be refused with 400.")
        return Step("headers", FAILED, detail % {"name": error})
    return Step("headers", OK, _("The headers that its sender always sends are there."))


def _told(
    steps: list[Step], receiver: Receiver, reading: Reading, answer: Answer, *, is_test: bool
) -> Walk:
    services = Service.objects.filter(pk__in=answer.matched).select_related("stack")
    walk = Walk(steps, answer, list(services))
    walk.steps += _of_reading(receiver, reading, answer)
    if answer.decision == Decision.PROCESSED and not answer.reason:
        walk.steps.append(_matching(walk))
        walk.steps.append(_work(walk, is_test=is_test))
    walk.steps += _callback(receiver, reading, answer)
    if not is_test:
        walk.answer = _without_what_is_not(answer)
    return walk


def _without_what_is_not(answer: Answer) -> Answer:
    """The answer without what was only made to foresee it. Work that waits already is there."""
    is_known = answer.reason == "duplicate_delivery"
    made = set(answer.job_ids)
    return replace(
        answer,
        delivery_id=answer.delivery_id if is_known else "",
        job_ids=[],
        reused_job_ids=[job for job in answer.reused_job_ids if job not in made],
    )


def _of_reading(receiver: Receiver, reading: Reading, answer: Answer) -> Iterator[Step]:
    """What was read, up to where that ended it; in the order of the pipeline."""
    if reading.verdict is Verdict.INVALID_JSON:
        yield Step("json", FAILED, _("The body is not a JSON object."))
        return
    yield Step("json", OK, _("The body is a JSON object."))
    if reading.verdict is Verdict.PING:
        yield Step("ping", ENDED, _("A ping: it is answered, and there is nothing to do."))
        return
    yield Step("ping", OK, _("It is no ping."))
    if answer.reason == "duplicate_delivery":
        words = {"id": answer.delivery_id}
        yield Step("duplicate", ENDED, _("It came before, as %(id)s.") % words)
        return
    yield Step("duplicate", OK, _("It did not come before."))
    yield from _of_what_it_names(receiver, reading, answer)


def _of_what_it_names(receiver: Receiver, reading: Reading, answer: Answer) -> Iterator[Step]:
    if reading.findings:
        yield Step("findings", OK, _list_of([_finding(each) for each in reading.findings]))
    event = " ".join(filter(None, (reading.event, reading.action)))
    if answer.reason == Verdict.NOT_RELEVANT.value:
        words = {"event": event or _("The event")}
        yield Step("relevance", ENDED, _("%(event)s: no image was pushed.") % words)
        return
    words = {"event": event or _("The event")}
    yield Step("relevance", OK, _("%(event)s: an image was pushed.") % words)
    if answer.reason == Verdict.INVALID_PAYLOAD.value:
        detail = _("The body does not name the image that was pushed.")
        yield Step("image", FAILED, f"{detail} {reading.why}".strip())
        return
    yield Step("image", OK, _list_of(answer.images))
    if not RECEIVERS[receiver.kind].has_targets:
        return
    named = reading.repository or reading.owner
    if answer.reason == "repo_not_selected":
        detail = _("%(name)s is not among what is selected.")
        yield Step("selection", ENDED, detail % {"name": named})
    else:
        yield Step("selection", OK, _("%(name)s is selected.") % {"name": named})


def _finding(finding: Finding) -> str:
    words = {"image": finding.image, "critical": finding.critical, "high": finding.high}
    return _("%(image)s: %(critical)d critical, %(high)d high") % words


def _matching(walk: Walk) -> Step:
    if not walk.answer.matched:
        return Step("matching", OK, _("No service that is known here runs it."))
    names = [f"{service.stack.name} / {service.name}" for service in walk.services]
    return Step("matching", OK, _list_of(names))


def _work(walk: Walk, *, is_test: bool) -> Step:
    answer = walk.answer
    if answer.fallback_reason and is_test:
        detail = _("A delivery would have Dockrev look for new services. A test does not.")
        return Step("work", OK, detail)
    if answer.fallback_reason:
        detail = _("Dockrev would look for new services, and match it once more after that.")
        return Step("work", OK, detail)
    new, joined = len(answer.job_ids), len(answer.reused_job_ids)
    parts = []
    if new and is_test:
        parts.append(
            ngettext("%(n)d check is queued.", "%(n)d checks are queued.", new) % {"n": new}
        )
    elif new:
        words = ngettext("%(n)d check would be queued.", "%(n)d checks would be queued.", new)
        parts.append(words % {"n": new})
    if joined:
        words = ngettext(
            "%(n)d is waiting or running already.", "%(n)d are waiting or running already.", joined
        )
        parts.append(words % {"n": joined})
    return Step("work", OK, " ".join(parts))


def _callback(receiver: Receiver, reading: Reading, answer: Answer) -> Iterator[Step]:
    """Whether the sender is told what came of it, where it asks for that."""
    if answer.reason == "duplicate_delivery":
        return
    if state := reporting.may_be_called(entry_of(receiver), reading):
        yield Step("callback", OK, str(CALLBACKS[Delivery.Callback(state)]))


def _list_of(names: list[str]) -> str:
    shown = ", ".join(names[:NAMED])
    more = len(names) - NAMED
    return (
        _("%(names)s and %(count)d more") % {"names": shown, "count": more} if more > 0 else shown
    )
