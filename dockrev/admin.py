"""The instance itself, in the admin."""

from __future__ import annotations

from django.contrib import admin
from django_q.models import Schedule as QueueSchedule

from dockrev.models import ApiToken, Heartbeat, Schedule, Setting
from dockrev.row_admin import RecordAdmin, RowAdmin
from dockrev.schedule_form import ScheduleForm

# The queue's own scheduler is off: what is entered there never runs. Ours is `Schedule`, below.
admin.site.unregister(QueueSchedule)


@admin.register(ApiToken)
class ApiTokenAdmin(RowAdmin):
    """Tokens are made on the command line, which shows them once; here they are taken away."""

    list_display = ("name", "hint", "user", "created_at", "expires_at", "last_used_at")
    list_select_related = ("user",)
    fields = ("name", "user", "hint", "created_at", "expires_at", "last_used_at")
    readonly_fields = ("user", "hint", "created_at", "last_used_at")

    def has_add_permission(self, request: object) -> bool:
        return False


@admin.register(Setting)
class SettingAdmin(RowAdmin):
    list_display = ("key", "value", "updated_at")


@admin.register(Schedule)
class ScheduleAdmin(RowAdmin):
    form = ScheduleForm
    list_display = ("name", "enabled", "cron", "next_run_at", "last_run_at")
    fields = ("name", "enabled", "cron", "jitter_seconds", "next_run_at", "last_run_at")
    readonly_fields = ("name", "next_run_at", "last_run_at")

    def has_add_permission(self, request: object) -> bool:
        return False


@admin.register(Heartbeat)
class HeartbeatAdmin(RecordAdmin):
    list_display = ("name", "at")
