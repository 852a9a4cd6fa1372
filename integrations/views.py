"""Where registries call. The body is read up to the receiver's own limit, as bytes."""

from __future__ import annotations

from django.http import Http404
from django.utils.translation import gettext as _
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from dockrev.bodies import read_body
from dockrev.errors import error_body
from dockrev.proxies import client_address
from integrations import ingest
from integrations.api.shapes import DeliveryAnswer
from integrations.receivers import RECEIVERS
from integrations.receivers.base import Incoming


class Webhook(APIView):
    """Takes the calls of one kind of receiver, which prove themselves by their own means."""

    authentication_classes = ()
    permission_classes = (AllowAny,)

    @extend_schema(
        auth=[],
        request=OpenApiTypes.OBJECT,
        responses={200: DeliveryAnswer, 202: DeliveryAnswer},
    )
    def post(self, request: Request, kind: str) -> Response:
        """Take a call of a registry. The body is that registry's own, and so is the proof."""
        if kind not in RECEIVERS:
            raise Http404
        body = read_body(request.META, RECEIVERS[kind].max_body)
        headers = {name.lower(): value for name, value in request.headers.items()}
        address = client_address(request.META)
        answer = ingest.take(kind, Incoming(headers, body), address=address)
        return as_response(kind, answer)


def as_response(kind: str, answer: ingest.Answer) -> Response:
    """A refusal has the error shape where its sender shows it, and is a plain 200 elsewhere."""
    if answer.decision != ingest.Decision.REJECTED:
        return Response(answer.body, status=answer.status)
    if not RECEIVERS[kind].shows_rejections:
        return Response(answer.body, status=200)
    words = {
        "invalid_json": _("The body is not a JSON object."),
        "invalid_payload": _("The body does not name the image that was pushed."),
    }
    details = {"deliveryId": answer.delivery_id, "decision": answer.decision}
    code = "invalid_json" if answer.reason == "invalid_json" else "invalid_argument"
    return Response(
        error_body(code, words[answer.reason], {**details, "reason": answer.reason}), status=400
    )
