"""What the routes share: checking what came, and lists that say where they stand."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

from django.db.models import Model, QuerySet
from django.http import Http404
from rest_framework import serializers
from rest_framework.request import Request

M = TypeVar("M", bound=Model)

MAX_PAGE = 100_000
MAX_PER_PAGE = 200
PER_PAGE = 50


class PageQuery(serializers.Serializer[Any]):
    page = serializers.IntegerField(min_value=1, max_value=MAX_PAGE, default=1)
    perPage = serializers.IntegerField(min_value=1, max_value=MAX_PER_PAGE, default=PER_PAGE)


class Page(serializers.Serializer[Any]):
    page = serializers.IntegerField()
    perPage = serializers.IntegerField()
    total = serializers.IntegerField()


class ErrorFacts(serializers.Serializer[Any]):
    code = serializers.CharField()
    message = serializers.CharField()
    details = serializers.DictField()


class Error(serializers.Serializer[Any]):
    error = ErrorFacts()


def checked(shape: type[serializers.Serializer[Any]], data: Any, **kwargs: Any) -> dict[str, Any]:
    """Return what came, as the serializer cleaned it. Raises its ValidationError."""
    serializer = shape(data=data, **kwargs)
    serializer.is_valid(raise_exception=True)
    result: dict[str, Any] = serializer.validated_data
    return result


def body(shape: type[serializers.Serializer[Any]], request: Request) -> dict[str, Any]:
    return checked(shape, request.data)


def query(shape: type[serializers.Serializer[Any]], request: Request) -> dict[str, Any]:
    return checked(shape, request.query_params)


def one_of(rows: QuerySet[M], pk: str) -> M:
    """The row of this id. Raises Http404."""
    row = rows.filter(pk=pk).first()
    if row is None:
        raise Http404
    return row


def page_of(
    name: str, rows: QuerySet[Any] | list[Any], wanted: Mapping[str, Any]
) -> dict[str, Any]:
    """The page that was asked for, under its plural; of rows that are not read yet, two queries."""
    page, size = wanted["page"], wanted["perPage"]
    start = (page - 1) * size
    return {
        name: list(rows[start : start + size]),
        "page": page,
        "perPage": size,
        "total": len(rows) if isinstance(rows, list) else rows.count(),
    }
