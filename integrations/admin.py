"""Receivers, deliveries, accounts and what they track, in the admin."""

from __future__ import annotations

from functools import partial
from typing import Any

from django.contrib import admin, messages
from django.db import transaction
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from dockrev.errors import ApiError
from dockrev.row_admin import RecordAdmin, RowAdmin
from integrations import replaying, roster, tracking
from integrations.caller_form import CallerForm
from integrations.forms import HookAccountForm, HookTargetForm, ReceiverForm
from integrations.hooks import credentials, setup
from integrations.models import (
    Delivery,
    DeliveryPart,
    HookAccount,
    HookTarget,
    Receiver,
    TriggerCaller,
)
from integrations.payloads import readable


@admin.register(Receiver)
class ReceiverAdmin(RowAdmin):
    form = ReceiverForm
    list_display = ("name", "kind", "enabled", "secret_created_at", "last_accepted_at")
    list_filter = ("kind", "enabled")
    fields = (
        "kind", "name", "enabled", "secret", "secret_created_at", "registry_host", "options",
        "last_accepted_at", "last_rejected_at", "rejected_count", "disabled_count",
    )  # fmt: skip
    readonly_fields = (
        "secret_created_at",
        "last_accepted_at",
        "last_rejected_at",
        "rejected_count",
        "disabled_count",
    )

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        return (*self.readonly_fields, "kind") if obj else self.readonly_fields

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """As elsewhere: the first of a kind stays, and so does what an account needs."""
        may: bool = super().has_delete_permission(request, obj)
        return may and (obj is None or roster.may_go(obj))


@admin.register(TriggerCaller)
class TriggerCallerAdmin(RowAdmin):
    """They are made where their secrets can be shown once: on the trigger's page, or by the API."""

    form = CallerForm
    list_display = ("name", "receiver", "enabled", "every_stack", "last_used_at")
    list_filter = ("enabled", "receiver")
    list_select_related = ("receiver",)
    search_fields = ("name",)
    fields = (
        "name", "enabled", "actions", "every_stack", "stacks", "calls_per_minute",
        "secret_created_at", "last_used_at",
    )  # fmt: skip
    readonly_fields = ("secret_created_at", "last_used_at")

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def get_queryset(self, request: HttpRequest) -> QuerySet[TriggerCaller]:
        rows: QuerySet[TriggerCaller] = super().get_queryset(request)
        return rows.defer("receiver__secret", "receiver__previous_secret")


@admin.register(Delivery)
class DeliveryAdmin(RecordAdmin):
    list_display = ("id", "receiver", "event", "repository", "decision", "reason", "received_at")
    list_filter = ("decision", "reason", "receiver")
    list_select_related = ("receiver",)
    search_fields = ("id", "sender_id", "repository")
    exclude = ("payload",)
    readonly_fields = ("payload_text",)
    actions = ("replay",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Delivery]:
        rows: QuerySet[Delivery] = super().get_queryset(request)
        return rows.defer("payload", "receiver__secret", "receiver__previous_secret")

    @admin.display(description=_("payload"))
    def payload_text(self, delivery: Delivery) -> str:
        return readable(delivery.payload).text

    @admin.action(description=_("Replay"))
    def replay(self, request: HttpRequest, queryset: QuerySet[Delivery]) -> None:
        count = 0
        for delivery in queryset.select_related("receiver", "caller"):
            try:
                replaying.replay(delivery)
            except ApiError as error:
                self.message_user(request, f"{delivery.pk}: {error.message}", messages.ERROR)
            else:
                count += 1
        words = ngettext("%(count)d delivery replayed.", "%(count)d deliveries replayed.", count)
        self.message_user(request, words % {"count": count}, messages.SUCCESS)


@admin.register(DeliveryPart)
class DeliveryPartAdmin(RecordAdmin):
    list_display = ("key", "receiver", "delivery_id")
    list_filter = ("receiver",)
    list_select_related = ("receiver",)
    search_fields = ("key", "delivery__id")
    fields = ("key", "receiver", "delivery_id")

    def get_queryset(self, request: HttpRequest) -> QuerySet[DeliveryPart]:
        rows: QuerySet[DeliveryPart] = super().get_queryset(request)
        return rows.defer("receiver__secret", "receiver__previous_secret")


@admin.register(HookAccount)
class HookAccountAdmin(RowAdmin):
    form = HookAccountForm
    list_display = ("name", "provider", "receiver", "callback_url")
    list_select_related = ("receiver",)
    fields = (
        "provider", "receiver", "name", "api_url", "username", "credential", "authorities",
        "callback_url", "verify_tls",
    )  # fmt: skip

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        return ("provider", "receiver") if obj else ()

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """As elsewhere: GitHub's stays, and so does one whose hooks nobody would find any more."""
        may: bool = super().has_delete_permission(request, obj)
        return may and (obj is None or setup.may_go(obj))

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        """Try a new token, which must wait for the end of the transaction."""
        super().save_model(request, obj, form, change)
        if obj.credential and not obj.credential_report:
            transaction.on_commit(partial(credentials.try_and_store, obj))


@admin.register(HookTarget)
class HookTargetAdmin(RowAdmin):
    """Repositories that deliveries may come from, each `owner/name`.

    A deleted one that has a hook is only marked as removed, until the next sync.
    """

    form = HookTargetForm
    list_display = ("full_name", "account", "selected", "removed", "hook_state", "verified_at")
    list_filter = ("selected", "removed", "hook_state", "account")
    list_select_related = ("account",)
    search_fields = ("full_name",)
    fields = ("account", "full_name", "selected")

    def delete_model(self, request: HttpRequest, obj: HookTarget) -> None:
        tracking.forget(HookTarget.objects.filter(pk=obj.pk))

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[HookTarget]) -> None:
        tracking.forget(queryset)
