"""Messages: what was said to whom, what came of it, and saying it again."""

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

from dockrev.api.answers import Page, PageQuery, one_of, page_of, query
from dockrev.api.fields import Moment, NoneIfEmpty
from dockrev.errors import Conflict
from dockrev.permissions import Role
from notifications import history, outbox
from notifications.channels import choices
from notifications.models import Attempt, Notification


class NotificationChannel(serializers.Serializer[Any]):
    id = serializers.CharField()
    kind = serializers.ChoiceField(choices())
    name = serializers.CharField()


class NotificationFacts(serializers.Serializer[Notification]):
    id = serializers.CharField(help_text=gettext_lazy("The same at every try."))
    channel = NotificationChannel()
    kind = serializers.CharField()
    title = NoneIfEmpty(help_text=gettext_lazy("Null until the first try."))
    status = serializers.ChoiceField(Notification.Status.choices)
    tries = serializers.IntegerField(source="tried")
    lastAnswer = serializers.IntegerField(
        source="answer", allow_null=True, help_text=gettext_lazy("The status of the last answer.")
    )
    error = NoneIfEmpty()
    createdAt = Moment(source="created_at")
    sentAt = Moment(source="sent_at", allow_null=True)
    nextTryAt = serializers.SerializerMethodField()

    @extend_schema_field(Moment(allow_null=True))
    def get_nextTryAt(self, row: Notification) -> str | None:
        comes = history.comes(row)
        return Moment().to_representation(comes) if comes else None


class NotificationList(Page):
    notifications = NotificationFacts(many=True)


class AttemptFacts(serializers.Serializer[Attempt]):
    number = serializers.IntegerField()
    beganAt = Moment(source="began_at")
    tookMs = serializers.IntegerField(source="took_ms", allow_null=True)
    outcome = serializers.ChoiceField(Attempt.Outcome.choices)
    answer = serializers.IntegerField(allow_null=True)
    error = NoneIfEmpty()
    excerpt = NoneIfEmpty(help_text=gettext_lazy("The beginning of a refusal's body."))


class NotificationWhole(NotificationFacts):
    payload = serializers.JSONField(
        source="said", allow_null=True, help_text=gettext_lazy("What the last try said.")
    )
    attempts = serializers.SerializerMethodField()

    @extend_schema_field(AttemptFacts(many=True))
    def get_attempts(self, row: Notification) -> Any:
        last: Any = row.tries.order_by("-number")[: history.MOST_TRIES]
        return AttemptFacts(last, many=True).data


class NotificationQuery(PageQuery):
    channel = serializers.CharField(required=False, max_length=40)
    status = serializers.ChoiceField(Notification.Status.choices, required=False)
    kind = serializers.CharField(required=False, max_length=40)
    q = serializers.CharField(
        required=False,
        max_length=200,
        help_text=gettext_lazy("Words in titles, facts, errors, ids and names of channels."),
    )


class Notifications(APIView):
    @extend_schema(parameters=[NotificationQuery], responses=NotificationList)
    def get(self, request: Request) -> Response:
        wanted = query(NotificationQuery, request)
        asked = history.Wanted(
            channel=wanted.get("channel", ""),
            kind=wanted.get("kind", ""),
            words=wanted.get("q", ""),
        )
        rows = history.matching(asked)
        if status := wanted.get("status"):
            rows = rows.filter(status=status)
        page = page_of("notifications", history.with_outcome(rows), wanted)
        return Response(NotificationList(page).data)


class NotificationDetail(APIView):
    @extend_schema(responses=NotificationWhole)
    def get(self, request: Request, notification_id: str) -> Response:
        return Response(NotificationWhole(_row(notification_id)).data)


class NotificationResend(APIView):
    writes = Role.ADMIN

    @extend_schema(request=None, responses={202: NotificationWhole})
    def post(self, request: Request, notification_id: str) -> Response:
        """Send a message that is over once more, at once and under the same id.

        409 `conflict` while it is on its way, or where its channel is off.
        """
        row = _row(notification_id)
        if not outbox.send_again(row.pk, timezone.now()):
            if row.channel.enabled:
                raise Conflict(_("It is on its way already."), reason="under_way")
            raise Conflict(_("Its channel is off."), reason="channel_off")
        return Response(NotificationWhole(_row(notification_id)).data, status=202)


def _row(pk: str) -> Notification:
    rows = history.with_outcome(Notification.objects.filter(pk=pk))
    return one_of(rows.defer(None).defer("channel__config", "content"), pk)
