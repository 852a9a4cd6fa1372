"""Whether this instance is well, and which version it is. Anyone may ask."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.utils.translation import gettext as _
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from dockrev import probes
from dockrev.api.answers import ErrorFacts, query
from dockrev.errors import error_body


class HealthQuery(serializers.Serializer[Any]):
    require = serializers.ChoiceField(["worker"], required=False)


class HealthFacts(serializers.Serializer[Any]):
    status = serializers.ChoiceField(["ok", "unavailable"])
    checks = serializers.DictField(child=serializers.ChoiceField(["ok", "absent", "down"]))
    error = ErrorFacts(required=False)


class VersionFacts(serializers.Serializer[Any]):
    version = serializers.CharField()
    commit = serializers.CharField(allow_null=True)


class Health(APIView):
    authentication_classes = ()
    permission_classes = (AllowAny,)

    @extend_schema(parameters=[HealthQuery], responses={200: HealthFacts, 503: HealthFacts})
    def get(self, request: Request) -> Response:
        """503 only where this server cannot do its part: an inbox has to take deliveries while
        the worker is away, unless the worker is asked for."""
        wanted = query(HealthQuery, request)
        checks = probes.health()
        needed = {"database", wanted.get("require", "database")}
        down = sorted(name for name in needed if checks.get(name, "down") != "ok")
        if not down:
            return Response({"status": "ok", "checks": checks})
        error = error_body("unavailable", _("A part of Dockrev is down."), {"parts": down})
        return Response({"status": "unavailable", "checks": checks, **error}, status=503)


class Version(APIView):
    authentication_classes = ()
    permission_classes = (AllowAny,)

    @extend_schema(responses=VersionFacts)
    def get(self, request: Request) -> Response:
        return Response({"version": settings.VERSION, "commit": settings.COMMIT or None})
