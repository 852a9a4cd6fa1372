"""Who may call a trigger: their limits, and their secrets, which are shown once."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet
from django.http import Http404
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from dockrev.api.answers import Page, PageQuery, body, one_of, page_of, query
from dockrev.api.fields import MAX_ID, Flag, Moment, Text, Whole
from dockrev.forms import camel, require_valid
from dockrev.permissions import Role
from integrations import callers
from integrations.api.receivers import find
from integrations.caller_form import CallerForm
from integrations.callers import Action
from integrations.models import Receiver, TriggerCaller
from integrations.receivers.trigger import Trigger

_STACKS = _("The stacks that it is limited to; null where it may ask for every one, and for all.")


class CallerFacts(serializers.Serializer[TriggerCaller]):
    id = serializers.CharField()
    name = serializers.CharField()
    enabled = serializers.BooleanField()
    actions = serializers.ListField(child=serializers.ChoiceField(Action.choices))
    stackIds = serializers.SerializerMethodField(help_text=_STACKS)
    callsPerMinute = serializers.IntegerField(source="calls_per_minute")
    secretCreatedAt = Moment(source="secret_created_at")
    previousValidUntil = serializers.SerializerMethodField(
        help_text=_("Until when the secret before counts, if it does.")
    )
    lastUsedAt = Moment(source="last_used_at", allow_null=True)
    createdAt = Moment(source="created_at")

    @extend_schema_field(serializers.ListField(child=serializers.CharField(), allow_null=True))
    def get_stackIds(self, caller: TriggerCaller) -> list[str] | None:
        return None if caller.every_stack else [stack.pk for stack in caller.stacks.all()]

    @extend_schema_field(serializers.DateTimeField(allow_null=True))
    def get_previousValidUntil(self, caller: TriggerCaller) -> Any:
        until = caller.previous_until
        return Moment().to_representation(until) if until and until > timezone.now() else None


class CallerList(Page):
    callers = CallerFacts(many=True)


class CallerMade(CallerFacts):
    secret = serializers.CharField(help_text=_("Shown this once."))


class CallerChange(serializers.Serializer[Any]):
    name = Text(required=False, max_length=60)
    enabled = Flag(required=False)
    actions = serializers.ListField(
        child=serializers.ChoiceField(Action.choices),
        required=False,
        max_length=len(Action.choices),
    )
    stackIds = serializers.ListField(
        child=Text(max_length=MAX_ID),
        required=False,
        allow_null=True,
        max_length=callers.MAX_STACKS,
        help_text=_STACKS,
    )
    callsPerMinute = Whole(required=False, min_value=1, max_value=callers.MAX_CALLS)


class NewCaller(CallerChange):
    name = Text(max_length=60)
    actions = serializers.ListField(
        child=serializers.ChoiceField(Action.choices), max_length=len(Action.choices)
    )
    stackIds = serializers.ListField(
        child=Text(max_length=MAX_ID),
        allow_null=True,
        max_length=callers.MAX_STACKS,
        help_text=_STACKS,
    )


class SecretWanted(serializers.Serializer[Any]):
    keepOld = Flag(
        default=True, help_text=_("Whether the old secret counts for another day, or no longer.")
    )


class Callers(APIView):
    reads = writes = Role.ADMIN

    @extend_schema(parameters=[PageQuery], responses=CallerList)
    def get(self, request: Request, receiver: str) -> Response:
        """Those who may call this trigger, with secrets of their own."""
        rows = _callers(_trigger(receiver))
        return Response(CallerList(page_of("callers", rows, query(PageQuery, request))).data)

    @extend_schema(request=NewCaller, responses={201: CallerMade})
    def post(self, request: Request, receiver: str) -> Response:
        """Make one. Its secret is in this answer, and nowhere else in clear."""
        row = TriggerCaller(receiver=_trigger(receiver))
        secret = _save(row, body(NewCaller, request))
        return Response({**CallerFacts(row).data, "secret": secret}, status=201)


class CallerDetail(APIView):
    reads = writes = Role.ADMIN

    @extend_schema(responses=CallerFacts)
    def get(self, request: Request, receiver: str, caller_id: str) -> Response:
        return Response(CallerFacts(_find(receiver, caller_id)).data)

    @extend_schema(request=CallerChange, responses=CallerFacts)
    def patch(self, request: Request, receiver: str, caller_id: str) -> Response:
        """What is absent stays."""
        _save(_find(receiver, caller_id), body(CallerChange, request))
        return Response(CallerFacts(_find(receiver, caller_id)).data)

    @extend_schema(responses={204: None})
    def delete(self, request: Request, receiver: str, caller_id: str) -> Response:
        """Revoke it. Its calls so far stay among the deliveries, under its name."""
        _find(receiver, caller_id).delete()
        return Response(status=204)


class CallerRotation(APIView):
    writes = Role.ADMIN

    @extend_schema(request=SecretWanted, responses=CallerMade)
    def post(self, request: Request, receiver: str, caller_id: str) -> Response:
        """A new secret, shown this once. The old one counts until `previousValidUntil`."""
        row = _find(receiver, caller_id)
        keeps_old = body(SecretWanted, request)["keepOld"]
        secret = callers.new_secret(row, timezone.now(), keeps_old=keeps_old)
        row.save(update_fields=callers.SECRET_COLUMNS)
        return Response({**CallerFacts(row).data, "secret": secret})


def _trigger(key: str) -> Receiver:
    row = find(key)
    if row.kind != Trigger.kind:
        raise Http404
    return row


def _callers(receiver: Receiver) -> QuerySet[TriggerCaller]:
    return receiver.callers.prefetch_related("stacks")


def _find(receiver: str, caller_id: str) -> TriggerCaller:
    return one_of(_callers(_trigger(receiver)), caller_id)


def _save(row: TriggerCaller, given: dict[str, Any]) -> str:
    """Write what was given, and return the secret of a new one."""
    fields = ("name", "enabled", "actions", "calls_per_minute")
    data = {name: given.get(camel(name), getattr(row, name)) for name in fields}
    data["every_stack"], data["stacks"] = row.every_stack, []
    if "stackIds" in given:
        data["every_stack"], data["stacks"] = given["stackIds"] is None, given["stackIds"] or []
    elif not row._state.adding:
        data["stacks"] = [stack.pk for stack in row.stacks.all()]
    form = CallerForm(data, instance=row)
    require_valid(form, stacks="stackIds", every_stack="stackIds")
    form.write()
    return form.secret
