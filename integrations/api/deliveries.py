"""What registries told us, and telling it to ourselves once more."""

from __future__ import annotations

from typing import Any

from django.db.models import Q, QuerySet
from django.utils.translation import gettext_lazy as _
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from dockrev.api.answers import PageQuery, one_of, page_of, query
from dockrev.permissions import Role
from integrations import delivery_list, replaying
from integrations.api.shapes import DeliveryAnswer, DeliveryList, DeliveryWhole
from integrations.models import Delivery


class DeliveryQuery(PageQuery):
    receiver = serializers.CharField(
        required=False, max_length=40, help_text=_("A kind of receiver, or one's id.")
    )
    decision = serializers.ChoiceField(Delivery.Decision.choices, required=False)
    q = serializers.CharField(
        required=False,
        max_length=200,
        help_text=_("Words in ids, the repository, an image or the caller."),
    )


class Deliveries(APIView):
    @extend_schema(parameters=[DeliveryQuery], responses=DeliveryList)
    def get(self, request: Request) -> Response:
        wanted = query(DeliveryQuery, request)
        words = " ".join(wanted.get("q", "").split()[:10])
        rows = delivery_list.matching(_deliveries().defer("payload", "headers"), words)
        if receiver := wanted.get("receiver"):
            rows = rows.filter(Q(receiver__kind=receiver) | Q(receiver_id=receiver))
        if decision := wanted.get("decision"):
            rows = rows.filter(decision=decision)
        return Response(DeliveryList(page_of("deliveries", rows, wanted)).data)


class DeliveryDetail(APIView):
    @extend_schema(responses=DeliveryWhole)
    def get(self, request: Request, delivery_id: str) -> Response:
        return Response(DeliveryWhole(one_of(_deliveries(), delivery_id)).data)


class DeliveryReplay(APIView):
    writes = Role.OPERATOR

    @extend_schema(request=None, responses={200: DeliveryAnswer, 202: DeliveryAnswer})
    def post(self, request: Request, delivery_id: str) -> Response:
        """Answer as the delivery would be answered now; 200 where there is nothing to queue. Of a
        call of the trigger a check or dry run is asked for again, within what its caller may; 409
        for an update, and where the caller was revoked."""
        rows = Delivery.objects.select_related("receiver", "caller")
        answer = replaying.replay(one_of(rows, delivery_id))
        return Response(answer.body, status=202 if answer.status == 202 else 200)


def _deliveries() -> QuerySet[Delivery]:
    """With their receivers, whose secrets nobody needs here."""
    rows: Any = Delivery.objects.select_related("receiver")
    found: QuerySet[Delivery] = rows.defer("receiver__secret", "receiver__previous_secret")
    return found
