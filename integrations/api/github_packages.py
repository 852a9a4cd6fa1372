"""GitHub Packages: its settings, what people typed, and the repositories that came of it."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext as _
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from dockrev.api.answers import PageQuery, body, page_of, query
from dockrev.api.fields import Flag, Moment, Text
from dockrev.errors import NotFound
from dockrev.fields import MASK
from dockrev.permissions import Role
from integrations import tracking
from integrations.api.receivers import new_secret
from integrations.api.shapes import NewSecret, RepositoryFacts, RepositoryList
from integrations.endpoints import MAX_URL
from integrations.github import packages
from integrations.github.inputs import MAX_INPUT
from integrations.models import HookTarget

MAX_NAME = 300


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
    pat = Text(required=False, allow_null=True, allow_blank=True, max_length=500)
    clearPat = Flag(required=False)
    webhookSecret = Text(
        required=False, allow_null=True, allow_blank=True, max_length=500, trim_whitespace=False
    )


class TargetAddition(serializers.Serializer[Any]):
    input = Text(max_length=MAX_INPUT)
    selected = Flag(required=False)


class TargetRemoval(serializers.Serializer[Any]):
    input = Text(max_length=MAX_INPUT)


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


class RepositoryQuery(PageQuery):
    q = serializers.CharField(required=False, max_length=200)
    selected = serializers.ChoiceField(["all", "selected", "unselected"], default="all")
    state = serializers.ChoiceField(HookTarget.HookState.choices, required=False)


class Selection(serializers.Serializer[Any]):
    fullName = Text(max_length=MAX_NAME)
    selected = Flag()


class BulkSelection(serializers.Serializer[Any]):
    q = Text(required=False, allow_blank=True, max_length=200)
    selected = Flag()


class BulkSelected(serializers.Serializer[Any]):
    changed = serializers.IntegerField()
    selectedTotal = serializers.IntegerField()


class Deletion(serializers.Serializer[Any]):
    fullName = Text(max_length=MAX_NAME)


class PackagesSettings(APIView):
    writes = Role.ADMIN

    @extend_schema(responses=PackagesFacts)
    def get(self, request: Request) -> Response:
        return Response(_facts(packages.load()))

    @extend_schema(request=PackagesChange, responses=PackagesFacts)
    def put(self, request: Request) -> Response:
        """What is absent stays. A secret is made where the feature is switched on without one."""
        return Response(_facts(packages.change(body(PackagesChange, request))))


class PackagesRotation(APIView):
    writes = Role.ADMIN

    @extend_schema(request=None, responses=NewSecret)
    def post(self, request: Request) -> Response:
        receiver, _secret = packages.rotate_secret()
        return Response(new_secret(receiver, request))


class TargetsAdd(APIView):
    writes = Role.ADMIN

    @extend_schema(request=TargetAddition, responses={201: TargetAdded})
    def post(self, request: Request) -> Response:
        given = body(TargetAddition, request)
        account = packages.load().account
        change = tracking.add(account, given["input"], selected=given.get("selected"))
        shown = {
            "kind": change.named.kind,
            "owner": change.named.owner,
            "reposAdded": change.repositories,
            "reposTotal": change.total,
        }
        return Response(TargetAdded(shown).data, status=201)


class TargetsRemove(APIView):
    writes = Role.ADMIN

    @extend_schema(request=TargetRemoval, responses=TargetRemoved)
    def post(self, request: Request) -> Response:
        change = tracking.remove(packages.load().account, body(TargetRemoval, request)["input"])
        shown = {
            "kind": change.named.kind,
            "owner": change.named.owner,
            "reposRemoved": change.repositories,
            "reposTotal": change.total,
        }
        return Response(TargetRemoved(shown).data)


class Repositories(APIView):
    @extend_schema(parameters=[RepositoryQuery], responses=RepositoryList)
    def get(self, request: Request) -> Response:
        wanted = query(RepositoryQuery, request)
        every = packages.load().account.targets
        rows = every.filter(name_key__contains=wanted.get("q", "").strip().lower())
        if wanted["selected"] != "all":
            rows = rows.filter(selected=wanted["selected"] == "selected")
        if state := wanted.get("state"):
            rows = rows.filter(hook_state=state)
        page = page_of("repos", rows, wanted)
        page["filteredTotal"] = page["total"]
        page["total"] = every.count()
        page["selectedTotal"] = every.filter(selected=True).count()
        return Response(RepositoryList(page).data)


class RepositorySelected(APIView):
    writes = Role.ADMIN

    @extend_schema(request=Selection, responses=RepositoryFacts)
    def post(self, request: Request) -> Response:
        given = body(Selection, request)
        row = _repository(given["fullName"])
        row.selected = given["selected"]
        row.save(update_fields=["selected"])
        return Response(RepositoryFacts(row).data)


class RepositoriesSelected(APIView):
    writes = Role.ADMIN

    @extend_schema(request=BulkSelection, responses=BulkSelected)
    def post(self, request: Request) -> Response:
        """Select, or deselect, every repository that `q` is part of the name of."""
        given = body(BulkSelection, request)
        every = packages.load().account.targets
        rows = every.filter(name_key__contains=given.get("q", "").strip().lower())
        changed = rows.exclude(selected=given["selected"]).update(selected=given["selected"])
        total = every.filter(selected=True).count()
        return Response(BulkSelected({"changed": changed, "selectedTotal": total}).data)


class RepositoryDelete(APIView):
    writes = Role.ADMIN

    @extend_schema(request=Deletion, responses={204: None})
    def post(self, request: Request) -> Response:
        _repository(body(Deletion, request)["fullName"]).delete()
        return Response(status=204)


def _repository(full_name: str) -> HookTarget:
    row = packages.load().account.targets.filter(name_key=full_name.lower()).first()
    if row is None:
        raise NotFound(_("This repository is not tracked."), field="fullName")
    return row


def _facts(feature: packages.Packages) -> dict[str, Any]:
    receiver, account = feature
    shown = {
        "enabled": receiver.enabled,
        "callbackUrl": account.callback_url or None,
        "apiUrl": account.api_url or packages.API_URL,
        "patMasked": packages.pat_masked(account.credential),
        "secretMasked": MASK if receiver.secret else None,
        "secretCreatedAt": receiver.secret_created_at,
        "reposTotal": account.targets.count(),
        "reposSelectedTotal": account.targets.filter(selected=True).count(),
        "targets": account.inputs,
    }
    return dict(PackagesFacts(shown).data)
