"""The OpenAPI document, and a page to read it on."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from django.http import HttpResponse
from django.shortcuts import render
from django.utils.module_loading import import_string
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView


class SchemaDocument(APIView):
    @extend_schema(exclude=True)
    def get(self, request: Request) -> Response:
        return Response(document())


class Docs(APIView):
    @extend_schema(exclude=True)
    def get(self, request: Request) -> HttpResponse:
        return render(request, "dockrev/api_docs.html")


@lru_cache(maxsize=1)
def document() -> dict[str, Any]:
    """The document, which is the same for all who may read it.

    The generator is loaded when somebody asks: most servers are never asked.
    """
    generator = import_string("drf_spectacular.generators.SchemaGenerator")
    result: dict[str, Any] = generator().get_schema(request=None, public=True)
    return result
