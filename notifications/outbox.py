"""Sends what is due: each message under a lease, tried again later where it failed.

A channel is sent one message at a time, in the order that they became due. After a failure it
rests as a whole, so that what waits is not tried one by one where nobody is; then one message
shows whether it works again. That is the same one, unless the failure may be about the message:
then it gives way to the others. Pauses are twice as long as it has been failing.
"""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import Case, F, Q, When
from django.db.models.functions import Coalesce
from django.utils import timezone
from django.utils.translation import gettext as _

from dockrev import languages
from dockrev.fields import UnreadableSecret
from notifications import announce, messages
from notifications.announce import NEW_VERSION
from notifications.channels import TRANSPORTS
from notifications.channels.base import Message, OwedToSome, PartlyTaken, SendError
from notifications.models import Attempt, Channel, Notification, NotificationQuerySet

logger = logging.getLogger(__name__)

TRY_FOR = timedelta(days=1)  # from the first try
FIRST_PAUSE, LONGEST_PAUSE = timedelta(seconds=10), timedelta(minutes=30)
JITTER = 0.2
OUTAGE = timedelta(minutes=1)  # a shorter one changes nothing about the order
MAX_ERROR, MAX_EXCERPT, MAX_TITLE = 1000, 200, 200
TOO_MANY = 429

Status = Notification.Status
Outcome = Attempt.Outcome


def claim(channel_id: str, now: datetime) -> Notification | None:
    """Take the next message of a channel; None where none is due, or another is under way."""
    due = Notification.objects.due(now).filter(
        channel__in=Channel.objects.to_send_to(now).filter(pk=channel_id)
    )
    first = _first(due, now)
    if first is None:
        return None
    # Newer images that are found from now on need a message of their own.
    group = Case(When(kind=NEW_VERSION, then=None), default=F("group_key"))
    began = {"began_at": now, "due_since": Coalesce(F("due_since"), now)}
    try:
        with transaction.atomic():
            taken = (
                Notification.objects.due(now)
                .filter(pk=first)
                .take(now, status=Status.SENDING, group_key=group, **began)
            )
    except IntegrityError:
        return None  # somebody else sends to this channel
    # The configuration comes when it is needed, where it may be found that it cannot be read.
    rows = Notification.objects.select_related("channel").defer("channel__config")
    return rows.get(pk=first) if taken else None


def _first(due: NotificationQuerySet, now: datetime) -> str | None:
    """The id of the first of these. What was not taken in time waits for the end of the channel's
    quiet hours, as what comes in them does; what somebody sends again does not."""
    rows = due.select_related("channel").defer("channel__config", "said")
    while (row := rows.order_by("next_attempt_at", "pk").first()) is not None:
        # A message that ended, which alone can be sent again, had a try or says why it had none.
        is_sent_again = row.due_since is None and (row.attempts > 0 or row.error != "")
        until = None if is_sent_again else row.channel.quiet_until(now)
        if until is None or announce.is_urgent(row.kind, row.content):
            return row.pk
        due.filter(pk=row.pk).update(next_attempt_at=until)
    return None


class Broken(SendError):
    """It is our own fault, and about this message."""


def send(row: Notification) -> None:
    """Try once to send what was claimed, and write what came of it."""
    with languages.spoken():
        _send(row)


def _send(row: Notification) -> None:
    began = time.monotonic()
    try:
        answer = _give(row)
    except PartlyTaken as part:
        _sent(row, part.status, _ms_since(began), words=str(part)[:MAX_ERROR])
    except SendError as error:
        _failed(row, error, _ms_since(began))
    except Exception:
        logger.exception("sending failed", extra={"notification": row.pk})
        ours = Broken(_("An error inside Dockrev; the log has it."))
        _failed(row, ours, _ms_since(began))
    else:
        _sent(row, answer, _ms_since(began))


@dataclass(frozen=True)
class Tried:
    ok: bool
    status: int | None = None
    error: str = ""


def send_now(channel: Channel, message: Message) -> Tried:
    """Try a channel, on or off, and say what it answered. What waits for it goes at once if it took
    this. Raises UnreadableSecret."""
    transport = TRANSPORTS[channel.kind](channel.settings, channel.pk)
    try:
        status = transport.send(message)
    except SendError as error:
        return Tried(False, status=error.status, error=str(error))
    works(channel, timezone.now())
    return Tried(True, status=status)


def works(channel: Channel, now: datetime, **changes: Any) -> None:
    """Note that a channel takes messages: after an outage all that waited for it is due."""
    healthy = {"last_error": "", "failing_since": None, "paused_until": None}
    Channel.objects.filter(pk=channel.pk).update(**healthy | changes)
    if channel.failing_since and now - channel.failing_since > OUTAGE:
        kept_back = channel.notifications.waiting().filter(due_since__isnull=False)
        kept_back.update(next_attempt_at=F("due_since"))


def _give(row: Notification) -> int | None:
    """Hand a message over; the row then says what it said."""
    message = messages.message(row, timezone.now())
    row.title, row.said = message.title[:MAX_TITLE], dict(message.payload)
    try:
        transport = TRANSPORTS[row.channel.kind](row.channel.settings, row.channel_id)
    except UnreadableSecret as error:
        raise SendError(str(error)) from None
    return transport.send(message)


def _sent(row: Notification, answer: int | None, took: int, words: str = "") -> None:
    """Write that it was taken; `words` say by whom it was not."""
    now = timezone.now()
    changes = {"status": Status.SENT, "sent_at": now, "error": words, "next_attempt_at": None}
    with transaction.atomic():
        if _release(row, Outcome.SENT, changes, took_ms=took, answer=answer):
            works(row.channel, now, last_sent_at=now, last_error=words)
    logger.info("message sent", extra={"notification": row.pk, "channel": row.channel_id})


def _failed(row: Notification, error: SendError, took: int) -> None:
    """Plan the next try, or give up: after a day, or where trying cannot help."""
    now = timezone.now()
    outcome = Outcome.AGAIN
    if error.final:
        outcome = Outcome.REFUSED
    elif now - _since(row.due_since, now) >= TRY_FOR:
        outcome = Outcome.GIVEN_UP
    changes: dict[str, Any] = {"status": Status.FAILED, "next_attempt_at": None}
    if outcome is Outcome.AGAIN:
        changes = {"status": Status.WAITING}
        if _gives_way(row, error, now):
            wanted = error.retry_after if isinstance(error, OwedToSome) else None
            pause = max(wanted or timedelta(), _pause(row.due_since, now))
            changes["next_attempt_at"] = now + pause
    changes["error"] = str(error)[:MAX_ERROR]
    with transaction.atomic():
        said = {"answer": error.status, "excerpt": error.excerpt[:MAX_EXCERPT]}
        if not _release(row, outcome, changes, took_ms=took, **said):
            return
        if isinstance(error, OwedToSome):
            works(row.channel, now, last_sent_at=now, last_error=changes["error"])
        else:
            _let_rest(row.channel, error, now)


def _release(row: Notification, outcome: str, changes: Mapping[str, Any], **facts: Any) -> bool:
    """Write what came of a try. False: it was taken for lost meanwhile."""
    if not Notification.objects.release(row, title=row.title, said=row.said, **changes):
        return False
    Attempt.objects.create(
        notification=row,
        number=row.attempts,
        began_at=row.began_at or timezone.now(),
        outcome=outcome,
        error=changes["error"],
        **facts,
    )
    return True


def _gives_way(row: Notification, error: SendError, now: datetime) -> bool:
    """Whether a failure may be about the message alone: an answer that does not speak of too much
    or say when to come again, one that others had no part in, an error of ours, or one that
    stays."""
    of_channel = error.status in (None, TOO_MANY) or error.retry_after is not None
    if isinstance(error, Broken | OwedToSome) or not of_channel:
        return True
    return now - _since(row.due_since, now) > OUTAGE


def _let_rest(channel: Channel, error: SendError, now: datetime) -> None:
    """Keep a failure of a channel, and what waits for it back; for a day, then that is over."""
    words = str(error)[:MAX_ERROR]
    changes: dict[str, Any] = {"failing_since": Coalesce(F("failing_since"), now)}
    if error.gone:
        changes |= {"enabled": False, "disabled_reason": words}
    if error.final:
        changes["paused_until"] = None
    else:
        # Refusals that were final are no reason to wait long.
        since = channel.failing_since if channel.paused_until else None
        wanted = min(error.retry_after or timedelta(), TRY_FOR)
        changes["paused_until"] = now + max(wanted, _pause(since, now))
    Channel.objects.filter(pk=channel.pk).update(last_error=words, **changes)
    if error.final:
        return
    waiting = channel.notifications.due(now)
    waiting.filter(due_since=None).update(due_since=now)
    why = _("It could not be sent for a day. %(why)s") % {"why": words}
    waiting.filter(due_since__lte=now - TRY_FOR).update(
        status=Status.FAILED, next_attempt_at=None, error=why
    )


def _pause(since: datetime | None, now: datetime) -> timedelta:
    """How long to wait for the next try after failures `since` then."""
    grown = max(FIRST_PAUSE, min(2 * (now - _since(since, now)), LONGEST_PAUSE))
    return grown * random.uniform(1 - JITTER, 1 + JITTER)  # noqa: S311 - spreads load, guards nothing


def _since(moment: datetime | None, now: datetime) -> datetime:
    return now if moment is None else moment


def _ms_since(began: float) -> int:
    return int((time.monotonic() - began) * 1000)


def send_again(notification_id: str, now: datetime) -> bool:
    """Put a message that was sent or given up back into the queue, to be sent at once under the
    same id. False: it is on its way, or its channel is off."""
    ended = Notification.objects.filter(
        pk=notification_id,
        status__in=[Status.SENT, Status.FAILED],
        lease_until=None,
        channel__in=Channel.objects.filter(enabled=True),
    )
    with transaction.atomic():
        queued = ended.update(status=Status.WAITING, next_attempt_at=now, due_since=None)
        if queued:
            Channel.objects.filter(notifications=notification_id).update(paused_until=None)
    return bool(queued)


def recover(now: datetime) -> None:
    """Bring back what a dead worker was sending, and end what waits for a channel that is off."""
    lost = list(Notification.objects.filter(status=Status.SENDING).expired(now))
    over = Notification.objects.due(now - TRY_FOR).filter(channel__enabled=False)
    if not lost and not over.exists():
        return
    with languages.spoken():
        words = _("What sent it ended meanwhile. It may have arrived, and is sent again.")
        off = _("The channel was switched off.")
    for row in lost:
        with transaction.atomic():
            _release(row, Outcome.LOST, {"status": Status.WAITING, "error": words})
    over.update(status=Status.FAILED, next_attempt_at=None, error=off)


def is_late(since: datetime) -> bool:
    """Whether something could have been sent since then, and nobody sent anything at all."""
    if not Channel.objects.to_send_to(since).exists():
        return False
    held, begun = Q(lease_until__gt=since), Q(began_at__gt=since)
    return not Notification.objects.filter(held | begun).exists()
