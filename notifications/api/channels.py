"""Channels: where messages go, and trying one."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.http import Http404
from django.utils.translation import gettext_lazy
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from dockrev.api.answers import Page, PageQuery, body, one_of, page_of, query
from dockrev.api.fields import ClockTime, Flag, JsonObject, Moment, NoneIfEmpty, Text
from dockrev.errors import InvalidArgument
from dockrev.fields import HIDDEN
from dockrev.forms import require_valid
from dockrev.permissions import Role
from notifications import (
    announce,
    configuration,
    example_messages,
    messages,
    quiet,
    several,
    trying,
)
from notifications.channels import TRANSPORTS, choices
from notifications.channels.webhook import Webhook
from notifications.forms import MAX_ID, MAX_STACKS, ChannelForm, stored_config
from notifications.models import Channel


class QuietHours(serializers.Serializer[Any]):
    """In the instance's `timeZone`. Where `to` is not after `from`, it is on the next day."""

    from_ = ClockTime(source="start")
    to = ClockTime(source="end")
    days = serializers.ListField(
        child=serializers.ChoiceField(list(quiet.DAYS)),
        required=False,
        max_length=len(quiet.DAYS),
        help_text=gettext_lazy("On which they begin; left away: on all."),
    )

    def get_fields(self) -> dict[str, serializers.Field[Any, Any, Any, Any]]:
        """`from` is a word of Python."""
        fields = super().get_fields()
        return {"from": fields.pop("from_"), **fields}


class ChannelFacts(serializers.Serializer[Channel]):
    id = serializers.CharField()
    kind = serializers.CharField()
    name = serializers.CharField()
    enabled = serializers.BooleanField()
    events = serializers.ListField(child=serializers.CharField())
    stackIds = serializers.ListField(child=serializers.CharField(), source="stack_ids")
    language = NoneIfEmpty()
    config = serializers.SerializerMethodField()
    quietHours = QuietHours(source="quiet_hours", allow_null=True)
    disabledReason = NoneIfEmpty(source="disabled_reason")
    lastSentAt = Moment(source="last_sent_at", allow_null=True)
    lastError = NoneIfEmpty(source="last_error")
    failingSince = Moment(source="failing_since", allow_null=True)
    restsUntil = Moment(
        source="paused_until",
        allow_null=True,
        help_text=gettext_lazy("After a failure nothing is sent there until then."),
    )
    waiting = serializers.SerializerMethodField()

    def get_waiting(self, channel: Channel) -> int:
        """How many messages wait for it."""
        counted: int | None = getattr(channel, "waiting", None)
        return channel.notifications.waiting().count() if counted is None else counted

    def get_config(self, channel: Channel) -> dict[str, Any]:
        return configuration.masked(channel.kind, stored_config(channel))


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
    language = Text(
        required=False,
        allow_null=True,
        max_length=10,
        help_text=gettext_lazy("What messages are written in: en, zh-hans. null: as this Dockrev."),
    )
    quietHours = QuietHours(required=False, allow_null=True)
    config = JsonObject(required=False)


class NewChannel(ChannelChange):
    kind = serializers.ChoiceField(choices())
    name = Text(max_length=100)
    config = JsonObject()


class TestWanted(serializers.Serializer[Any]):
    kind = serializers.ChoiceField(
        [messages.TEST, *announce.EVENTS],
        default=messages.TEST,
        help_text=gettext_lazy("Of which kind of message an example is sent."),
    )


class TestFacts(serializers.Serializer[Any]):
    kind = serializers.CharField()
    ok = serializers.BooleanField()
    status = serializers.IntegerField(allow_null=True)
    error = NoneIfEmpty()
    durationMs = serializers.SerializerMethodField()

    def get_durationMs(self, tried: trying.Outcome) -> int:
        return tried.took // timedelta(milliseconds=1)


class Several(serializers.Serializer[Any]):
    ids = serializers.ListField(
        child=Text(max_length=MAX_ID), allow_empty=False, max_length=several.MOST
    )
    action = serializers.ChoiceField(list(several.ACTIONS))


class SeveralFacts(serializers.Serializer[Any]):
    changed = serializers.IntegerField()


class ExampleFacts(serializers.Serializer[Any]):
    kind = serializers.CharField()
    headers = serializers.DictField(child=serializers.CharField())
    payload = serializers.DictField()


class ExampleList(serializers.Serializer[Any]):
    examples = ExampleFacts(many=True)


class Channels(APIView):
    reads = Role.ADMIN
    writes = Role.ADMIN

    @extend_schema(parameters=[PageQuery], responses=ChannelList)
    def get(self, request: Request) -> Response:
        page = page_of(
            "channels", Channel.objects.sealed().with_waiting(), query(PageQuery, request)
        )
        return Response(ChannelList(page).data)

    @extend_schema(request=NewChannel, responses={201: ChannelFacts})
    def post(self, request: Request) -> Response:
        """Make a channel: on, and for every kind of message, unless it is said otherwise.

        `config` is, by its kind: `webhook` `{url, secret?, headers?}`; `email` `{smtpUrl}`,
        `smtps://user:password@host:port?to=…&from=…` or `smtp://…&tls=…`; `telegram` `{botToken,
        chatId, threadId?, apiUrl?}`; `apprise` `{url}`, one URL of Apprise's; `doco-cd` `{url,
        secret}`. Secrets are masked when read.

        One of kind `doco-cd` hears of newer images alone, and of updates that are over if it is
        said; other kinds of message are left out.
        """
        given = body(NewChannel, request)
        row = Channel(kind=given["kind"])
        row.events = announce.first_events(one_image_each=row.takes_one_image)
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

    @extend_schema(request=TestWanted, responses=TestFacts)
    def post(self, request: Request, channel_id: str) -> Response:
        """Send a message that says it is a test, and say what came of it; six in a minute at most.

        With `kind`, the example of that kind of message is sent, with `X-Dockrev-Test: true` and
        `example` as its `debug.source`. doco-cd knows no tests: it is sent an image that is
        nowhere, `dockrev.invalid/test:test`.
        """
        row = _channel(channel_id)
        return Response(TestFacts(trying.try_out(row, body(TestWanted, request)["kind"])).data)


class SeveralChannels(APIView):
    writes = Role.ADMIN

    @extend_schema(request=Several, responses=SeveralFacts)
    def post(self, request: Request) -> Response:
        """Switch several on or off, or delete them. Ids that are not there are left out."""
        given = body(Several, request)
        return Response({"changed": several.ACTIONS[given["action"]](given["ids"])})


class Examples(APIView):
    reads = Role.ADMIN

    @extend_schema(responses=ExampleList)
    def get(self, request: Request) -> Response:
        """An example of every kind of message, as a webhook gets it: facts that never change."""
        return Response({"examples": [_example(kind) for kind in announce.EVENTS]})


class Example(APIView):
    reads = Role.ADMIN

    @extend_schema(responses=ExampleFacts)
    def get(self, request: Request, kind: str) -> Response:
        """The example of one kind of message, as a webhook gets it."""
        if kind not in announce.EVENTS:
            raise Http404
        return Response(_example(kind))


def _example(kind: str) -> dict[str, Any]:
    shown = example_messages.shown(kind, Channel(kind=Webhook.kind), {"secret": HIDDEN})
    return {"kind": kind, "headers": shown.headers, "payload": shown.message.payload}


def _channel(pk: str) -> Channel:
    return one_of(Channel.objects.filter(kind__in=list(TRANSPORTS)).defer("config"), pk)


def _save(row: Channel, given: dict[str, Any]) -> Channel:
    data = {
        "kind": row.kind,
        "name": given.get("name", row.name),
        "enabled": given.get("enabled", row.enabled),
        "events": given.get("events", row.events),
        "stack_ids": given.get("stackIds", row.stack_ids),
        "language": given.get("language", row.language) or "",
        **_quiet(row, given),
        "config": given.get("config", {}),
    }
    form = ChannelForm(data, instance=row)
    for field, texts in form.config_errors().items():
        raise InvalidArgument(f"config.{field}", texts[0])
    quiet_names = ("quiet_from", "quiet_to", "quiet_days")
    require_valid(form, stack_ids="stackIds", **dict.fromkeys(quiet_names, "quietHours"))
    form.write()
    return row


def _quiet(row: Channel, given: dict[str, Any]) -> dict[str, Any]:
    """The quiet hours as its form takes them."""
    if "quietHours" not in given:
        days = row.quiet_days
        return {"quiet_from": row.quiet_from, "quiet_to": row.quiet_to, "quiet_days": days}
    hours = given["quietHours"] or {}
    return {
        "quiet_from": hours.get("start"),
        "quiet_to": hours.get("end"),
        "quiet_days": hours.get("days", []),
    }
