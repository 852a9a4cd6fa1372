"""What should happen on this instance: preferences and schedules."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.db import transaction
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from dockrev import preferences, schedules
from dockrev.api.answers import body
from dockrev.api.fields import Flag, Moment, Text, Whole
from dockrev.models import Schedule
from dockrev.permissions import Role
from dockrev.schedule_form import MAX_JITTER

MAX_RETENTION_DAYS = 3650
MAX_DELIVERIES = 10_000_000


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


class SettingsFacts(serializers.Serializer[Any]):
    publicBaseUrl = Text(required=False, allow_null=True, allow_blank=True, max_length=500)
    retentionDays = Whole(required=False, min_value=1, max_value=MAX_RETENTION_DAYS)
    deliveriesMost = Whole(required=False, min_value=1, max_value=MAX_DELIVERIES)
    timeZone = serializers.CharField(read_only=True)
    schedules = serializers.ListField(child=ScheduleFacts(), required=False, max_length=50)

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
            for schedule in given.get("schedules", []):
                _reschedule(**schedule)
        return Response(_facts())


def is_base_url(url: str) -> bool:
    try:
        parts = urlsplit(url)
        parts.port  # noqa: B018 - reading it checks it
    except ValueError:
        return False
    return (
        parts.scheme in {"http", "https"}
        and bool(parts.hostname)
        and not (parts.username or parts.password or parts.query or parts.fragment)
        and not any(character.isspace() for character in url)
    )


def _facts() -> dict[str, Any]:
    known = preferences.load()
    return dict(
        SettingsFacts(
            {
                "publicBaseUrl": known.public_base_url or None,
                "retentionDays": known.retention_days,
                "deliveriesMost": known.deliveries_most,
                "timeZone": settings.TIME_ZONE,
                "schedules": Schedule.objects.all(),
            }
        ).data
    )


def _reschedule(name: str, **changes: Any) -> None:
    if changes:
        schedules.change(name, **changes)
