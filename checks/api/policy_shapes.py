"""What policies look like from outside, and what may be said of one."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext_lazy as _
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from checks.policies import Place
from checks.policy_form import LARGEST, LENGTHS, TRACKS
from checks.versions.policies import FIELDS, LABELS, OLDEST, Source
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


class LabelFault(serializers.Serializer[Any]):
    name = serializers.ChoiceField(LABELS, source="label")
    text = serializers.CharField()
    message = serializers.CharField()


class PolicyFacts(serializers.Serializer[Place]):
    """What holds at a place, field by field; `sources` says by whose word."""

    track = serializers.ChoiceField(list(TRACKS.items()), source="held.track.value")
    include = serializers.CharField(source="held.include.value")
    exclude = serializers.CharField(source="held.exclude.value")
    transform = serializers.CharField(source="held.transform.value")
    largestStep = serializers.ChoiceField(list(LARGEST.items()), source="held.largestStep.value")
    prereleases = serializers.BooleanField(source="held.prereleases.value")
    minimumAge = serializers.IntegerField(source="held.minimumAge.value", help_text=_("In days."))
    platform = serializers.CharField(source="held.platform.value")
    sources = serializers.SerializerMethodField()
    said = serializers.SerializerMethodField()
    labelFaults = LabelFault(
        many=True, source="faults", help_text=_("Labels that cannot be read; they do not count.")
    )

    @extend_schema_field(serializers.DictField(child=serializers.ChoiceField(list(Source))))
    def get_sources(self, place: Place) -> dict[str, str]:
        """Who says each field; `default` where nobody does."""
        return {name: held.source.value for name, held in place.held.items()}

    @extend_schema_field(PolicyChange)
    def get_said(self, place: Place) -> dict[str, Any]:
        """What is said at this very place; null where it is inherited."""
        return {name: place.said.get(name) for name in FIELDS}


class SharedPolicyFacts(PolicyFacts):
    """A policy that is for more than one service."""

    services = serializers.IntegerField(help_text=_("How many services there are at this place."))
    reach = serializers.DictField(
        child=serializers.IntegerField(),
        help_text=_("For how many of them each field holds; the others have a word of their own."),
    )
