"""Channels and messages, in the admin."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from dockrev.permissions import Role, role_of
from dockrev.row_admin import RecordAdmin, RowAdmin
from notifications import outbox
from notifications.forms import ChannelForm
from notifications.models import Attempt, Channel, MessageTemplate, Notification
from notifications.push_models import PushSubscription


@admin.register(Channel)
class ChannelAdmin(RowAdmin):
    form = ChannelForm
    list_display = ("name", "kind", "enabled", "last_sent_at", "last_error")
    list_filter = ("kind", "enabled")
    fields = (
        "kind", "name", "enabled", "events", "stack_ids", "language", "quiet_from", "quiet_to",
        "quiet_days", "config", "disabled_reason", "last_sent_at", "last_error",
    )  # fmt: skip
    readonly_fields = ("disabled_reason", "last_sent_at", "last_error")

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        return (*self.readonly_fields, "kind") if obj else self.readonly_fields

    def get_queryset(self, request: HttpRequest) -> QuerySet[Channel]:
        rows: QuerySet[Channel] = super().get_queryset(request)
        return rows.defer("config")


@admin.register(Notification)
class NotificationAdmin(RecordAdmin):
    list_display = ("id", "channel", "kind", "status", "attempts", "created_at", "sent_at")
    list_filter = ("status", "kind", "channel")
    list_select_related = ("channel",)
    search_fields = ("id",)
    actions = ("send_again",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Notification]:
        rows: QuerySet[Notification] = super().get_queryset(request)
        return rows.defer("channel__config")

    @admin.action(description=_("Send again"))
    def send_again(self, request: HttpRequest, queryset: QuerySet[Notification]) -> None:
        now = timezone.now()
        count = sum(outbox.send_again(row.pk, now) for row in queryset)
        words = ngettext("%(count)d message queued.", "%(count)d messages queued.", count)
        level = messages.SUCCESS if count else messages.WARNING
        self.message_user(request, words % {"count": count}, level)


@admin.register(Attempt)
class AttemptAdmin(RecordAdmin):
    list_display = ("notification", "number", "began_at", "took_ms", "outcome", "answer")
    list_filter = ("outcome",)
    list_select_related = ("notification",)
    search_fields = ("notification__id",)


@admin.register(PushSubscription)
class PushSubscriptionAdmin(RecordAdmin):
    """A browser makes one; here it can be removed."""

    list_display = ("id", "browser", "host", "user", "channel", "last_sent_at", "failing_since")
    list_filter = ("channel", "host")
    list_select_related = ("user", "channel")
    search_fields = ("id", "user__username")
    fields = (
        "browser", "host", "user", "channel", "created_at", "last_sent_at", "failing_since",
        "last_error",
    )  # fmt: skip

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return role_of(request.user) >= Role.ADMIN

    def get_queryset(self, request: HttpRequest) -> QuerySet[PushSubscription]:
        rows: QuerySet[PushSubscription] = super().get_queryset(request)
        return rows.defer("endpoint", "auth", "channel__config")


@admin.register(MessageTemplate)
class MessageTemplateAdmin(RecordAdmin):
    """They are written in *Settings, Events*, where they are tried first."""

    list_display = ("kind", "title", "updated_at", "updated_by", "failed_at", "error")
