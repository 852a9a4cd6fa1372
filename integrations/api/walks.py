"""A call's walk through the pipeline: of an example, and of one that somebody has at hand."""

from __future__ import annotations

from typing import Any

from django.http import Http404
from django.utils.translation import gettext_lazy as _
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from dockrev.api.answers import body
from dockrev.api.fields import Text
from dockrev.parsers import ObjectParser
from dockrev.permissions import Role
from integrations import pasted, walk
from integrations.api.receivers import find
from integrations.api.shapes import WalkAnswer
from integrations.models import Receiver
from integrations.receivers import RECEIVERS


@extend_schema_field(OpenApiTypes.STR)
class PayloadText(serializers.Field[str, Any, str, Any]):
    """A payload's text, whatever is in it; it is refused for nothing but its length."""

    default_error_messages = {"invalid": _("This must be the payload's text.")}

    def to_internal_value(self, data: Any) -> str:
        if not isinstance(data, str):
            self.fail("invalid")
        return data

    def to_representation(self, value: str) -> str:
        return value


class PastedCall(serializers.Serializer[Any]):
    headers = serializers.DictField(
        child=Text(allow_blank=True, trim_whitespace=False, max_length=pasted.MAX_VALUE),
        default=dict,
    )
    body = PayloadText()


class LongerBodies(ObjectParser):
    """Leaves room for what JSON adds to a payload's text, and for the headers beside it."""

    most = 2 * pasted.MAX_BODY + 64 * 1024


class ReceiverTest(APIView):
    writes = Role.OPERATOR

    @extend_schema(request=None, responses=WalkAnswer)
    def post(self, request: Request, receiver: str) -> Response:
        """Run the registry's published example through the real pipeline; `steps` say how far it
        came. It is kept as a delivery that is marked as a test."""
        return Response(WalkAnswer(walk.send_test(_found(receiver)).body).data)


class ReceiverExplanation(APIView):
    writes = Role.OPERATOR
    parser_classes = (LongerBodies,)

    @extend_schema(request=PastedCall, responses=WalkAnswer)
    def post(self, request: Request, receiver: str) -> Response:
        """Say what the pipeline would do with a call, and do nothing."""
        row = _found(receiver)
        given = body(PastedCall, request)
        call = pasted.checked(given["headers"], given["body"])
        return Response(WalkAnswer(walk.explain(row, call.headers, call.body).body).data)


def _found(key: str) -> Receiver:
    row = find(key)
    if row.kind not in RECEIVERS:
        raise Http404
    return row
