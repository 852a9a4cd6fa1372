"""Where messages go, and the messages on their way."""

from __future__ import annotations

import json
from typing import Any, Self

from django.db import models
from django.utils.translation import gettext_lazy as _

from dockrev.fields import IdField, SecretField
from dockrev.leases import Leased, LeasedQuerySet
from notifications import channels


class Channel(models.Model):
    """A place that messages are sent to. `config` is JSON, encrypted whole."""

    id = IdField("chn")
    kind = models.CharField(_("kind"), max_length=20, choices=channels.choices)
    name = models.CharField(_("name"), max_length=100)
    enabled = models.BooleanField(_("enabled"), default=True)
    events = models.JSONField(_("messages"), default=list, blank=True)
    stack_ids = models.JSONField(_("stacks"), default=list, blank=True)
    config = SecretField(_("configuration"))
    disabled_reason = models.TextField(_("switched off because"), blank=True)
    last_sent_at = models.DateTimeField(_("last sent"), null=True, blank=True)
    last_error = models.TextField(_("last error"), blank=True)
    created_at = models.DateTimeField(_("created"), auto_now_add=True)

    class Meta:
        ordering = ["name"]
        verbose_name = _("channel")
        verbose_name_plural = _("channels")

    def __str__(self) -> str:
        return self.name

    @property
    def settings(self) -> dict[str, Any]:
        """The configuration in clear. Never put it into a log, a page or an answer."""
        return dict(json.loads(self.config or "{}"))

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

    def waiting(self) -> Self:
        return self.filter(status=Notification.Status.WAITING, next_attempt_at__isnull=False)


class Notification(Leased):
    """One message to one channel: written before it is sent, kept until it was.

        waiting -> sending -> sent | failed
           ^          |
           +----------+  it could not be sent; tried again later

    `content` is the facts as they were when it was written; company that arrives before it is
    sent is added to them. `group_key` says which messages may share one: newer images until the
    first try, an audit for ever. `next_attempt_at` is empty once it is over.
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
    dispatched_at = models.DateTimeField(_("handed to a worker"), null=True, blank=True)
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
            )
        ]
        indexes = [
            *Leased.Meta.indexes,
            models.Index(
                fields=["status", "next_attempt_at"],
                name="due_notifications",
                condition=models.Q(next_attempt_at__isnull=False),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind} to {self.channel_id}"
