"""Channels and messages, in the admin."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from dockrev.row_admin import RecordAdmin, RowAdmin
from notifications import outbox
from notifications.forms import ChannelForm
from notifications.models import Channel, Notification


@admin.register(Channel)
class ChannelAdmin(RowAdmin):
    form = ChannelForm
    list_display = ("name", "kind", "enabled", "last_sent_at", "last_error")
    list_filter = ("kind", "enabled")
    fields = (
        "kind", "name", "enabled", "events", "stack_ids", "config", "disabled_reason",
        "last_sent_at", "last_error",
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
        count = sum(outbox.send_again(row.pk) for row in queryset)
        words = ngettext("%(count)d message queued.", "%(count)d messages queued.", count)
        level = messages.SUCCESS if count else messages.WARNING
        self.message_user(request, words % {"count": count}, level)
