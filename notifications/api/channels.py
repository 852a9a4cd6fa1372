"""Channels: where messages go, and trying one."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from dockrev.api.answers import Page, PageQuery, body, one_of, page_of, query
from dockrev.api.fields import Flag, JsonObject, Moment, NoneIfEmpty, Text
from dockrev.errors import InvalidArgument
from dockrev.forms import require_valid
from dockrev.permissions import Role
from notifications import announce, configuration, outbox
from notifications.channels import TRANSPORTS, choices
from notifications.forms import MAX_ID, MAX_STACKS, ChannelForm
from notifications.models import Channel


class ChannelFacts(serializers.Serializer[Channel]):
    id = serializers.CharField()
    kind = serializers.CharField()
    name = serializers.CharField()
    enabled = serializers.BooleanField()
    events = serializers.ListField(child=serializers.CharField())
    stackIds = serializers.ListField(child=serializers.CharField(), source="stack_ids")
    config = serializers.SerializerMethodField()
    disabledReason = NoneIfEmpty(source="disabled_reason")
    lastSentAt = Moment(source="last_sent_at", allow_null=True)
    lastError = NoneIfEmpty(source="last_error")

    def get_config(self, channel: Channel) -> dict[str, Any]:
        return configuration.masked(channel.kind, channel.settings)


class ChannelList(Page):
    channels = ChannelFacts(many=True)


class ChannelChange(serializers.Serializer[Any]):
    name = Text(required=False, max_length=100)
    enabled = Flag(required=False)
    events = serializers.ListField(
        child=serializers.ChoiceField(list(announce.EVENTS)), required=False, max_length=20
    )
    stackIds = serializers.ListField(
        child=Text(max_length=MAX_ID), required=False, max_length=MAX_STACKS
    )
    config = JsonObject(required=False)


class NewChannel(ChannelChange):
    kind = serializers.ChoiceField(choices())
    name = Text(max_length=100)
    config = JsonObject()


class TestFacts(serializers.Serializer[Any]):
    ok = serializers.BooleanField()
    status = serializers.IntegerField(allow_null=True)
    error = NoneIfEmpty()


class Channels(APIView):
    reads = Role.ADMIN
    writes = Role.ADMIN

    @extend_schema(parameters=[PageQuery], responses=ChannelList)
    def get(self, request: Request) -> Response:
        page = page_of("channels", Channel.objects.all(), query(PageQuery, request))
        return Response(ChannelList(page).data)

    @extend_schema(request=NewChannel, responses={201: ChannelFacts})
    def post(self, request: Request) -> Response:
        """Make a channel: on, and for every kind of message, unless it is said otherwise.

        One of kind `doco-cd` hears of newer images alone; other kinds of message are left out.
        """
        given = body(NewChannel, request)
        row = Channel(kind=given["kind"], events=list(announce.EVENTS))
        return Response(ChannelFacts(_save(row, given)).data, status=201)


class ChannelDetail(APIView):
    reads = Role.ADMIN
    writes = Role.ADMIN

    @extend_schema(responses=ChannelFacts)
    def get(self, request: Request, channel_id: str) -> Response:
        return Response(ChannelFacts(_channel(channel_id)).data)

    @extend_schema(request=ChannelChange, responses=ChannelFacts)
    def patch(self, request: Request, channel_id: str) -> Response:
        """In `config`, what is absent or masked stays; null clears.

        Where its URL leads to another server, its secrets have to be given again, or cleared.
        """
        row = _save(_channel(channel_id), body(ChannelChange, request))
        return Response(ChannelFacts(row).data)

    @extend_schema(responses={204: None})
    def delete(self, request: Request, channel_id: str) -> Response:
        _channel(channel_id).delete()
        return Response(status=204)


class ChannelTest(APIView):
    writes = Role.ADMIN

    @extend_schema(request=None, responses=TestFacts)
    def post(self, request: Request, channel_id: str) -> Response:
        """Send a message that says it is a test, and say what came of it.

        doco-cd knows no tests: it is sent an image that is nowhere, `dockrev.invalid/test:test`.
        """
        return Response(TestFacts(outbox.send_test(_channel(channel_id))).data)


def _channel(pk: str) -> Channel:
    return one_of(Channel.objects.filter(kind__in=list(TRANSPORTS)), pk)


def _save(row: Channel, given: dict[str, Any]) -> Channel:
    data = {
        "kind": row.kind,
        "name": given.get("name", row.name),
        "enabled": given.get("enabled", row.enabled),
        "events": given.get("events", row.events),
        "stack_ids": given.get("stackIds", row.stack_ids),
        "config": given.get("config", {}),
    }
    form = ChannelForm(data, instance=row)
    for field, messages in form.config_errors().items():
        raise InvalidArgument(f"config.{field}", messages[0])
    require_valid(form, stack_ids="stackIds")
    form.write()
    return row
