"""Asking for work, and looking at it."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from checks import asking, naming, queue
from checks.api.shapes import JobFacts, JobList, JobLogs, QueuedJob
from checks.models import Job, JobLog, Service, Stack
from checks.queue import Queued
from dockrev.api.answers import MAX_PER_PAGE, PER_PAGE, body, one_of, query
from dockrev.api.fields import MAX_ID, MAX_INTEGER, Text
from dockrev.errors import Conflict, InvalidArgument
from dockrev.identity import token_used
from dockrev.permissions import Role

LOG_LINES = 500


class CheckOrder(serializers.Serializer[Any]):
    scope = serializers.ChoiceField(Job.Scope.choices)
    stackId = Text(required=False, max_length=MAX_ID)
    serviceId = Text(required=False, max_length=MAX_ID)
    reason = serializers.ChoiceField([Job.Reason.UI, Job.Reason.API], required=False)


class JobQuery(serializers.Serializer[Any]):
    kind = serializers.CharField(required=False, max_length=40)
    status = serializers.ChoiceField(Job.Status.choices, required=False)
    stackId = serializers.CharField(required=False, max_length=MAX_ID)
    serviceId = serializers.CharField(required=False, max_length=MAX_ID)
    cursor = serializers.CharField(
        required=False, max_length=MAX_ID, help_text=gettext_lazy("The `nextCursor` of a page.")
    )
    perPage = serializers.IntegerField(min_value=1, max_value=MAX_PER_PAGE, default=PER_PAGE)


class LogQuery(serializers.Serializer[Any]):
    after = serializers.IntegerField(min_value=0, max_value=MAX_INTEGER, default=0)


class Checks(APIView):
    writes = Role.OPERATOR

    @extend_schema(request=CheckOrder, responses={202: QueuedJob})
    def post(self, request: Request) -> Response:
        order = body(CheckOrder, request)
        reason = order.get("reason") or default_reason(request)
        return queued(_ask_for_check(order, request.user.get_username(), reason))


class DiscoveryScan(APIView):
    writes = Role.OPERATOR

    @extend_schema(request=None, responses={202: QueuedJob})
    def post(self, request: Request) -> Response:
        username = request.user.get_username()
        return queued(asking.look_again(username, reason=default_reason(request)))


class Jobs(APIView):
    @extend_schema(parameters=[JobQuery], responses=JobList)
    def get(self, request: Request) -> Response:
        wanted = query(JobQuery, request)
        columns = {
            "kind": "kind",
            "status": "status",
            "stackId": "stack_id",
            "serviceId": "service_id",
            "cursor": "pk__lt",
        }
        given = {column: wanted[name] for name, column in columns.items() if wanted.get(name)}
        size = wanted["perPage"]
        jobs = list(Job.objects.filter(**given).order_by("-pk")[: size + 1])
        following = jobs[size - 1].pk if len(jobs) > size else None
        return Response(JobList({"jobs": jobs[:size], "nextCursor": following}).data)


class JobDetail(APIView):
    @extend_schema(responses=JobFacts)
    def get(self, request: Request, job_id: str) -> Response:
        return Response(JobFacts(_job(job_id)).data)


class JobLines(APIView):
    @extend_schema(parameters=[LogQuery], responses=JobLogs)
    def get(self, request: Request, job_id: str) -> Response:
        """The log after a line, at most 500 lines at once. `ended` is read before the lines, so
        that none is missed."""
        after = query(LogQuery, request)["after"]
        ended = not _job(job_id).is_active
        lines = list(JobLog.objects.filter(job_id=job_id, pk__gt=after)[: LOG_LINES + 1])
        shown = lines[:LOG_LINES]
        return Response(
            JobLogs(
                {
                    "lines": shown,
                    "after": shown[-1].pk if shown else after,
                    "ended": ended and len(lines) <= LOG_LINES,
                }
            ).data
        )


class JobCancel(APIView):
    writes = Role.OPERATOR

    @extend_schema(request=None, responses=JobFacts)
    def post(self, request: Request, job_id: str) -> Response:
        """End a queued job at once; ask a running one to stop between its steps."""
        job = _job(job_id)
        if not queue.cancel(job_id):
            raise Conflict(_("This job has ended already."), status=job.status)
        job.refresh_from_db()
        return Response(JobFacts(job).data)


def default_reason(request: Request) -> str:
    return Job.Reason.API if token_used(request) else Job.Reason.UI


def queued(job: Queued) -> Response:
    """Answer that work is queued, or that there is a job already that does it."""
    answer = {"jobId": job.job_id, **({"reused": True} if job.reused else {})}
    return Response(QueuedJob(answer).data, status=202)


def _ask_for_check(order: dict[str, Any], username: str, reason: str) -> Queued:
    match order["scope"]:
        case Job.Scope.SERVICE:
            service = target(Service, order, "serviceId")
            return asking.check_service(service, username, reason=reason)
        case Job.Scope.STACK:
            stack = target(Stack, order, "stackId")
            return asking.check_stack(stack, username, reason=reason)
        case _all:
            return asking.check_everything(username, reason=reason)


def target(model: type[Service] | type[Stack], order: dict[str, Any], field: str) -> Any:
    """The row that an order's field names. Raises InvalidArgument and what `naming.only` does."""
    if not order.get(field):
        raise InvalidArgument(field, _("This scope needs %(field)s.") % {"field": field})
    services = Service.objects.select_related("stack__host", "image")
    rows: Any = services if model is Service else Stack.objects.select_related("host")
    row: Service | Stack = naming.only(rows.filter(pk=order[field]), field=field)
    return row


def _job(job_id: str) -> Job:
    return one_of(Job.objects.all(), job_id)
