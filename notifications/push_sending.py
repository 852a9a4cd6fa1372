"""Sends one message to many browsers: each is tried, whatever came of the others."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextvars import copy_context
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from dockrev import addresses, http
from notifications import push_parcels
from notifications.channels.base import Message
from notifications.channels.posting import LATER, MAX_ANSWER, retry_after
from notifications.push_endpoints import Given, is_a_vendors
from notifications.push_models import REMEMBERED, PushSubscription
from notifications.push_parcels import Sender

AT_ONCE = 8
# Connecting and each wait, and the rest: a browser takes 8 seconds at the most, all of them 23.
WAIT, REST = 3.0, 5.0
ALTOGETHER = 15.0
GONE = {404, 410}
TOO_LARGE = 413


class Came(Enum):
    """What came of it: `later` may be taken at another time, `refused` will not."""

    TAKEN = "taken"
    GONE = "gone"
    LATER = "later"
    REFUSED = "refused"


@dataclass(frozen=True)
class Outcome:
    came: Came
    status: int | None = None
    error: str = ""
    retry_after: timedelta | None = None


Tried = tuple[PushSubscription, Outcome]


def send(rows: Sequence[PushSubscription], message: Message, sender: Sender) -> list[Tried]:
    """Try every browser, and keep of each what came of it as soon as it is known."""
    tried = []
    for row, outcome in _tried(rows, message, sender):
        _keep(row, message.id, outcome)
        tried.append((row, outcome))
    return tried


def _tried(rows: Sequence[PushSubscription], message: Message, sender: Sender) -> Iterator[Tried]:
    ends = time.monotonic() + ALTOGETHER
    with ThreadPoolExecutor(AT_ONCE) as pool, addresses.from_outside():
        # The policy, and the language of what is said, go along with each thread.
        asked = {
            pool.submit(copy_context().run, _push, _whom(row), message, sender, ends): row
            for row in rows
        }
        for done in as_completed(asked):
            yield asked[done], done.result()


def _whom(row: PushSubscription) -> Given:
    return Given(row.endpoint, row.p256dh, row.auth)


def _push(whom: Given, message: Message, sender: Sender, ends: float) -> Outcome:
    """In a thread, which reads nothing from the database."""
    if time.monotonic() > ends:
        return Outcome(Came.LATER, error=_("There was no time left for it."))
    sent = {**push_parcels.headers(message), "Authorization": sender.authorization(whom.endpoint)}
    came = Outcome(Came.REFUSED)
    for size in push_parcels.SIZES:
        body = push_parcels.encrypted(push_parcels.payload(message, size), whom)
        came = _asked(whom, sent, body)
        if came.status != TOO_LARGE:
            break
    return came


def _asked(whom: Given, headers: dict[str, str], body: bytes) -> Outcome:
    try:
        answer = http.request(
            "POST",
            whom.endpoint,
            headers=headers,
            body=body,
            timeout=(WAIT, WAIT),
            longest_body=REST,
            max_bytes=MAX_ANSWER,
            direct=not is_a_vendors(whom.host),
        )
    except http.Unreachable as error:
        return Outcome(Came.LATER, error=str(error))
    status = answer.status
    if 200 <= status < 300:
        return Outcome(Came.TAKEN, status)
    if status in GONE:
        return Outcome(Came.GONE, status)
    words = _("%(host)s answered %(status)d.") % {"host": whom.host, "status": status}
    if status in LATER or status >= 500:
        pause = retry_after(answer.headers.get("Retry-After", ""), timezone.now())
        return Outcome(Came.LATER, status, words, pause)
    return Outcome(Came.REFUSED, status, words)


def _keep(row: PushSubscription, message_id: str, outcome: Outcome) -> None:
    now = timezone.now()
    known = PushSubscription.objects.filter(pk=row.pk)
    match outcome.came:
        case Came.GONE:
            # Unless it was made anew meanwhile.
            known.filter(endpoint_hash=row.endpoint_hash).delete()
        case Came.TAKEN:
            _took(row.pk, message_id, now)
        case _:
            known.filter(failing_since=None).update(failing_since=now)
            known.update(last_error=outcome.error[:500])


def _took(pk: str, message_id: str, now: datetime) -> None:
    with transaction.atomic():
        row = PushSubscription.objects.listed().select_for_update().filter(pk=pk).first()
        if row is None:
            return
        others = [each for each in row.taken if each != message_id]
        row.taken = [*others, message_id][-REMEMBERED:]
        row.last_sent_at, row.failing_since, row.last_error = now, None, ""
        row.save(update_fields=["taken", "last_sent_at", "failing_since", "last_error"])
