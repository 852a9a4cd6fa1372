"""Calls of the trigger, among the deliveries: who asked for what, and what came of it.

Nothing is kept that proves anything, and of what is too long only the beginning. What is refused
because there were too many is one delivery for each minute, which counts up.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from dockrev.errors import ApiError, RateLimited
from dockrev.fields import HIDDEN
from dockrev.ids import new_id
from integrations import keeping, pace
from integrations.callers import Action, Whose
from integrations.models import Delivery, Receiver, TriggerCaller
from integrations.receivers.base import Incoming, NotAnObject, json_object, member, text
from integrations.tallies import tallies

MOST = 256 * 1024  # bytes of a body that are kept: an order of 500 targets is half of that
MAX_REASON, MAX_REFUSAL, MAX_NAMED = 40, 300, 300


@dataclass(frozen=True)
class Jobs:
    """What an order came to: new jobs, jobs that are joined, and the service that was meant."""

    new: list[str] = field(default_factory=list)
    joined: list[str] = field(default_factory=list)
    service_ids: list[str] = field(default_factory=list)


def keep_accepted(whose: Whose, incoming: Incoming, jobs: Jobs) -> None:
    _keep(whose, incoming, accepted(jobs))


def keep_refused(whose: Whose, incoming: Incoming, error: ApiError) -> None:
    if isinstance(error, RateLimited):
        _keep_once_a_minute(whose, incoming, error)
    else:
        _keep(whose, incoming, refused(error, whose.secret))


def accepted(jobs: Jobs) -> dict[str, Any]:
    """The columns that say that it was done."""
    return {
        "decision": Delivery.Decision.PROCESSED,
        "reason": "",
        "refusal": "",
        "job_ids": jobs.new,
        "reused_job_ids": jobs.joined,
        "matched_service_ids": jobs.service_ids,
    }


def refused(error: ApiError, secret: str = "") -> dict[str, Any]:
    """The columns that say why it was not. A message may repeat what was sent."""
    reason = str(error.details.get("reason", error.code))
    message = _without(secret, error.message).encode(errors="replace").decode()
    return {
        **accepted(Jobs()),
        "decision": Delivery.Decision.REJECTED,
        "reason": reason[:MAX_REASON],
        "refusal": message.replace("\0", "")[:MAX_REFUSAL],
    }


def is_whole(delivery: Delivery) -> bool:
    """Whether all of the body was kept."""
    return len(delivery.payload) < MOST


def _keep(whose: Whose, incoming: Incoming, outcome: dict[str, Any]) -> None:
    pk = new_id("dlv")
    Delivery.objects.create(
        pk=pk, dedupe_key=pk, **_columns(whose, incoming), **outcome, **_came(incoming.at)
    )


def _keep_once_a_minute(whose: Whose, incoming: Incoming, error: ApiError) -> None:
    rows: Any = TriggerCaller if whose.caller else Receiver
    row = rows.objects.only("pk", "minute_began_at").filter(
        pk=whose.caller.pk if whose.caller else whose.entry.pk
    )
    minute = next((pace.minute_of(each) for each in row), "")
    key = f"too many:{whose.caller.pk if whose.caller else ''}:{minute}"
    columns = _columns(whose, incoming)
    known, is_new = Delivery.objects.only("pk").get_or_create(
        receiver_id=columns.pop("receiver_id"),
        dedupe_key=key,
        defaults={**columns, **refused(error, whose.secret), **_came(incoming.at)},
    )
    if not is_new:
        tallies.again(known.pk, incoming.at)


def _columns(whose: Whose, incoming: Incoming) -> dict[str, Any]:
    """The columns that say who called, and what was sent."""
    words = _without(whose.secret, incoming.body.decode("utf-8", "surrogateescape"))
    body = words.encode("utf-8", "surrogateescape")[:MOST]
    return {
        "receiver_id": whose.entry.pk,
        "caller": whose.caller,
        "caller_name": whose.caller.name if whose.caller else "",
        "headers": keeping.shown_headers(incoming.headers, whose.secret),
        "payload": body,
        **_asked(body),
    }


def _asked(body: bytes) -> dict[str, str]:
    """What was asked for, as far as it can be read."""
    try:
        order = json_object(body)
    except NotAnObject:
        return {}
    action = text(order, "action", limit=60)
    if action == Action.UPDATE and member(order, "dryRun") is True:
        action = Action.DRY_RUN.value
    scope = text(order, "scope", limit=60)
    named = "" if scope == "all" else text(order, f"{scope}Id", limit=MAX_NAMED)
    return {"event": action, "action": scope, "repository": named}


def _without(secret: str, words: str) -> str:
    """The words without the secret, as it is and as JSON writes it."""
    for written in {secret, json.dumps(secret)[1:-1]} - {""}:
        words = words.replace(written, HIDDEN)
    return words


def _came(at: datetime) -> dict[str, Any]:
    return {"received_at": at, "last_received_at": at}
