"""Sends what waits: each message leased by one worker, tried again later where it failed."""

from __future__ import annotations

import logging
import random
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import Case, F, When
from django.utils import timezone
from django.utils.translation import gettext as _

from dockrev.dispatch import LOST_AFTER, Cluster, dispatch, waiting
from dockrev.fields import UnreadableSecret
from dockrev.ids import new_id
from notifications import messages
from notifications.announce import NEW_VERSION
from notifications.channels import TRANSPORTS
from notifications.channels.base import SendError
from notifications.models import Channel, Notification

logger = logging.getLogger(__name__)

TASK = "notifications.outbox.send"
CLUSTER: Cluster = "quick"
MOST = 100  # handed out in one tick
PAUSES = tuple(timedelta(seconds=s) for s in (10, 30, 120, 600, 1800, 3600, 3 * 3600, 6 * 3600))
JITTER = 0.2

Status = Notification.Status


def send(notification_id: str) -> None:
    """Worker entry: claim a message that is due and try to send it once."""
    now = timezone.now()
    waiting = Notification.objects.waiting().filter(pk=notification_id)
    # Newer images that are found from now on need a message of their own.
    group = Case(When(kind=NEW_VERSION, then=None), default=F("group_key"))
    if not waiting.filter(next_attempt_at__lte=now).take(
        now, status=Status.SENDING, group_key=group
    ):
        return
    row = Notification.objects.select_related("channel").get(pk=notification_id)
    try:
        _send(row, now)
    except SendError as error:
        _failed(row, error)
    except Exception:
        logger.exception("sending failed", extra={"notification": row.pk})
        _failed(row, SendError(_("An error inside Dockrev; the log has it.")))


@dataclass(frozen=True)
class Tried:
    ok: bool
    status: int | None = None
    error: str = ""


def send_test(channel: Channel) -> Tried:
    """Try a channel now, on or off, and say what it answered."""
    message = messages.test_message(new_id("ntf"), channel.kind, timezone.now())
    try:
        return Tried(True, status=TRANSPORTS[channel.kind](channel.settings).send(message))
    except SendError as error:
        return Tried(False, status=error.status, error=str(error))


def _send(row: Notification, now: datetime) -> None:
    if not row.channel.enabled:
        raise SendError(_("The channel is switched off."))
    try:
        transport = TRANSPORTS[row.channel.kind](row.channel.settings)
    except UnreadableSecret as error:
        raise SendError(str(error)) from None
    transport.send(messages.message(row, now))
    sent = timezone.now()
    with transaction.atomic():
        Notification.objects.release(
            row, status=Status.SENT, sent_at=sent, error="", next_attempt_at=None
        )
        Channel.objects.filter(pk=row.channel_id).update(last_sent_at=sent, last_error="")
    logger.info("message sent", extra={"notification": row.pk, "channel": row.channel_id})


def _failed(row: Notification, error: SendError) -> None:
    """Plan the next try, or give up: after the last pause, or where trying cannot help."""
    words = str(error)[:1000]
    over = error.permanent or row.attempts > len(PAUSES)
    with transaction.atomic():
        if over:
            Notification.objects.release(
                row, status=Status.FAILED, error=words, next_attempt_at=None
            )
        else:
            pause = PAUSES[row.attempts - 1] * random.uniform(1 - JITTER, 1 + JITTER)  # noqa: S311 - spreads load, guards nothing
            Notification.objects.release(
                row,
                status=Status.WAITING,
                error=words,
                next_attempt_at=timezone.now() + pause,
                dispatched_at=None,
            )
        channel = {"last_error": words}
        if error.permanent:
            Channel.objects.filter(pk=row.channel_id).update(
                **channel, enabled=False, disabled_reason=words
            )
        else:
            Channel.objects.filter(pk=row.channel_id).update(**channel)


def send_again(notification_id: str) -> bool:
    """Put a message that was sent or given up back into the queue. False: it is on its way."""
    ended = Notification.objects.filter(
        pk=notification_id, status__in=[Status.SENT, Status.FAILED], lease_until=None
    )
    now = timezone.now()
    # Its count starts again at one: the pauses after a failure are those of a fresh message.
    return bool(
        ended.update(status=Status.WAITING, attempts=1, next_attempt_at=now, dispatched_at=None)
    )


def dispatch_due(now: datetime) -> int:
    """Hand every message that has become due to a worker."""
    due = Notification.objects.waiting().filter(dispatched_at=None, next_attempt_at__lte=now)
    count = 0
    for notification_id in list(due.values_list("pk", flat=True)[:MOST]):
        with transaction.atomic():
            waiting = Notification.objects.waiting().filter(pk=notification_id)
            ours = waiting.filter(dispatched_at=None).update(dispatched_at=now)
            if ours:
                dispatch(TASK, notification_id, cluster=CLUSTER, now=now)
                count += 1
    return count


def recover(now: datetime) -> None:
    """Bring back what a dead worker was sending, and what a lost message was about."""
    for row in Notification.objects.filter(status=Status.SENDING).expired(now):
        with transaction.atomic():
            Notification.objects.expired(now).release(
                row, status=Status.WAITING, next_attempt_at=now, dispatched_at=None
            )
    if not waiting(CLUSTER, now).exists():
        lost = Notification.objects.waiting().filter(dispatched_at__lt=now - LOST_AFTER)
        lost.update(dispatched_at=None)


def redispatch(cluster: Cluster) -> None:
    """After the workers were restarted: what they had taken but not begun."""
    if cluster == CLUSTER:
        Notification.objects.waiting().update(dispatched_at=None)


def busy(cluster: Cluster, now: datetime) -> int:
    """How many messages a worker is sending now."""
    sending = Notification.objects.filter(status=Status.SENDING, lease_until__gte=now)
    return sending.count() if cluster == CLUSTER else 0


def is_late(cluster: Cluster, since: datetime) -> bool:
    """Whether a message was handed to the cluster before `since` and nobody sends it."""
    waiting = Notification.objects.waiting().filter(dispatched_at__lt=since)
    return cluster == CLUSTER and waiting.exists()
