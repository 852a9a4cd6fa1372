"""Browsers that messages are pushed to."""

from __future__ import annotations

from typing import Self

from django.conf import settings
from django.contrib.auth import get_user_model
from django.db import models
from django.utils.translation import gettext_lazy as _

from dockrev.fields import IdField, SecretField
from dockrev.permissions import Role

REMEMBERED = 20  # messages that a browser took; more are seldom under way at once
_ROLES = [role.name.lower() for role in Role if role >= Role.VIEWER]


class PushSubscriptionQuerySet(models.QuerySet["PushSubscription"]):
    def listed(self) -> Self:
        """Without what is encrypted: no list needs it."""
        return self.defer("endpoint", "auth")

    def of_people_here(self) -> Self:
        """Those whose people may look: switched on, and with a role.

        Who signs in through a proxy has no password, and maybe a role by the proxy's word alone.
        """
        may_look = (
            models.Q(user__is_superuser=True)
            | models.Q(user__password__startswith="!")  # noqa: S106 - the mark of having none
            | models.Q(user__in=get_user_model().objects.filter(groups__name__in=_ROLES))
        )
        return self.filter(may_look, user__is_active=True)


class PushSubscription(models.Model):
    """One browser of one person that takes a channel's messages.

    `endpoint` is where its vendor takes them: whoever knows it and `auth` can be taken for us by
    nobody but the browser, so both are encrypted, and the row is found by the endpoint's hash.
    `server_key` is the public key that it was made for; with another it is of no use any more.
    `taken` are the ids of the last messages, so that a repetition leaves out who had it.
    """

    id = IdField("psh")
    channel = models.ForeignKey(
        "notifications.Channel",
        models.CASCADE,
        related_name="push_subscriptions",
        verbose_name=_("channel"),
    )
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.CASCADE,
        related_name="push_subscriptions",
        verbose_name=_("user"),
    )
    endpoint = SecretField(_("endpoint"))
    endpoint_hash = models.CharField(max_length=64, unique=True, editable=False)
    p256dh = models.CharField(max_length=100, editable=False)
    auth = SecretField(editable=False)
    server_key = models.CharField(max_length=100, editable=False)
    host = models.CharField(_("push service"), max_length=255)
    browser = models.CharField(_("browser"), max_length=100)
    taken = models.JSONField(default=list, editable=False)
    created_at = models.DateTimeField(_("created"))
    last_sent_at = models.DateTimeField(_("last sent"), null=True, blank=True)
    failing_since = models.DateTimeField(_("failing since"), null=True, blank=True)
    last_error = models.TextField(_("last error"), blank=True)

    objects = PushSubscriptionQuerySet.as_manager()

    class Meta:
        ordering = ["-created_at", "-id"]
        verbose_name = _("push subscription")
        verbose_name_plural = _("push subscriptions")

    def __str__(self) -> str:
        return f"{self.browser}, {self.host}"
