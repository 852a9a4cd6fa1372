"""Job `deliveries.callback`: tell the sender of a delivery what came of it, where it asks for that.

Only Docker Hub ever did. Whoever knows the receiver's URL can write any address into a body, so it
is called only if it is one of Docker Hub's to the letter, only at a global address, and without
anything of ours that is worth stealing. The address holds a secret of its sender's: it is kept
nowhere but in the payload, and read from there again.
"""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from functools import partial
from typing import Any, NamedTuple

from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from checks import queue
from checks.kinds import JobKind, Outcome
from checks.models import Job
from checks.run import Run
from dockrev import addresses, http, preferences
from integrations.models import Delivery, Receiver
from integrations.proof import Entry, entry_of
from integrations.receivers import RECEIVERS
from integrations.receivers.base import Incoming, Reading
from integrations.receivers.docker_hub import CALLBACK, CALLBACK_FAILURE, proven_callback

NAME = "deliveries.callback"
CONTEXT = "Dockrev"  # of at most 100 characters
MAX_DESCRIPTION, MAX_ERROR = 255, 300  # of the first, Docker says so
MAX_ANSWER = 4096
# Connecting and each wait; the whole takes WAIT + REST seconds at the most.
WAIT, REST = 2.0, 3.0
GONE = {404, 410}
# Where no service matches, discovery may still find one: it is waited for, this long.
PAUSE, PATIENCE = timedelta(seconds=5), timedelta(minutes=10)

State = Delivery.Callback


class Report(NamedTuple):
    """What is told: a state that Docker's page knows, and a sentence."""

    state: str
    description: str


def begun(row: Entry, reading: Reading, delivery_id: str) -> dict[str, str]:
    """Queue a report if the delivery asks for one, and return what its columns say of it.

    Inside the transaction that keeps the delivery, after its work was queued.
    """
    state = may_be_called(row, reading)
    if state == State.WAITING:
        request = queue.Request(
            kind=NAME,
            reason=Job.Reason.WEBHOOK,
            subject=reading.repository,
            params={"delivery": delivery_id},
            created_by=row.name,
        )
        queue.enqueue(request)
    return {"callback_state": state} if state else {}


def report(run: Run) -> Outcome:
    deliveries = Delivery.objects.select_related("receiver")
    delivery = deliveries.filter(pk=run.job.params["delivery"]).first()
    if delivery is None:
        return Outcome()  # it was kept long enough
    row, reading, now = entry_of(delivery.receiver), _read(delivery), timezone.now()
    state = may_be_called(row, reading)
    if state != State.WAITING:
        return _outcome(delivery, {"callback_state": state})
    tells_failure = bool(row.setup.options.get(CALLBACK_FAILURE))
    if tells_failure and delivery.waiting_for_job and now < delivery.received_at + PATIENCE:
        return Outcome(again_at=now + PAUSE)
    told = _report(delivery, tells_failure=tells_failure)
    return _outcome(delivery, _tell(reading.callback_url, told, delivery.pk))


def may_be_called(row: Entry, reading: Reading) -> str:
    """WAITING where it is to be told; else why not, or nothing where nobody wants it."""
    if not (reading.callback_url and row.setup.options.get(CALLBACK)):
        return ""
    if CALLBACK in row.setup.learned:
        return State.UNSUPPORTED
    if not proven_callback(reading.callback_url, reading.repository):
        return State.REFUSED
    return State.WAITING


def _read(delivery: Delivery) -> Reading:
    incoming = Incoming(delivery.headers, bytes(delivery.payload), at=delivery.received_at)
    return RECEIVERS[delivery.receiver.kind].read(incoming, entry_of(delivery.receiver).setup)


def _report(delivery: Delivery, *, tells_failure: bool) -> Report:
    """What came of a delivery. Of what runs here it says no more than how many services."""
    if delivery.decision == Delivery.Decision.REJECTED:
        return Report("error", _("The payload could not be used."))
    if count := len(delivery.matched_service_ids):
        words = ngettext("%(count)d service is checked.", "%(count)d services are checked.", count)
        return Report("success", words % {"count": count})
    if delivery.decision == Delivery.Decision.PROCESSED and tells_failure:
        return Report("failure", _("No service runs this image."))
    return Report("success", _("There was nothing to check."))


def _tell(url: str, told: Report, delivery_id: str) -> dict[str, Any]:
    """Call the address, which has been proven, and return what the columns say of it."""
    columns: dict[str, Any] = {"callback_told": told.state, "callback_status": None}
    try:
        with addresses.from_outside():
            answer = http.request(
                "POST",
                url,
                headers={"Content-Type": "application/json"},
                body=json.dumps(_body(told, delivery_id)).encode(),
                timeout=(WAIT, WAIT),
                longest_body=REST,
                max_bytes=MAX_ANSWER,
                direct=True,
            )
    except http.Unreachable as error:
        words = str(error)[:MAX_ERROR]
        return {**columns, "callback_state": State.FAILED, "callback_error": words}
    columns["callback_status"] = answer.status
    if 200 <= answer.status < 300:
        return {**columns, "callback_state": State.SENT, "callback_error": ""}
    if answer.status in GONE:
        return {**columns, "callback_state": State.UNSUPPORTED, "callback_error": ""}
    words = _("It answered %(status)d.") % {"status": answer.status}
    return {**columns, "callback_state": State.FAILED, "callback_error": words}


def _body(told: Report, delivery_id: str) -> dict[str, str]:
    """`target_url` is our page of the delivery, where it is known what we are called outside."""
    base = preferences.get("public_base_url").rstrip("/")
    return {
        "state": told.state,
        "description": told.description[:MAX_DESCRIPTION],
        "context": CONTEXT,
        **({"target_url": f"{base}/deliveries/{delivery_id}"} if base else {}),
    }


def _outcome(delivery: Delivery, columns: dict[str, Any]) -> Outcome:
    state = columns["callback_state"]
    failed = state == State.FAILED
    summary = {"state": state, "told": columns.get("callback_told", "")}
    if failed:
        summary["error"] = columns["callback_error"]
    return Outcome(
        summary,
        status=Job.Status.FAILED if failed else Job.Status.SUCCESS,
        write=partial(_write, delivery, columns),
    )


def _write(delivery: Delivery, columns: dict[str, Any], _job: Job) -> None:
    Delivery.objects.filter(pk=delivery.pk).update(**columns)
    if columns.get("callback_status") in GONE:
        _give_up(delivery.receiver_id, timezone.now())


def _give_up(receiver_id: str, now: datetime) -> None:
    """Try no more until somebody switches the option off and on again."""
    row = Receiver.objects.select_for_update().get(pk=receiver_id)
    row.learned = {**row.learned, CALLBACK: now.isoformat(timespec="seconds")}
    row.save(update_fields=["learned"])


KIND = JobKind(NAME, cluster="quick", repeatable=True, run=report)
