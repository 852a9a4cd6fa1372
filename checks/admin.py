"""What runs here, what is newer, and work, in the admin."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.db.models import Model, QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from checks import asking, ignoring
from checks.forms import IgnoreRuleForm
from checks.host_form import HostForm
from checks.kinds import KINDS
from checks.models import (
    Announcement,
    Backup,
    Candidate,
    Finding,
    Hold,
    Host,
    HostKey,
    IgnoreRule,
    Image,
    Job,
    JobLog,
    Pause,
    Registry,
    ReleaseNotes,
    Replaced,
    Service,
    Stack,
    TagList,
)
from checks.registry_form import RegistryForm
from dockrev.row_admin import RecordAdmin, RowAdmin


@admin.register(Host)
class HostAdmin(RowAdmin):
    """What is lost with a host is said, and chosen, in Settings: it is removed there."""

    form = HostForm
    list_display = ("name", "docker_host", "enabled", "version", "platform", "seen_at", "error")
    readonly_fields = (
        "platform", "version", "containers", "read_only", "seen_at", "error", "unreachable_since",
        "removed_at",
    )  # fmt: skip

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


@admin.register(HostKey)
class HostKeyAdmin(RecordAdmin):
    fields = ("host",)


@admin.register(Stack)
class StackAdmin(RowAdmin):
    list_display = ("name", "host", "status", "source", "seen_at", "archived_at")
    list_filter = ("status", "source", "host")
    list_select_related = ("host",)
    search_fields = ("name",)
    fields = (
        "host", "name", "status", "error", "source", "config_files", "environment_files",
        "working_dir", "seen_at", "archived_at", "created_at",
    )  # fmt: skip
    # What discovery writes would be overwritten at its next look.
    readonly_fields = tuple(name for name in fields if name != "archived_at")

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False


@admin.register(Service)
class ServiceAdmin(RowAdmin):
    list_display = ("name", "stack", "image_ref", "status", "state", "checked_at")
    list_filter = ("status", "state", "registry")
    list_select_related = ("stack",)
    search_fields = ("name", "stack__name", "image_ref")
    fields = (
        "stack", "name", "image_ref", "registry", "repository", "tag", "pinned_digest",
        "platform", "state", "replicas", "running_digests", "running_image_id", "status", "error",
        "checked_at", "missing_since", "archived_at", "created_at",
    )  # fmt: skip
    readonly_fields = tuple(name for name in fields if name != "archived_at")

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False


@admin.register(Registry)
class RegistryAdmin(RowAdmin):
    form = RegistryForm
    list_display = (
        "host", "insecure", "username", "mirror_of", "cooldown_until", "limit_remaining",
        "limit_most", "last_error",
    )  # fmt: skip
    readonly_fields = (
        "cooldown_until", "last_error", "last_ok_at", "limit_most", "limit_remaining",
        "limit_window", "limit_seen_at", "unreachable_since",
    )  # fmt: skip
    search_fields = ("host",)


@admin.register(TagList)
class TagListAdmin(RecordAdmin):
    list_display = ("registry", "repository", "fetched_at", "etag", "size")
    list_filter = ("registry",)
    search_fields = ("repository",)


@admin.register(Candidate)
class CandidateAdmin(RecordAdmin):
    list_display = ("service", "step", "tag", "digest", "arch", "opened_at", "closed_as")
    list_filter = ("step", "arch", "closed_as")
    list_select_related = ("service",)
    search_fields = ("service__name", "tag", "digest")


@admin.register(Backup)
class BackupAdmin(RecordAdmin):
    list_display = (
        "stack_name", "service_name", "kind", "name", "how", "state", "size", "made_at",
    )  # fmt: skip
    list_filter = ("kind", "how", "state")
    search_fields = ("stack_name", "service_name", "name")


@admin.register(Finding)
class FindingAdmin(RecordAdmin):
    list_display = (
        "repository", "tag", "digest", "critical", "high", "other", "scanner", "source", "at",
    )  # fmt: skip
    list_filter = ("registry", "scanner")
    search_fields = ("repository", "tag", "digest")


@admin.register(Announcement)
class AnnouncementAdmin(RecordAdmin):
    list_display = ("at", "service", "digest", "channels")
    list_select_related = ("service",)
    search_fields = ("service__name", "digest")


@admin.register(Image)
class ImageAdmin(RecordAdmin):
    list_display = ("digest", "version", "built_at", "source", "revision", "read_at")
    search_fields = ("digest", "version", "source")


@admin.register(ReleaseNotes)
class ReleaseNotesAdmin(RecordAdmin):
    list_display = ("place", "tag", "found", "name", "published_at", "fetched_at")
    list_filter = ("found",)
    search_fields = ("place", "tag", "name")


@admin.register(IgnoreRule)
class IgnoreRuleAdmin(RowAdmin):
    form = IgnoreRuleForm
    list_display = ("kind", "value", "scope", "stack", "service", "expires_at", "enabled")
    list_filter = ("scope", "kind", "enabled")
    list_select_related = ("stack", "service")
    autocomplete_fields = ("stack", "service")
    readonly_fields = ("created_by", "created_at")

    def save_model(self, request: HttpRequest, obj: Model, form: Any, change: bool) -> None:
        form.by = request.user.get_username()
        super().save_model(request, obj, form, change)

    def delete_model(self, request: HttpRequest, obj: IgnoreRule) -> None:
        ignoring.delete([obj], request.user.get_username(), timezone.now())

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[IgnoreRule]) -> None:
        ignoring.delete(queryset, request.user.get_username(), timezone.now())


@admin.register(Job)
class JobAdmin(RecordAdmin):
    list_display = ("id", "kind", "subject", "status", "reason", "created_by", "created_at")
    list_filter = ("status", "kind", "reason")
    search_fields = ("id", "subject", "created_by")
    actions = ("run_again",)

    @admin.action(description=_("Run again"))
    def run_again(self, request: HttpRequest, queryset: QuerySet[Job]) -> None:
        """Queue the same work once more; an update is not simply repeated."""
        repeatable = [name for name, kind in KINDS.items() if kind.repeatable]
        username = request.user.get_username()
        count = 0
        for job in queryset.filter(kind__in=repeatable):
            asking.again(job, username)
            count += 1
        words = ngettext("%(count)d job queued.", "%(count)d jobs queued.", count)
        level = messages.SUCCESS if count else messages.WARNING
        self.message_user(request, words % {"count": count}, level)


@admin.register(JobLog)
class JobLogAdmin(RecordAdmin):
    list_display = ("at", "job", "level", "message")
    list_filter = ("level",)
    list_select_related = ("job",)
    search_fields = ("job__id",)


@admin.register(Hold)
class HoldAdmin(RecordAdmin):
    list_display = ("resource", "job")
    list_select_related = ("job",)


@admin.register(Pause)
class PauseAdmin(RecordAdmin):
    list_display = ("at", "service", "tag", "job_id", "why")
    list_select_related = ("service",)
    search_fields = ("job_id", "service__name")


@admin.register(Replaced)
class ReplacedAdmin(RecordAdmin):
    list_display = ("noted_at", "service", "job_id", "state", "image_id")
    list_filter = ("state",)
    list_select_related = ("service",)
    search_fields = ("job_id", "service__name")
