"""Where registries call. The body is read up to the receiver's own limit, as bytes.

REST framework describes these calls and refuses other methods. What else it does for a call serves
people, and took a delivery a tenth of its time.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.http.response import HttpResponseBase
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.permissions import AllowAny
from rest_framework.views import APIView

from dockrev.bodies import read_body
from dockrev.errors import as_api_error, json_error
from dockrev.proxies import client_address
from integrations import calls, paths, trigger
from integrations.api.shapes import DeliveryAnswer, TriggerAnswer
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
        return _answer(request, kind)


class TokenWebhook(SelfProving):
    """Takes the calls of senders that prove themselves by where they call."""

    @extend_schema(
        auth=[],
        request=OpenApiTypes.OBJECT,
        responses={200: DeliveryAnswer, 202: DeliveryAnswer},
    )
    def post(self, request: HttpRequest, kind: str, token: str) -> HttpResponse:
        """Take a call of a registry that signs nothing. The path ends in the receiver's secret."""
        return _answer(request, kind, token)


class AliasedWebhook(SelfProving):
    """Takes calls where another program would."""

    @extend_schema(
        tags=["webhooks"],
        auth=[],
        request=OpenApiTypes.OBJECT,
        responses={200: DeliveryAnswer, 202: DeliveryAnswer},
    )
    def post(self, request: HttpRequest) -> HttpResponse:
        """The same as `/api/webhooks/oci`, for what was set up to call doco-cd."""
        return _answer(request, *paths.read(request.path_info))


def _answer(request: HttpRequest, kind: str, token: str = "") -> HttpResponse:
    if not calls.is_taken(kind, token):
        raise Http404
    reply = calls.answer(kind, request.META, client_address(request.META), token=token)
    return HttpResponse(reply.content, status=reply.status, headers=reply.headers)


class TriggerCall(SelfProving):
    """Takes what CI and scripts ask for."""

    @extend_schema(
        auth=[],
        parameters=[OpenApiParameter(HEADER, str, OpenApiParameter.HEADER, required=True)],
        request=trigger.TriggerOrder,
        responses={202: TriggerAnswer},
    )
    def post(self, request: HttpRequest) -> HttpResponse:
        """Have a service, a stack or everything checked, and people told what is found; or updated,
        as `POST /api/updates` does."""
        incoming = Incoming(calls.headers(request.META), read_body(request.META, Trigger.max_body))
        jobs = trigger.take(incoming, address=client_address(request.META))
        return JsonResponse({"ok": True, **jobs}, status=202)
