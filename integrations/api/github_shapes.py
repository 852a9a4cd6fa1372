"""What the routes of GitHub Packages take and answer."""

from __future__ import annotations

import re
from typing import Any

from django.utils.translation import gettext_lazy
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from dockrev.api.answers import PageQuery
from dockrev.api.fields import Flag, Moment, NoneIfEmpty, Text
from integrations import rotation, targets
from integrations.endpoints import MAX_URL
from integrations.forms import MAX_PAT
from integrations.github.inputs import MAX_INPUT
from integrations.hooks import asking
from integrations.models import HookTarget


class TargetFacts(serializers.Serializer[Any]):
    input = serializers.CharField()
    kind = serializers.ChoiceField(["repo", "owner"])
    owner = serializers.CharField()
    warnings = serializers.ListField(child=serializers.CharField())


class PackagesFacts(serializers.Serializer[Any]):
    enabled = serializers.BooleanField()
    callbackUrl = serializers.CharField(allow_null=True)
    apiUrl = serializers.CharField()
    patMasked = serializers.CharField(allow_null=True)
    secretMasked = serializers.CharField(allow_null=True)
    secretCreatedAt = Moment(allow_null=True)
    reposTotal = serializers.IntegerField()
    reposSelectedTotal = serializers.IntegerField()
    targets = TargetFacts(many=True)


class PackagesChange(serializers.Serializer[Any]):
    enabled = Flag(required=False)
    callbackUrl = Text(required=False, allow_null=True, allow_blank=True, max_length=MAX_URL)
    apiUrl = Text(required=False, allow_null=True, allow_blank=True, max_length=MAX_URL)
    pat = Text(required=False, allow_null=True, allow_blank=True, max_length=MAX_PAT)
    clearPat = Flag(required=False)
    webhookSecret = Text(
        required=False,
        allow_null=True,
        allow_blank=True,
        max_length=rotation.MAX_SECRET,
        trim_whitespace=False,
    )


class TargetInput(serializers.Serializer[Any]):
    """A repository or an owner, as people type it."""

    input = Text(max_length=MAX_INPUT)


class TargetAddition(TargetInput):
    selected = Flag(required=False)


class TargetAdded(serializers.Serializer[Any]):
    kind = serializers.ChoiceField(["repo", "owner"])
    owner = serializers.CharField()
    reposAdded = serializers.IntegerField()
    reposTotal = serializers.IntegerField()


class TargetRemoved(serializers.Serializer[Any]):
    kind = serializers.ChoiceField(["repo", "owner"])
    owner = serializers.CharField()
    reposRemoved = serializers.IntegerField()
    reposTotal = serializers.IntegerField()


class ResolvedRepository(serializers.Serializer[Any]):
    fullName = serializers.CharField(source="full_name")
    visibility = NoneIfEmpty()
    archived = serializers.BooleanField()
    disabled = serializers.BooleanField()
    selected = serializers.BooleanField()
    tracked = serializers.BooleanField()
    deployed = serializers.BooleanField()


class ResolvedFacts(serializers.Serializer[Any]):
    kind = serializers.ChoiceField(["repo", "owner"])
    owner = serializers.CharField()
    repos = ResolvedRepository(many=True)
    warnings = serializers.ListField(child=serializers.CharField())


class RepositoryQuery(PageQuery):
    q = serializers.CharField(required=False, max_length=200)
    selected = serializers.ChoiceField(list(targets.SELECTIONS), default="all")
    state = serializers.ChoiceField(HookTarget.HookState.choices, required=False)


class Selection(serializers.Serializer[Any]):
    fullName = Text(max_length=targets.MAX_NAME)
    selected = Flag()


class BulkSelection(serializers.Serializer[Any]):
    q = Text(required=False, allow_blank=True, max_length=200)
    selected = Flag()


class BulkSelected(serializers.Serializer[Any]):
    changed = serializers.IntegerField()
    selectedTotal = serializers.IntegerField()


class Named(serializers.Serializer[Any]):
    fullName = Text(max_length=targets.MAX_NAME)


@extend_schema_field({"oneOf": [{"type": "integer"}, {"type": "string"}]})
class HookReference(serializers.Field[str, Any, str, Any]):
    """A hook's id, as a number or as text; to every provider it is text."""

    default_error_messages = {"invalid": gettext_lazy("This is not the id of a hook.")}

    def to_internal_value(self, data: Any) -> str:
        text = str(data) if isinstance(data, int) and not isinstance(data, bool) else data
        if not isinstance(text, str) or not re.fullmatch("[0-9]{1,20}", text):
            self.fail("invalid")
        return text


class Resolution(serializers.Serializer[Any]):
    repo = Text(max_length=targets.MAX_NAME)
    keepHookId = HookReference()
    deleteHookIds = serializers.ListField(
        child=HookReference(), allow_empty=False, max_length=asking.MAX_DELETED
    )


class SyncWish(serializers.Serializer[Any]):
    repos = serializers.ListField(
        child=Text(max_length=targets.MAX_NAME),
        required=False,
        allow_empty=False,
        max_length=asking.MAX_REPOS,
    )
    dryRun = Flag(default=False)
    resolveConflicts = serializers.ListField(
        child=Resolution(), required=False, max_length=asking.MAX_RESOLVED
    )


class CallbackTried(serializers.Serializer[Any]):
    """What came of the call: a word for programs, and what to say to people."""

    ok = serializers.BooleanField(source="works")
    outcome = serializers.CharField()
    message = serializers.CharField(source="words")
    hints = serializers.ListField(child=serializers.CharField())
