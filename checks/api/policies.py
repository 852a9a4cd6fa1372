"""Policies: of a service, of a stack, and of all.

The one for all has a route of its own, not a member of the settings: operators read it beside the
others, and it answers in the same shape.
"""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from checks import policies
from checks.api.inventory import service_of, services
from checks.api.policy_shapes import PolicyChange, PolicyFacts, SharedPolicyFacts
from checks.api.shapes import ServiceFacts
from checks.models import Stack
from checks.policies import Level
from checks.versions.patterns import BadPattern
from checks.versions.policies import FIELDS, text_of
from dockrev.api.answers import body, one_of
from dockrev.errors import InvalidArgument
from dockrev.permissions import Role


class ServicePolicy(APIView):
    writes = Role.OPERATOR

    @extend_schema(responses=PolicyFacts)
    def get(self, request: Request, service_id: str) -> Response:
        """What holds for a service, and by whose word."""
        service = one_of(services(), service_id)
        return Response(PolicyFacts(policies.of_service(service)).data)

    @extend_schema(request=PolicyChange, responses=ServiceFacts)
    def patch(self, request: Request, service_id: str) -> Response:
        """Say what is wanted of a service alone; a check by the new policy is queued.

        What a label says holds all the same, as long as the label is there.
        """
        service = service_of(service_id)
        _change(policies.of_service(service), request)
        return Response(ServiceFacts(service).data)


class StackPolicy(APIView):
    writes = Role.OPERATOR

    @extend_schema(responses=SharedPolicyFacts)
    def get(self, request: Request, stack_id: str) -> Response:
        """What holds in a stack where its services say nothing."""
        return Response(_shared(policies.of_stack(one_of(Stack.objects.all(), stack_id))))

    @extend_schema(request=PolicyChange, responses=SharedPolicyFacts)
    def patch(self, request: Request, stack_id: str) -> Response:
        """Say what is wanted in a stack; one check of the stack is queued."""
        stack = one_of(Stack.objects.all(), stack_id)
        _change(policies.of_stack(stack), request)
        return Response(_shared(policies.of_stack(stack)))


class PolicyForAll(APIView):
    writes = Role.ADMIN

    @extend_schema(responses=SharedPolicyFacts)
    def get(self, request: Request) -> Response:
        """What holds where neither services nor stacks say anything."""
        return Response(_shared(policies.of_all()))

    @extend_schema(request=PolicyChange, responses=SharedPolicyFacts)
    def patch(self, request: Request) -> Response:
        """Say what is wanted everywhere; one check of everything is queued."""
        _change(policies.of_all(), request)
        return Response(_shared(policies.of_all()))


def _change(level: Level, request: Request) -> None:
    changes = body(PolicyChange, request)
    for name, value in changes.items():
        try:
            changes[name] = None if value is None else FIELDS[name].read(text_of(value))
        except BadPattern as error:
            raise InvalidArgument(name, str(error), position=error.position) from None
    policies.change(level, changes, request.user.get_username())


def _shared(level: Level) -> dict[str, Any]:
    reach, count = policies.reach(level)
    return {**PolicyFacts(level).data, "services": count, "reach": reach}
