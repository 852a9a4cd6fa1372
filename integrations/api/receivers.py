"""Receivers: what they are, whether they are on, and their secrets, which are shown once."""

from __future__ import annotations

import re
from typing import Any

from django.http import Http404
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from checks.models import Job
from dockrev.api.answers import PageQuery, body, page_of, query
from dockrev.api.fields import Flag, JsonObject, Text
from dockrev.forms import require_valid
from dockrev.permissions import Role
from integrations import roster, rotation
from integrations.api.shapes import (
    NewSecret,
    ReceiverFacts,
    ReceiverList,
    ReceiverMade,
)
from integrations.callbacks import base_url, whole_url
from integrations.forms import ReceiverForm
from integrations.models import Receiver
from integrations.receivers import CALLERS, choices

_ID = re.compile(r"rcv_[0-9a-z]{26}")


class ReceiverChange(serializers.Serializer[Any]):
    name = Text(required=False, max_length=100)
    enabled = Flag(required=False)
    secret = Text(
        required=False,
        allow_blank=True,
        max_length=rotation.MAX_SECRET,
        trim_whitespace=False,
        help_text=_(
            "Empty or masked keeps the one that is there. The one before counts no longer."
        ),
    )
    registryHost = Text(
        required=False,
        allow_blank=True,
        max_length=255,
        help_text=_("As compose files write it. It wins over the one that a call names."),
    )
    options = JsonObject(required=False, help_text=_("Those of its kind; all that were set go."))


class NewReceiver(ReceiverChange):
    kind = serializers.ChoiceField(choices())
    name = Text(max_length=100)


class Receivers(APIView):
    writes = Role.ADMIN

    @extend_schema(parameters=[PageQuery], responses=ReceiverList)
    def get(self, request: Request) -> Response:
        rows = page_of("receivers", Receiver.objects.all(), query(PageQuery, request))
        return Response(ReceiverList(rows, context={"base": base_url(request)}).data)

    @extend_schema(request=NewReceiver, responses={201: ReceiverMade})
    def post(self, request: Request) -> Response:
        """Make another of a kind. A secret is made where none is given."""
        given = body(NewReceiver, request)
        given["secret"] = given.get("secret") or rotation.fresh_secret()
        row = Receiver(kind=given.pop("kind"))
        _save(row, given)
        return Response(ReceiverMade(row, context={"base": base_url(request)}).data, status=201)


class ReceiverDetail(APIView):
    writes = Role.ADMIN

    @extend_schema(responses=ReceiverFacts)
    def get(self, request: Request, receiver: str) -> Response:
        return _answer(find(receiver), request)

    @extend_schema(request=ReceiverChange, responses=ReceiverFacts)
    def patch(self, request: Request, receiver: str) -> Response:
        """What is absent stays. It has a secret before it can be on."""
        row = find(receiver)
        _save(row, body(ReceiverChange, request))
        return _answer(row, request)

    @extend_schema(responses={204: None})
    def delete(self, request: Request, receiver: str) -> Response:
        """The first of a kind cannot go, it can be switched off; nor can one that an account keeps
        webhooks for."""
        roster.remove(find(receiver))
        return Response(status=204)


class ReceiverRotation(APIView):
    writes = Role.ADMIN

    @extend_schema(request=None, responses=NewSecret)
    def post(self, request: Request, receiver: str) -> Response:
        """A new secret, shown this once. The old one counts until `previousValidUntil`."""
        row = find(receiver)
        username = request.user.get_username()
        rotation.rotate(row, timezone.now(), username=username, reason=Job.Reason.API)
        return Response(new_secret(row, request))


def find(key: str) -> Receiver:
    """By id, or the first of a kind."""
    same = {"pk": key} if _ID.fullmatch(key) else {"kind": key}
    row = Receiver.objects.filter(**same).first()
    if row is None or row.kind not in CALLERS:
        raise Http404
    return row


def new_secret(row: Receiver, request: Request) -> dict[str, Any]:
    """What is shown once: the new secret, and until when the old one counts."""
    shown = {
        "url": whole_url(row, base_url(request)),
        "secret": row.secret,
        "previousValidUntil": row.previous_until,
    }
    return dict(NewSecret(shown).data)


def _answer(row: Receiver, request: Request) -> Response:
    return Response(ReceiverFacts(row, context={"base": base_url(request)}).data)


def _save(row: Receiver, given: dict[str, Any]) -> None:
    data = {
        "name": given.get("name", row.name),
        "enabled": given.get("enabled", row.enabled),
        "registry_host": given.get("registryHost", row.registry_host),
        "options": given.get("options", row.options),
        "secret": given.get("secret", ""),
    }
    form = ReceiverForm(data, instance=row)
    require_valid(form)
    form.write()
