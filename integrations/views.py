"""Where registries call. The body is read up to the receiver's own limit, as bytes.

REST framework describes these calls and refuses other methods. What else it does for a call serves
people, and took a delivery a tenth of its time.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.http.response import HttpResponseBase
from django.utils.translation import gettext as _
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.permissions import AllowAny
from rest_framework.views import APIView

from dockrev.bodies import read_body
from dockrev.errors import as_api_error, error_body, json_error
from dockrev.proxies import client_address
from integrations import ingest, trigger
from integrations.api.shapes import DeliveryAnswer, TriggerAnswer
from integrations.receivers import RECEIVERS
from integrations.receivers.base import Incoming
from integrations.receivers.trigger import HEADER, Trigger


class SelfProving(APIView):
    """Takes calls that prove themselves by their own means."""

    post: Callable[..., HttpResponse]

    authentication_classes = ()
    permission_classes = (AllowAny,)

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if request.method != "POST":
            return super().dispatch(request, *args, **kwargs)
        try:
            return self.post(request, **kwargs)
        except Exception as error:
            return json_error(as_api_error(error))


class Webhook(SelfProving):
    """Takes the calls of one kind of receiver."""

    @extend_schema(
        auth=[],
        request=OpenApiTypes.OBJECT,
        responses={200: DeliveryAnswer, 202: DeliveryAnswer},
    )
    def post(self, request: HttpRequest, kind: str) -> HttpResponse:
        """Take a call of a registry. The body is that registry's own, and so is the proof."""
        if kind not in RECEIVERS:
            raise Http404
        body = read_body(request.META, RECEIVERS[kind].max_body)
        headers = _headers(request.META)
        address = client_address(request.META)
        answer = ingest.take(kind, Incoming(headers, body), address=address)
        return as_response(kind, answer)


class TriggerCall(SelfProving):
    """Takes what CI and scripts ask for."""

    @extend_schema(
        auth=[],
        parameters=[OpenApiParameter(HEADER, str, OpenApiParameter.HEADER, required=True)],
        request=trigger.TriggerOrder,
        responses={202: TriggerAnswer},
    )
    def post(self, request: HttpRequest) -> HttpResponse:
        """Have a service, a stack or everything checked, and people told what is found."""
        incoming = Incoming(_headers(request.META), read_body(request.META, Trigger.max_body))
        queued = trigger.take(incoming, address=client_address(request.META))
        return JsonResponse({"ok": True, "jobId": queued.job_id}, status=202)


def _headers(environ: Mapping[str, Any]) -> dict[str, str]:
    """Headers by their names in lower case."""
    return {
        name.removeprefix("HTTP_").replace("_", "-").lower(): value
        for name, value in environ.items()
        if name.startswith("HTTP_") or name in {"CONTENT_TYPE", "CONTENT_LENGTH"}
    }


def as_response(kind: str, answer: ingest.Answer) -> HttpResponse:
    """A refusal has the error shape where its sender shows it, and is a plain 200 elsewhere."""
    if answer.decision != ingest.Decision.REJECTED:
        return JsonResponse(answer.body, status=answer.status)
    if not RECEIVERS[kind].shows_rejections:
        return JsonResponse(answer.body, status=200)
    words = {
        "invalid_json": _("The body is not a JSON object."),
        "invalid_payload": _("The body does not name the image that was pushed."),
    }
    details = {"deliveryId": answer.delivery_id, "decision": answer.decision}
    code = "invalid_json" if answer.reason == "invalid_json" else "invalid_argument"
    return JsonResponse(
        error_body(code, words[answer.reason], {**details, "reason": answer.reason}), status=400
    )
