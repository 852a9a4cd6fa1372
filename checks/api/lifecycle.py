"""Starting, stopping and restarting, and what containers write."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from checks.api.shapes import QueuedJob
from checks.api.work import default_reason, queued, target
from checks.container_logs.lines import (
    MOST_LINES,
    BadSince,
    Line,
    Logs,
    Since,
    Source,
    logs_of,
)
from checks.discovery.projects import EngineUnavailable
from checks.lifecycle import orders
from checks.lifecycle.course import Action
from checks.lifecycle.orders import Order
from checks.models import Job, Service, Stack
from dockrev.api.answers import body, one_of, query
from dockrev.api.fields import MAX_ID, Moment, Text
from dockrev.errors import InvalidArgument, UpstreamUnavailable
from dockrev.permissions import Role

TAIL = 200
SCOPES = [each for each in Job.Scope.choices if each[0] != Job.Scope.ALL]


class LifecycleOrder(serializers.Serializer[Any]):
    action = serializers.ChoiceField([str(each) for each in Action])
    scope = serializers.ChoiceField(SCOPES)
    stackId = Text(required=False, max_length=MAX_ID)
    serviceId = Text(required=False, max_length=MAX_ID)


class LogsQuery(serializers.Serializer[Any]):
    tail = serializers.IntegerField(min_value=1, max_value=MOST_LINES, default=TAIL)
    since = serializers.CharField(
        default="",
        max_length=1000,
        help_text=gettext_lazy("A time of RFC 3339, or the `since` of an answer: what came after."),
    )
    container = serializers.CharField(
        default="", max_length=255, help_text=gettext_lazy("The name of one: without it, of all.")
    )


class LogSource(serializers.Serializer[Source]):
    id = serializers.CharField()
    name = serializers.CharField()
    status = serializers.CharField()
    error = serializers.CharField(
        source="trouble", help_text=gettext_lazy("Why its log cannot be read; else empty.")
    )


class ContainerLine(serializers.Serializer[Line]):
    at = Moment(source="moment", allow_null=True)
    container = serializers.CharField()
    stream = serializers.ChoiceField(["stdout", "stderr"])
    text = serializers.CharField()


class ContainerLogs(serializers.Serializer[Logs]):
    containers = LogSource(many=True, source="sources")
    lines = ContainerLine(many=True)
    since = serializers.CharField(help_text=gettext_lazy("Give it to go on from here."))


class Lifecycle(APIView):
    writes = Role.OPERATOR

    @extend_schema(request=LifecycleOrder, responses={202: QueuedJob})
    def post(self, request: Request) -> Response:
        """Start, stop or restart a service or a stack. 409 where that cannot be done:
        `details.reason` and the message say why; 502 where the Docker Engine does not answer."""
        order = _order(body(LifecycleOrder, request))
        username = request.user.get_username()
        return queued(orders.ask(order, username, reason=default_reason(request)))


class ServiceLogs(APIView):
    reads = Role.OPERATOR

    @extend_schema(parameters=[LogsQuery], responses=ContainerLogs)
    def get(self, request: Request, service_id: str) -> Response:
        """The last lines that the containers of a service wrote, for operators: secrets of theirs
        may stand there. 502 where the Docker Engine does not answer."""
        wanted = query(LogsQuery, request)
        try:
            since = Since.read(wanted["since"])
        except BadSince as error:
            text = _("It is neither a time nor what an answer said.")
            raise InvalidArgument("since", text) from error
        service = one_of(Service.objects.select_related("stack__host"), service_id)
        try:
            logs = logs_of(service, tail=wanted["tail"], since=since, container=wanted["container"])
        except EngineUnavailable as error:
            raise UpstreamUnavailable(str(error), reason="engine") from error
        return Response(ContainerLogs(logs).data)


def _order(given: dict[str, Any]) -> Order:
    action = Action(given["action"])
    if given["scope"] == Job.Scope.STACK:
        return Order(action, target(Stack, given, "stackId"))
    service: Service = target(Service, given, "serviceId")
    return Order(action, service.stack, service)
