"""Asking for an update, or for what it would do."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext_lazy as _
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from checks.api.shapes import QueuedUpdate
from checks.api.work import default_reason, target
from checks.backups.targets import INHERIT, MODES
from checks.models import Job, Service, Stack
from checks.queue import Queued
from checks.updating import orders
from checks.updating.choosing import Target
from checks.updating.orders import Order
from dockrev.api.answers import body
from dockrev.api.fields import MAX_ID, Flag, Text
from dockrev.permissions import Role

MAX_TARGETS = 500


class TargetOrder(serializers.Serializer[Any]):
    serviceId = Text(max_length=MAX_ID)
    targetTag = Text(max_length=128)
    targetDigest = Text(required=False, max_length=160)


class UpdateWishes(serializers.Serializer[Any]):
    """What an update may say beside its scope, wherever it is asked for."""

    targets = TargetOrder(  # type: ignore[call-arg] # a list's own argument
        many=True,
        required=False,
        # Who names none of them, such as a program whose list came out empty, did not ask for all.
        allow_empty=False,
        max_length=MAX_TARGETS,
        help_text=_("Only these; each must be the latest known. Without: each `candidate`."),
    )
    allowArchMismatch = Flag(
        default=False, help_text=_("Also what is not built for the platform here.")
    )
    backupMode = serializers.ChoiceField(
        MODES,
        default=INHERIT,
        help_text=_(
            "Of the services' data: as their policies say, not at all, or all of it whatever its "
            "size, without what is skipped by name."
        ),
    )


class UpdateOrder(UpdateWishes):
    scope = serializers.ChoiceField(Job.Scope.choices)
    stackId = Text(required=False, max_length=MAX_ID)
    serviceId = Text(required=False, max_length=MAX_ID)
    mode = serializers.ChoiceField(
        ["apply", "dry-run"],
        help_text=_("`dry-run` changes nothing: the job is over at once, its summary is the plan."),
    )
    fingerprint = Text(
        required=False,
        max_length=64,
        help_text=_("Of the plan that was seen: where it would be another now, 409."),
    )


class Updates(APIView):
    writes = Role.OPERATOR

    @extend_schema(request=UpdateOrder, responses={202: QueuedUpdate})
    def post(self, request: Request) -> Response:
        """Plan an update, and queue it as planned. 409 where no plan is possible: `details.reason`
        and the message say why; 502 where the Docker Engine does not answer."""
        given = body(UpdateOrder, request)
        order = order_of(given, _stack(given), _service(given))
        by, reason = request.user.get_username(), default_reason(request)
        if given["mode"] == "dry-run":
            return Response({"jobId": orders.dry_run(order, by, reason=reason)}, status=202)
        fingerprint = given.get("fingerprint", "")
        queued = orders.update(order, by, reason=reason, fingerprint=fingerprint)
        return Response(QueuedUpdate(queued_update(queued)).data, status=202)


def order_of(given: dict[str, Any], stack: Stack | None, service: Service | None) -> Order:
    targets = [
        Target(each["serviceId"], tag=each["targetTag"], digest=each.get("targetDigest", ""))
        for each in given.get("targets", ())
    ]
    return Order(
        stack=stack,
        service=service,
        targets=tuple(targets),
        allow_arch_mismatch=given["allowArchMismatch"],
        backup_mode=given["backupMode"],
    )


def queued_update(queued: list[Queued]) -> dict[str, Any]:
    """Names the first of the jobs, and all where there are several."""
    answer: dict[str, Any] = {"jobId": queued[0].job_id}
    if all(each.reused for each in queued):
        answer["reused"] = True
    if len(queued) > 1:
        answer["jobIds"] = [each.job_id for each in queued]
    return answer


def _stack(given: dict[str, Any]) -> Stack | None:
    return target(Stack, given, "stackId") if given["scope"] == Job.Scope.STACK else None


def _service(given: dict[str, Any]) -> Service | None:
    return target(Service, given, "serviceId") if given["scope"] == Job.Scope.SERVICE else None
