"""A stored delivery once more, of whichever kind it is."""

from __future__ import annotations

from dockrev.errors import Conflict
from integrations import ingest, trigger
from integrations.ingest import Answer
from integrations.models import Delivery
from integrations.receivers.trigger import Trigger


def replay(delivery: Delivery) -> Answer:
    """Do what a delivery asks for as if it had come now; it comes with receiver and caller.

    Raises Conflict for a call of the trigger that is not to be repeated.
    """
    if delivery.receiver.kind == Trigger.kind:
        return trigger.replay(delivery)
    return ingest.replay(delivery)


def why_not(delivery: Delivery) -> str:
    """Why it is not to be repeated, for people; empty where it may be."""
    if delivery.receiver.kind != Trigger.kind:
        return ""
    try:
        trigger.require_replayable(delivery)
    except Conflict as refusal:
        return refusal.message
    return ""
