"""What policies look like from outside, and what may be said of one."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext_lazy as _
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from checks.policies import Level
from checks.policy_form import BACKUPS, BY_ITSELF, LARGEST, LENGTHS, TRACKS
from checks.versions.policies import FIELDS, HIGHEST_PORT, LABELS, LONGEST, OLDEST, Source
from dockrev.api.fields import Flag, Text, Whole


def _text(name: str) -> Text:
    return Text(required=False, allow_null=True, allow_blank=True, max_length=LENGTHS[name])


class PolicyChange(serializers.Serializer[Any]):
    """A member that is absent stays; null goes back to inheriting; an empty text says "none"."""

    track = serializers.ChoiceField(list(TRACKS.items()), required=False, allow_null=True)
    include = _text("include")
    exclude = _text("exclude")
    transform = _text("transform")
    largestStep = serializers.ChoiceField(list(LARGEST.items()), required=False, allow_null=True)
    prereleases = Flag(required=False, allow_null=True)
    minimumAge = Whole(required=False, allow_null=True, min_value=0, max_value=OLDEST)
    platform = _text("platform")
    backup = serializers.ChoiceField(list(BACKUPS.items()), required=False, allow_null=True)
    autoUpdate = serializers.ChoiceField(list(BY_ITSELF.items()), required=False, allow_null=True)
    autoUpdateAge = Whole(required=False, allow_null=True, min_value=0, max_value=OLDEST)
    autoUpdateWindow = _text("autoUpdateWindow")
    autoUpdateHealthy = Flag(required=False, allow_null=True)
    rollback = Flag(required=False, allow_null=True)
    probeHttp = _text("probeHttp")
    probeTcp = Whole(required=False, allow_null=True, min_value=0, max_value=HIGHEST_PORT)
    probeLog = _text("probeLog")
    settleTime = Whole(required=False, allow_null=True, min_value=0, max_value=LONGEST)
    healthMargin = Whole(required=False, allow_null=True, min_value=0, max_value=LONGEST)
    commit = Flag(required=False, allow_null=True)
    commitAuthor = _text("commitAuthor")


class LabelFault(serializers.Serializer[Any]):
    name = serializers.ChoiceField(LABELS, source="label")
    text = serializers.CharField()
    message = serializers.CharField()


class PolicyFacts(serializers.Serializer[Level]):
    """What holds at a level, field by field; `sources` says by whose word."""

    track = serializers.ChoiceField(list(TRACKS.items()), source="held.track.value")
    include = serializers.CharField(source="held.include.value")
    exclude = serializers.CharField(source="held.exclude.value")
    transform = serializers.CharField(source="held.transform.value")
    largestStep = serializers.ChoiceField(list(LARGEST.items()), source="held.largestStep.value")
    prereleases = serializers.BooleanField(source="held.prereleases.value")
    minimumAge = serializers.IntegerField(source="held.minimumAge.value", help_text=_("In days."))
    platform = serializers.CharField(source="held.platform.value")
    backup = serializers.ChoiceField(list(BACKUPS.items()), source="held.backup.value")
    autoUpdate = serializers.ChoiceField(
        list(BY_ITSELF.items()),
        source="held.autoUpdate.value",
        help_text=_("What it is updated to by itself: up to which step."),
    )
    autoUpdateAge = serializers.IntegerField(
        source="held.autoUpdateAge.value",
        help_text=_("In days, since it was found here."),
    )
    autoUpdateWindow = serializers.CharField(
        source="held.autoUpdateWindow.value",
        help_text=_("When it may do so; empty: at any time."),
    )
    autoUpdateHealthy = serializers.BooleanField(source="held.autoUpdateHealthy.value")
    rollback = serializers.BooleanField(
        source="held.rollback.value", help_text=_("Whether an update that fails is taken back.")
    )
    probeHttp = serializers.CharField(
        source="held.probeHttp.value", help_text=_("As :8080/health or https://:8443/ 200-299.")
    )
    probeTcp = serializers.IntegerField(
        source="held.probeTcp.value", help_text=_("A port; 0 for none.")
    )
    probeLog = serializers.CharField(source="held.probeLog.value")
    settleTime = serializers.IntegerField(
        source="held.settleTime.value",
        help_text=_("In seconds; 0 is 10 s where there is no healthcheck."),
    )
    healthMargin = serializers.IntegerField(
        source="held.healthMargin.value", help_text=_("In seconds.")
    )
    commit = serializers.BooleanField(
        source="held.commit.value", help_text=_("Whether edited files are committed to Git.")
    )
    commitAuthor = serializers.CharField(source="held.commitAuthor.value")
    sources = serializers.SerializerMethodField()
    said = serializers.SerializerMethodField()
    labelFaults = LabelFault(
        many=True, source="faults", help_text=_("Labels that cannot be read; they do not count.")
    )

    @extend_schema_field(serializers.DictField(child=serializers.ChoiceField(list(Source))))
    def get_sources(self, level: Level) -> dict[str, str]:
        """Who says each field; `default` where nobody does."""
        return {name: held.source.value for name, held in level.held.items()}

    @extend_schema_field(PolicyChange)
    def get_said(self, level: Level) -> dict[str, Any]:
        """What is said at this very level; null where it is inherited."""
        return {name: level.said.get(name) for name in FIELDS}


class SharedPolicyFacts(PolicyFacts):
    """A policy that is for more than one service."""

    services = serializers.IntegerField(help_text=_("How many services there are at this place."))
    reach = serializers.DictField(
        child=serializers.IntegerField(),
        help_text=_("For how many of them each field holds; the others have a word of their own."),
    )
