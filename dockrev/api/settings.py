"""What should happen on this instance: preferences and schedules."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.db import transaction
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from dockrev import languages, preferences, schedules, switches
from dockrev.api.answers import body
from dockrev.api.fields import Flag, Moment, Text, Whole
from dockrev.instance_form import (
    MAX_BACKUP_MB,
    MAX_BACKUPS,
    MAX_DELIVERIES,
    MAX_RETENTION_DAYS,
    MAX_UPDATES_AT_ONCE,
    is_base_url,
)
from dockrev.models import Schedule
from dockrev.permissions import Role
from dockrev.schedule_form import MAX_JITTER

BACKUPS = {
    "backupsKeep": "backups_keep",
    "backupDays": "backup_days",
    "backupLimitMb": "backup_limit_mb",
    "backupRequired": "backup_required",
}


class ScheduleFacts(serializers.Serializer[Schedule]):
    name = Text(max_length=60)
    title = serializers.SerializerMethodField()
    enabled = Flag(required=False)
    cron = Text(required=False, max_length=100, help_text=gettext_lazy("Read in `timeZone`."))
    jitterSeconds = Whole(
        required=False, source="jitter_seconds", min_value=0, max_value=MAX_JITTER
    )
    nextRunAt = Moment(source="next_run_at", allow_null=True)
    lastRunAt = Moment(source="last_run_at", allow_null=True)

    def get_title(self, row: Schedule) -> str:
        return schedules.title_of(row.name)

    def validate_name(self, name: str) -> str:
        if not Schedule.objects.filter(name=name).exists():
            raise serializers.ValidationError(_("There is no schedule of this name."))
        return name

    def validate_cron(self, cron: str) -> str:
        try:
            return schedules.read_cron(cron)
        except ValueError as error:
            raise serializers.ValidationError(str(error)) from error


@extend_schema_field(
    {
        "type": "object",
        "properties": {kind: {"type": "boolean"} for kind in switches.KINDS},
        "additionalProperties": False,
    }
)
class Switches(serializers.DictField):
    """The switches of kinds of event, by kind."""


class SettingsFacts(serializers.Serializer[Any]):
    publicBaseUrl = Text(required=False, allow_null=True, allow_blank=True, max_length=500)
    retentionDays = Whole(required=False, min_value=1, max_value=MAX_RETENTION_DAYS)
    deliveriesMost = Whole(required=False, min_value=1, max_value=MAX_DELIVERIES)
    backupsKeep = Whole(required=False, min_value=1, max_value=MAX_BACKUPS)
    backupDays = Whole(
        required=False,
        min_value=0,
        max_value=MAX_RETENTION_DAYS,
        help_text=gettext_lazy("0 keeps them however old they are."),
    )
    backupLimitMb = Whole(
        required=False,
        min_value=0,
        max_value=MAX_BACKUP_MB,
        help_text=gettext_lazy("Larger volumes and bind mounts are not backed up; 0 is no limit."),
    )
    backupRequired = Flag(
        required=False, help_text=gettext_lazy("Whether an update stops where its backup fails.")
    )
    updatesAtOnce = Whole(
        required=False,
        min_value=1,
        max_value=MAX_UPDATES_AT_ONCE,
        help_text=gettext_lazy("At most so many automatic updates run at once."),
    )
    language = serializers.ChoiceField(
        languages.CODES,
        required=False,
        help_text=gettext_lazy("What messages and the records of jobs are written in."),
    )
    timeZone = serializers.CharField(read_only=True)
    events = Switches(
        child=Flag(),
        required=False,
        help_text=gettext_lazy("By kind, whether anybody is told of it."),
    )
    schedules = serializers.ListField(child=ScheduleFacts(), required=False, max_length=50)

    def validate_events(self, events: dict[str, bool]) -> dict[str, bool]:
        for kind in events:
            if kind not in switches.KINDS:
                raise serializers.ValidationError(_("There is no event of this kind."))
        return events

    def validate_publicBaseUrl(self, url: str | None) -> str | None:
        if not url:
            return None
        if not is_base_url(url):
            raise serializers.ValidationError(_("This must be an absolute http or https URL."))
        return url.rstrip("/")


class Settings(APIView):
    writes = Role.ADMIN

    @extend_schema(responses=SettingsFacts)
    def get(self, request: Request) -> Response:
        return Response(_facts())

    @extend_schema(request=SettingsFacts, responses=SettingsFacts)
    def put(self, request: Request) -> Response:
        """What is absent stays; an empty `publicBaseUrl` goes back to the environment's."""
        given = body(SettingsFacts, request)
        with transaction.atomic():
            if "publicBaseUrl" in given:
                preferences.set("public_base_url", given["publicBaseUrl"])
            if "retentionDays" in given:
                preferences.set("retention_days", given["retentionDays"])
            if "deliveriesMost" in given:
                preferences.set("deliveries_most", given["deliveriesMost"])
            if "updatesAtOnce" in given:
                preferences.set("updates_at_once", given["updatesAtOnce"])
            if "language" in given:
                preferences.set("language", given["language"])
            for member, name in BACKUPS.items():
                if member in given:
                    preferences.set(name, given[member])
            if "events" in given:
                switches.change(given["events"])
            for schedule in given.get("schedules", []):
                _reschedule(**schedule)
        return Response(_facts())


def _facts() -> dict[str, Any]:
    known = preferences.load()
    return dict(
        SettingsFacts(
            {
                "publicBaseUrl": known.public_base_url or None,
                "retentionDays": known.retention_days,
                "deliveriesMost": known.deliveries_most,
                "updatesAtOnce": known.updates_at_once,
                "language": known.language,
                **{member: getattr(known, name) for member, name in BACKUPS.items()},
                "timeZone": settings.TIME_ZONE,
                "events": switches.states(),
                "schedules": Schedule.objects.all(),
            }
        ).data
    )


def _reschedule(name: str, **changes: Any) -> None:
    if changes:
        schedules.change(name, **changes)
