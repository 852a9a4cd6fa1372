"""Ignore rules."""

from __future__ import annotations

from typing import Any

from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from checks import ignoring
from checks.forms import IgnoreRuleForm
from checks.models import Candidate, IgnoreRule
from checks.previewing import Hidden, Preview, hides, preview
from dockrev.api.answers import Page, PageQuery, body, one_of, page_of, query
from dockrev.api.fields import MAX_ID, Flag, GivenMoment, Moment, NoneIfEmpty, Text
from dockrev.errors import InvalidArgument
from dockrev.forms import require_valid
from dockrev.permissions import Role

NAMES = {
    "kind": "match.kind",
    "value": "match.value",
    "scope": "scope.type",
    "stack": "scope.id",
    "service": "scope.id",
    "expires_at": "expiresAt",
}


class RuleScope(serializers.Serializer[Any]):
    type = serializers.ChoiceField(IgnoreRule.Scope.choices)
    id = Text(
        required=False,
        allow_null=True,
        max_length=MAX_ID,
        help_text=gettext_lazy("A service's or a stack's; none where it is for all."),
    )


class RuleMatch(serializers.Serializer[Any]):
    kind = serializers.ChoiceField(IgnoreRule.Kind.choices)
    value = Text(max_length=256)


class RuleChange(serializers.Serializer[Any]):
    scope = RuleScope(required=False)
    match = RuleMatch(required=False)
    note = Text(required=False, allow_blank=True, max_length=500)
    expiresAt = GivenMoment(required=False, allow_null=True)
    enabled = Flag(required=False)


class NewRule(RuleChange):
    scope = RuleScope()
    match = RuleMatch()


class RuleFacts(serializers.Serializer[IgnoreRule]):
    id = serializers.CharField()
    scope = serializers.SerializerMethodField()
    match = RuleMatch(source="*")
    note = serializers.CharField()
    expiresAt = Moment(source="expires_at", allow_null=True)
    enabled = serializers.BooleanField()
    createdBy = serializers.CharField(source="created_by")
    createdAt = Moment(source="created_at")

    @extend_schema_field(RuleScope)
    def get_scope(self, rule: IgnoreRule) -> dict[str, Any]:
        return {"type": rule.scope, "id": rule.service_id or rule.stack_id}


class RuleList(Page):
    rules = RuleFacts(many=True)


class PreviewOrder(serializers.Serializer[Any]):
    scope = RuleScope()
    match = RuleMatch()
    tag = Text(required=False, max_length=128, help_text=gettext_lazy("A tag to try the rule on."))
    ruleId = Text(
        required=False,
        max_length=MAX_ID,
        help_text=gettext_lazy("The rule that is to become this one, if it is there already."),
    )


class OpenCandidate(serializers.Serializer[Candidate]):
    step = serializers.CharField()
    tag = serializers.CharField()
    digest = serializers.CharField()


class HiddenCandidate(serializers.Serializer[Hidden]):
    stackId = serializers.CharField(source="candidate.service.stack_id")
    stackName = serializers.CharField(source="candidate.service.stack.name")
    serviceId = serializers.CharField(source="candidate.service_id")
    serviceName = serializers.CharField(source="candidate.service.name")
    candidate = OpenCandidate()
    hiddenBy = NoneIfEmpty(
        source="elsewhere", help_text=gettext_lazy("Another rule that hides it already.")
    )
    instead = OpenCandidate(
        allow_null=True, help_text=gettext_lazy("What its service then still offers.")
    )


class TriedTag(serializers.Serializer[Any]):
    tag = serializers.CharField()
    hidden = serializers.BooleanField()


class PreviewFacts(serializers.Serializer[Any]):
    servicesInScope = serializers.IntegerField(source="within")
    services = serializers.IntegerField()
    total = serializers.IntegerField()
    hidden = HiddenCandidate(many=True, help_text=gettext_lazy("At most 50 of them."))
    tag = serializers.SerializerMethodField()

    @extend_schema_field(TriedTag(allow_null=True))
    def get_tag(self, seen: Preview) -> dict[str, Any] | None:
        rule, tag = self.context["rule"], self.context["tag"]
        return {"tag": tag, "hidden": hides(rule.kind, rule.value, tag)} if tag else None


class Ignores(APIView):
    writes = Role.OPERATOR

    @extend_schema(parameters=[PageQuery], responses=RuleList)
    def get(self, request: Request) -> Response:
        rows = page_of("rules", IgnoreRule.objects.all(), query(PageQuery, request))
        return Response(RuleList(rows).data)

    @extend_schema(request=NewRule, responses={201: RuleFacts})
    def post(self, request: Request) -> Response:
        """Hide what matches from now on. A pattern that cannot be read is refused, and
        `details.position` says at which character, counted from 0, it goes wrong."""
        row = _save(IgnoreRule(), body(NewRule, request), request)
        return Response(RuleFacts(row).data, status=201)


class IgnorePreview(APIView):
    writes = Role.OPERATOR

    @extend_schema(request=PreviewOrder, responses=PreviewFacts)
    def post(self, request: Request) -> Response:
        """What a rule would hide of what is open now. Nothing is saved."""
        given = body(PreviewOrder, request)
        row = _rule(given["ruleId"]) if "ruleId" in given else IgnoreRule()
        _filled(row, {"match": given["match"], "scope": given["scope"], "expiresAt": None}, "")
        seen = preview(row, timezone.now())
        context = {"rule": row, "tag": given.get("tag", "")}
        return Response(PreviewFacts(seen, context=context).data)


class IgnoreDetail(APIView):
    writes = Role.OPERATOR

    @extend_schema(request=RuleChange, responses=RuleFacts)
    def patch(self, request: Request, rule_id: str) -> Response:
        row = _save(_rule(rule_id), body(RuleChange, request), request)
        return Response(RuleFacts(row).data)

    @extend_schema(responses={204: None})
    def delete(self, request: Request, rule_id: str) -> Response:
        """What it hid is shown again at once."""
        ignoring.delete([_rule(rule_id)], request.user.get_username(), timezone.now())
        return Response(status=204)


def _rule(pk: str) -> IgnoreRule:
    return one_of(IgnoreRule.objects.all(), pk)


def _save(row: IgnoreRule, given: dict[str, Any], request: Request) -> IgnoreRule:
    _filled(row, given, request.user.get_username()).write()
    return row


def _filled(row: IgnoreRule, given: dict[str, Any], by: str) -> IgnoreRuleForm:
    """The form of a rule with what was given. Raises InvalidArgument where it cannot be saved."""
    known = {"type": row.scope, "id": row.service_id or row.stack_id}
    scope = given.get("scope", known)
    if scope["type"] != IgnoreRule.Scope.ALL and not scope.get("id"):
        raise InvalidArgument("scope.id", _("This scope needs an id."))
    match = given.get("match", {"kind": row.kind, "value": row.value})
    data = {
        "scope": scope["type"],
        "stack": scope["id"] if scope["type"] == IgnoreRule.Scope.STACK else None,
        "service": scope["id"] if scope["type"] == IgnoreRule.Scope.SERVICE else None,
        **match,
        "note": given.get("note", row.note),
        "expires_at": given.get("expiresAt", row.expires_at),
        "enabled": given.get("enabled", row.enabled),
    }
    form = IgnoreRuleForm(data, instance=row, by=by)
    if not form.is_valid() and form.fault:
        fault = form.fault
        raise InvalidArgument("match.value", str(fault), position=fault.position)
    require_valid(form, **NAMES)
    return form
