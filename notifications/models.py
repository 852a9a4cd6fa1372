"""Where messages go, and the messages on their way."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from typing import Any, Self

from django.db import models
from django.db.models import Count, Exists, OuterRef, Q, Subquery
from django.db.models.functions import Cast, Coalesce
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from dockrev.fields import IdField, SecretField, decrypt
from dockrev.leases import LEASE, Leased, LeasedQuerySet
from notifications import channels, templating
from notifications.quiet import Hours

# A send takes less, and is renewed. What a killed worker was sending keeps its channel for so long.
SEND_LEASE = min(LEASE, timedelta(seconds=30))
LONG = timedelta(hours=1)  # a channel that fails for so long has somebody see to it


class ChannelQuerySet(models.QuerySet["Channel"]):
    def open(self, now: datetime) -> Self:
        """Those that are on and do not rest after a failure."""
        rests = Q(paused_until__isnull=False, paused_until__gt=now)
        return self.filter(~rests, enabled=True)

    def sealed(self) -> Self:
        """With configurations that are read when `settings` is asked for: one that cannot be keeps
        no other row from coming."""
        return self.defer("config").annotate(sealed=Cast("config", models.TextField()))

    def with_waiting(self) -> Self:
        """Each with how many messages wait for it."""
        own = Notification.objects.waiting().filter(channel=OuterRef("pk")).order_by()
        counts = own.values("channel").annotate(count=Count("pk")).values("count")
        return self.annotate(waiting=Coalesce(Subquery(counts), 0))

    def to_see_to(self, now: datetime) -> Self:
        """Those that have failed for long, or that were switched off because they did."""
        failing = Q(enabled=True, failing_since__lt=now - LONG)
        return self.filter(failing | Q(enabled=False) & ~Q(disabled_reason=""))

    def to_send_to(self, now: datetime) -> Self:
        """Those that something is due for, and that nobody sends to."""
        own = Notification.objects.filter(channel=OuterRef("pk"))
        held = own.filter(lease_until__isnull=False)
        return self.open(now).filter(Exists(own.due(now)), ~Exists(held))


HELD_BACK = timedelta(seconds=5)  # and more: not only for company


class Channel(models.Model):
    """A place that messages are sent to. `config` is JSON, encrypted whole.

    `failing_since` is when the first try failed after the last one that did not. After one that
    may go well another time nothing is sent there until `paused_until`.
    """

    id = IdField("chn")
    kind = models.CharField(_("kind"), max_length=20, choices=channels.choices)
    name = models.CharField(_("name"), max_length=100)
    enabled = models.BooleanField(_("enabled"), default=True)
    events = models.JSONField(_("messages"), default=list, blank=True)
    stack_ids = models.JSONField(_("stacks"), default=list, blank=True)
    config = SecretField(_("configuration"))
    # Empty: as the whole of Dockrev.
    language = models.CharField(_("language"), max_length=10, blank=True)
    # Empty: nothing has to wait.
    quiet_from = models.TimeField(_("quiet from"), null=True, blank=True)
    quiet_to = models.TimeField(_("quiet until"), null=True, blank=True)
    quiet_days = models.JSONField(_("quiet on"), default=list, blank=True)
    disabled_reason = models.TextField(_("switched off because"), blank=True)
    last_sent_at = models.DateTimeField(_("last sent"), null=True, blank=True)
    last_error = models.TextField(_("last error"), blank=True)
    failing_since = models.DateTimeField(_("failing since"), null=True, blank=True, editable=False)
    paused_until = models.DateTimeField(_("rests until"), null=True, blank=True, editable=False)
    created_at = models.DateTimeField(_("created"), auto_now_add=True)

    sealed: str  # no column: the configuration as it is stored, of rows that come `sealed`

    objects = ChannelQuerySet.as_manager()

    class Meta:
        ordering = ["name"]
        verbose_name = _("channel")
        verbose_name_plural = _("channels")

    def __str__(self) -> str:
        return self.name

    @property
    def settings(self) -> dict[str, Any]:
        """The configuration in clear. Never put it into a log, a page or an answer.

        Raises UnreadableSecret.
        """
        sealed = getattr(self, "sealed", "")
        return dict(json.loads((decrypt(sealed) if sealed else self.config) or "{}"))

    @property
    def quiet_hours(self) -> Hours | None:
        if self.quiet_from is None or self.quiet_to is None:
            return None
        return Hours(self.quiet_from, self.quiet_to, self.quiet_days)

    def quiet_until(self, now: datetime) -> datetime | None:
        """Until when what is not urgent waits, if it has to now."""
        return self.quiet_hours.until(now) if self.quiet_hours else None

    @property
    def takes_one_image(self) -> bool:
        """Whether each message there is about one image."""
        return self.kind in channels.TRANSPORTS and channels.TRANSPORTS[self.kind].one_image_each

    def wants(self, event: str, stack_id: str = "") -> bool:
        """The choice of stacks says nothing about what belongs to no stack."""
        fits = not (stack_id and self.stack_ids) or stack_id in self.stack_ids
        return self.enabled and event in self.events and fits


class NotificationQuerySet(LeasedQuerySet["Notification"]):
    """Messages, and the conditional updates of their leases."""

    lease = SEND_LEASE

    def waiting(self) -> Self:
        return self.filter(status=Notification.Status.WAITING, next_attempt_at__isnull=False)

    def due(self, now: datetime) -> Self:
        """Those whose time has come."""
        return self.waiting().filter(next_attempt_at__lte=now)


class Notification(Leased):
    """One message to one channel: written before it is sent, kept until it was.

        waiting -> sending -> sent | failed
           ^          |
           +----------+  it could not be sent; tried again later

    `content` is the facts as they were when it was written; company that arrives before it is
    sent is added to them. `group_key` says which messages may share one: newer images until the
    first try, an audit for ever. `next_attempt_at` is empty once it is over. `began_at` is when
    the last try began, `due_since` since when it is tried, or waits for a channel that fails.
    `title` and `said`, the payload, are those of the last try. Each channel is sent one message at
    a time, and the database sees to it.
    """

    class Status(models.TextChoices):
        WAITING = "waiting", _("waiting")
        SENDING = "sending", _("sending")
        SENT = "sent", _("sent")
        FAILED = "failed", _("failed")

    id = IdField("ntf")
    channel = models.ForeignKey(
        Channel, models.CASCADE, related_name="notifications", verbose_name=_("channel")
    )
    kind = models.CharField(_("kind"), max_length=40)
    group_key = models.CharField(max_length=200, null=True, editable=False)  # noqa: DJ001 - many without
    content = models.JSONField(_("content"), default=dict)
    status = models.CharField(
        _("status"), max_length=16, choices=Status.choices, default=Status.WAITING
    )
    next_attempt_at = models.DateTimeField(_("next try"), null=True, blank=True)
    began_at = models.DateTimeField(_("last try"), null=True, blank=True)
    due_since = models.DateTimeField(_("tried since"), null=True, blank=True, editable=False)
    title = models.CharField(_("title"), max_length=200, blank=True)
    said = models.JSONField(_("what it said"), null=True, blank=True, editable=False)
    error = models.TextField(_("error"), blank=True)
    created_at = models.DateTimeField(_("created"))
    sent_at = models.DateTimeField(_("sent"), null=True, blank=True)

    objects = NotificationQuerySet.as_manager()

    class Meta(Leased.Meta):
        abstract = False
        ordering = ["-id"]
        verbose_name = _("notification")
        verbose_name_plural = _("notifications")
        constraints = [
            models.UniqueConstraint(
                fields=["channel", "group_key"], name="one_unsent_message_per_group"
            ),
            models.UniqueConstraint(
                fields=["channel"],
                condition=Q(lease_until__isnull=False),
                name="one_message_at_a_time_per_channel",
            ),
        ]
        indexes = [
            *Leased.Meta.indexes,
            models.Index(
                fields=["channel", "next_attempt_at"],
                name="due_notifications",
                condition=Q(next_attempt_at__isnull=False),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind} to {self.channel_id}"

    @property
    def is_held_back(self) -> bool:
        """Whether it waits for the end of its channel's quiet hours, and for nothing else."""
        at = self.next_attempt_at if self.status == self.Status.WAITING else None
        long = at is not None and at > timezone.now() and at - self.created_at > HELD_BACK
        return long and self.due_since is None


class Attempt(models.Model):
    """One try to send a message, and what came of it. `number` is that of the claim.

    `answer` is the status that the other side answered with, if it did, and `excerpt` the
    beginning of what it said. How long it took is not known of a try whose worker ended.
    """

    class Outcome(models.TextChoices):
        SENT = "sent", _("sent")
        AGAIN = "again", _("to be tried again")
        REFUSED = "refused", _("refused")
        GIVEN_UP = "given_up", _("given up")
        LOST = "lost", _("cut off")

    id = models.BigAutoField(primary_key=True)
    notification = models.ForeignKey(
        Notification, models.CASCADE, related_name="tries", verbose_name=_("notification")
    )
    number = models.PositiveIntegerField(_("number"))
    began_at = models.DateTimeField(_("began"))
    took_ms = models.PositiveIntegerField(_("milliseconds"), null=True, blank=True)
    outcome = models.CharField(_("outcome"), max_length=16, choices=Outcome.choices)
    answer = models.PositiveIntegerField(_("answer"), null=True, blank=True)
    error = models.TextField(_("error"), blank=True)
    excerpt = models.CharField(_("what it said"), max_length=200, blank=True)

    class Meta:
        ordering = ["notification", "number"]
        verbose_name = _("try")
        verbose_name_plural = _("tries")
        constraints = [
            models.UniqueConstraint(
                fields=["notification", "number"], name="one_row_per_try_of_a_notification"
            )
        ]

    def __str__(self) -> str:
        return f"{self.number} of {self.notification_id}"


class MessageTemplate(models.Model):
    """The words that people gave to one kind of message, in place of its own.

    `error` says why they could not be used when one was last sent: its own words were.
    """

    kind = models.CharField(_("kind"), max_length=40, primary_key=True)
    title = models.CharField(_("title"), max_length=templating.MAX_TITLE)
    text = models.TextField(_("text"), max_length=templating.MAX_TEXT)
    error = models.TextField(_("error"), blank=True)
    failed_at = models.DateTimeField(_("failed"), null=True, blank=True)
    updated_at = models.DateTimeField(_("updated"), auto_now=True)
    updated_by = models.CharField(_("updated by"), max_length=150, blank=True)

    class Meta:
        ordering = ["kind"]
        verbose_name = _("message template")
        verbose_name_plural = _("message templates")

    def __str__(self) -> str:
        return self.kind
