"""Stacks and services."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.db.models import Max, Prefetch, Q, QuerySet
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from checks import archiving, findings
from checks.api.shapes import ServiceFacts, ServiceList, StackFacts, StackList, StackWhole
from checks.automatic import pauses
from checks.models import Candidate, Service, Stack
from checks.models.stacks import ARCHIVED, ServiceQuerySet
from dockrev.api.answers import PageQuery, one_of, page_of, query
from dockrev.api.fields import MAX_ID
from dockrev.permissions import Role


class StackQuery(PageQuery):
    archived = serializers.BooleanField(
        default=False, help_text=_("Those that were archived, instead of those that were not.")
    )


class ServiceQuery(StackQuery):
    q = serializers.CharField(
        required=False, max_length=200, help_text=_("Words in names, the stack's or the image.")
    )
    status = serializers.ChoiceField(Service.Status.choices, required=False)
    stack = serializers.CharField(required=False, max_length=MAX_ID, help_text=_("A stack's id."))


class Stacks(APIView):
    @extend_schema(parameters=[StackQuery], responses=StackList)
    def get(self, request: Request) -> Response:
        wanted = query(StackQuery, request)
        rows = stacks().filter(archived_at__isnull=not wanted["archived"])
        return Response(StackList(page_of("stacks", rows, wanted)).data)


class StackDetail(APIView):
    @extend_schema(responses=StackWhole)
    def get(self, request: Request, stack_id: str) -> Response:
        stack: Any = one_of(stacks(), stack_id)
        stack.listed = with_findings(services().filter(stack_id=stack_id))
        return Response(StackWhole(stack).data)


class StackArchive(APIView):
    writes = Role.OPERATOR

    @extend_schema(request=None, responses=StackFacts)
    def post(self, request: Request, stack_id: str) -> Response:
        stack = one_of(stacks(), stack_id)
        archiving.archive(stack, timezone.now())
        return Response(StackFacts(stack).data)


class StackRestore(APIView):
    writes = Role.OPERATOR

    @extend_schema(request=None, responses=StackFacts)
    def post(self, request: Request, stack_id: str) -> Response:
        stack = one_of(stacks(), stack_id)
        archiving.restore(stack)
        return Response(StackFacts(stack).data)


class Services(APIView):
    @extend_schema(parameters=[ServiceQuery], responses=ServiceList)
    def get(self, request: Request) -> Response:
        wanted = query(ServiceQuery, request)
        rows = services().matching(wanted.get("q", ""))
        rows = rows.filter(ARCHIVED if wanted["archived"] else ~ARCHIVED)
        if status := wanted.get("status"):
            rows = rows.filter(status=status)
        if stack := wanted.get("stack"):
            rows = rows.filter(stack_id=stack)
        page = page_of("services", rows, wanted)
        return Response(ServiceList(page | {"services": with_findings(page["services"])}).data)


class ServiceDetail(APIView):
    @extend_schema(responses=ServiceFacts)
    def get(self, request: Request, service_id: str) -> Response:
        return Response(ServiceFacts(service_of(service_id)).data)


class ServiceArchive(APIView):
    writes = Role.OPERATOR

    @extend_schema(request=None, responses=ServiceFacts)
    def post(self, request: Request, service_id: str) -> Response:
        service = service_of(service_id)
        archiving.archive(service, timezone.now())
        return Response(ServiceFacts(service).data)


class ServiceRestore(APIView):
    writes = Role.OPERATOR

    @extend_schema(request=None, responses=ServiceFacts)
    def post(self, request: Request, service_id: str) -> Response:
        service = service_of(service_id)
        archiving.restore(service)
        return Response(ServiceFacts(service).data)


class ServiceResume(APIView):
    writes = Role.OPERATOR

    @extend_schema(request=None, responses=ServiceFacts)
    def post(self, request: Request, service_id: str) -> Response:
        """End the pause after which it updates itself again, as its policy says; without one
        nothing changes."""
        pauses.resume(service_of(service_id))
        return Response(ServiceFacts(service_of(service_id)).data)


def stacks() -> QuerySet[Any]:
    """Stacks with what their services come to."""
    checked = Max("services__checked_at", filter=Q(services__archived_at=None))
    counted = Stack.objects.select_related("host").counted()
    return counted.annotate(last_check_at=checked).order_by("name", "host__name")


def services() -> ServiceQuerySet:
    """Services with all that their shape needs: two queries, however many there are."""
    unclosed = Candidate.objects.unclosed().select_related("image")
    return (
        Service.objects.with_policies()
        .with_pauses()
        .select_related("image")
        .prefetch_related(Prefetch("candidates", unclosed, to_attr="unclosed"))
        .order_by("stack__name", "stack_id", "name")
    )


def with_findings(found: Iterable[Any]) -> list[Any]:
    """Such services, with what scans of theirs found: one query more."""
    rows = list(found)
    findings.set_beside_all((row, row.unclosed) for row in rows)
    return rows


def service_of(service_id: str) -> Service:
    """One of these services. Raises Http404."""
    row: Service = with_findings([one_of(services(), service_id)])[0]
    return row
