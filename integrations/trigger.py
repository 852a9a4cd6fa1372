"""What CI and scripts may ask for: a check that tells what it finds, or an update.

Each call that proves whose it is becomes a delivery, whatever comes of it.
"""

from __future__ import annotations

from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from django.db.models import F
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from rest_framework import serializers
from rest_framework.exceptions import ParseError

from checks import asking, naming
from checks.api.updates import UpdateWishes, order_of, queued_update
from checks.models import Job, Service, Stack
from checks.queue import Queued
from checks.updating import orders
from dockrev.api.answers import checked
from dockrev.api.fields import Flag, Text
from dockrev.errors import ApiError, Conflict, InvalidArgument, as_api_error
from dockrev.parsers import parse_object
from integrations import callers, trigger_history
from integrations.callers import Action, Whose
from integrations.ingest import Answer
from integrations.models import Delivery
from integrations.proof import entry_of
from integrations.receivers.base import Incoming
from integrations.receivers.trigger import UPDATES
from integrations.tallies import tallies
from integrations.trigger_history import Jobs


class TriggerOrder(UpdateWishes):
    action = serializers.ChoiceField(["check", "update"])
    scope = serializers.ChoiceField(Job.Scope.choices)
    stackId = Text(
        required=False,
        max_length=naming.MAX_NAME,
        help_text=gettext_lazy("For the scope stack: an id, or the project's name."),
    )
    serviceId = Text(
        required=False,
        max_length=naming.MAX_NAME,
        help_text=gettext_lazy("For the scope service: an id, or project/service."),
    )
    dryRun = Flag(default=False, help_text=gettext_lazy("For an update: only plan it."))


def take(incoming: Incoming, *, address: str) -> dict[str, Any]:
    """Queue what a proven call asks for, or join the job that does it already; return which.

    An update is planned before that, which takes a call to the engine. Raises the errors of the
    HTTP contract, and then nothing is queued.
    """
    whose = callers.prove_call(incoming, address)
    if not whose.entry.enabled:
        tallies.while_off(whose.entry.pk)
        raise _off()
    try:
        callers.admit(whose, timezone.now())
        queued = _ask(whose, incoming.body)
    except Exception as error:
        known = as_api_error(error)
        trigger_history.keep_refused(whose, incoming, known)
        raise known from error
    trigger_history.keep_accepted(whose, incoming, queued.jobs)
    tallies.accepted(whose.entry.pk, timezone.now())
    return queued.answer


def replay(delivery: Delivery) -> Answer:
    """Ask once more for what a stored call asked for, within what its caller may by now.

    Raises Conflict where that makes no sense; a call that would be refused is answered so.
    """
    require_replayable(delivery)
    whose = Whose(entry_of(delivery.receiver), delivery.caller, "")
    if not whose.entry.enabled:
        raise _off()
    return _replayed(delivery, whose)


def require_replayable(delivery: Delivery) -> None:
    """Raise Conflict for a call that is not to be repeated, whatever its caller may."""
    if delivery.caller_name and delivery.caller is None:
        text = _("The caller of this delivery was revoked: nobody may ask for it in its name.")
        raise Conflict(text, reason="caller_revoked")
    if not trigger_history.is_whole(delivery):
        text = _("This delivery was too long to be kept whole.")
        raise Conflict(text, reason="not_whole")
    if delivery.event == Action.UPDATE:
        text = _("An update is not replayed: by now it would bring something else. Plan it anew.")
        raise Conflict(text, reason="update_not_replayed")


def _replayed(delivery: Delivery, whose: Whose) -> Answer:
    answer = Answer(202, Delivery.Decision.PROCESSED, delivery_id=delivery.pk)
    try:
        jobs = _ask(whose, bytes(delivery.payload)).jobs
        outcome = trigger_history.accepted(jobs)
    except (ApiError, serializers.ValidationError, ParseError) as error:
        known = as_api_error(error)
        if known.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            raise
        outcome = trigger_history.refused(known)
        answer.status, answer.decision = 400, Delivery.Decision.REJECTED
    answer.reason, answer.attempt = outcome["reason"], delivery.attempts + 1
    answer.job_ids, answer.reused_job_ids = outcome["job_ids"], outcome["reused_job_ids"]
    answer.matched = outcome["matched_service_ids"]
    Delivery.objects.filter(pk=delivery.pk).update(
        attempts=F("attempts") + 1, last_received_at=timezone.now(), **outcome
    )
    return answer


def _off() -> Conflict:
    return Conflict(_("The trigger is switched off."), reason="disabled")


@dataclass(frozen=True)
class Asked:
    """What a call is answered, and what is kept of it."""

    answer: dict[str, Any]
    jobs: Jobs


def _ask(whose: Whose, body: bytes) -> Asked:
    callers.require_on(whose)
    order = checked(TriggerOrder, parse_object(body))
    _require_allowed(whose, order)
    stack, service = _stack(whose, order), _service(whose, order)
    ids = [service.pk] if service else []
    if order["action"] == "check":
        job = _check(stack, service, whose.name)
        return Asked({"jobId": job.job_id}, _jobs([job], ids))
    update = order_of(order, stack, service)
    if order["dryRun"]:
        planned = orders.dry_run(update, whose.name, reason=Job.Reason.WEBHOOK)
        return Asked({"jobId": planned}, Jobs([planned], service_ids=ids))
    queued = orders.update(update, whose.name, reason=Job.Reason.WEBHOOK)
    answer = queued_update(queued)
    named: dict[str, Any] = {name: answer[name] for name in ("jobId", "jobIds") if name in answer}
    return Asked(named, _jobs(queued, ids))


def _jobs(queued: list[Queued], service_ids: list[str]) -> Jobs:
    return Jobs(
        new=[each.job_id for each in queued if not each.reused],
        joined=[each.job_id for each in queued if each.reused],
        service_ids=service_ids,
    )


def _require_allowed(whose: Whose, order: dict[str, Any]) -> None:
    if order["action"] == "check":
        callers.require_action(whose, Action.CHECK)
    else:
        callers.require_action(whose, Action.DRY_RUN if order["dryRun"] else Action.UPDATE)
        if whose.caller is None and whose.entry.setup.options.get(UPDATES) is not True:
            raise Conflict(
                _("This trigger takes no updates; its page has the switch for that."),
                reason="updates_off",
            )
    if order["scope"] == Job.Scope.ALL:
        callers.require_everything(whose)


def _stack(whose: Whose, order: dict[str, Any]) -> Stack | None:
    if order["scope"] != Job.Scope.STACK:
        return None
    return callers.find_stack(whose, _named(order, "stackId"), field="stackId")


def _service(whose: Whose, order: dict[str, Any]) -> Service | None:
    if order["scope"] != Job.Scope.SERVICE:
        return None
    return callers.find_service(whose, _named(order, "serviceId"), field="serviceId")


def _check(stack: Stack | None, service: Service | None, by: str) -> Queued:
    if service:
        return asking.check_service(service, by, reason=Job.Reason.WEBHOOK, notify=True)
    if stack:
        return asking.check_stack(stack, by, reason=Job.Reason.WEBHOOK, notify=True)
    return asking.check_everything(by, reason=Job.Reason.WEBHOOK, notify=True)


def _named(order: dict[str, Any], field: str) -> str:
    if field not in order:
        raise InvalidArgument(field, _("This scope needs %(field)s.") % {"field": field})
    named: str = order[field]
    return named
