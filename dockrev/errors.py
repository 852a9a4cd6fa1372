"""The one shape of every error of the API."""

from __future__ import annotations

import logging
import secrets
from typing import Any

from django.core.exceptions import PermissionDenied
from django.db import OperationalError
from django.http import Http404, JsonResponse
from rest_framework import exceptions
from rest_framework.response import Response

logger = logging.getLogger(__name__)

DATABASE_BUSY_SECONDS = 2


class ApiError(Exception):
    """An error with the code, status and details that the HTTP contract gives it."""

    status = 500
    code = "internal"

    def __init__(self, message: str, *, headers: dict[str, str] | None = None, **details: Any):
        super().__init__(message)
        self.message = message
        self.details = details
        self.headers = headers or {}

    @property
    def body(self) -> dict[str, Any]:
        return error_body(self.code, self.message, self.details)


class InvalidArgument(ApiError):
    status, code = 400, "invalid_argument"

    def __init__(self, field: str, message: str, **details: Any):
        super().__init__(message, field=field, **details)


class InvalidJson(ApiError):
    status, code = 400, "invalid_json"


class AuthRequired(ApiError):
    status, code = 401, "auth_required"


class InvalidSignature(ApiError):
    status, code = 401, "invalid_signature"


class NotFound(ApiError):
    status, code = 404, "not_found"


class Conflict(ApiError):
    status, code = 409, "conflict"


class PayloadTooLarge(ApiError):
    status, code = 413, "payload_too_large"


class CredentialRejected(ApiError):
    status, code = 422, "credential_rejected"


class RateLimited(ApiError):
    status, code = 429, "rate_limited"


class UpstreamUnavailable(ApiError):
    status, code = 502, "upstream_unavailable"


class Busy(ApiError):
    """The database cannot take it now."""

    status, code = 503, "unavailable"

    def __init__(self) -> None:
        super().__init__(
            "The database is busy; try again.", headers={"Retry-After": str(DATABASE_BUSY_SECONDS)}
        )


def error_body(code: str, message: str, details: dict[str, Any] | None = None) -> dict[str, Any]:
    return {"error": {"code": code, "message": message, "details": details or {}}}


def json_error(error: ApiError) -> JsonResponse:
    return JsonResponse(error.body, status=error.status, headers=error.headers)


def internal(error: Exception) -> ApiError:
    """Log an error that nobody foresaw under an id, and tell the caller no more than the id."""
    request_id = secrets.token_hex(8)
    logger.error("unhandled error", exc_info=error, extra={"request_id": request_id})
    return ApiError("Dockrev failed to answer this; its log has the reason.", requestId=request_id)


def handle(error: Exception, context: dict[str, Any]) -> Response:
    """DRF's exception handler."""
    headers: dict[str, str] = {}
    if isinstance(error, exceptions.APIException):
        if wait := getattr(error, "wait", None):
            headers["Retry-After"] = str(int(wait) + 1)
        if challenge := getattr(error, "auth_header", None):
            headers["WWW-Authenticate"] = challenge
    known = as_api_error(error)
    return Response(known.body, status=known.status, headers={**known.headers, **headers})


def as_api_error(error: Exception) -> ApiError:
    """Translate an exception of Django, DRF or the database."""
    match error:
        case ApiError():
            return error
        case exceptions.ValidationError():
            return _invalid(error)
        case exceptions.ParseError():
            return InvalidJson(str(error.detail))
        case exceptions.NotAuthenticated() | exceptions.AuthenticationFailed():
            return AuthRequired(str(error.detail))
        case exceptions.Throttled():
            return RateLimited("Too many requests.")
        case exceptions.PermissionDenied() | PermissionDenied():
            return _coded(403, "permission_denied", "Your role does not allow this.")
        case exceptions.NotFound() | Http404():
            return NotFound("There is nothing here.")
        case exceptions.MethodNotAllowed():
            return _coded(405, "method_not_allowed", str(error.detail))
        case exceptions.UnsupportedMediaType():
            return InvalidJson("Send the body as application/json.")
        case exceptions.APIException():
            return _coded(error.status_code, "invalid_argument", str(error.detail))
        case OperationalError() if "locked" in str(error):
            return Busy()
        case _:
            return internal(error)


def _coded(status: int, code: str, message: str) -> ApiError:
    known = ApiError(message)
    known.status, known.code = status, code
    return known


def _invalid(error: exceptions.ValidationError) -> ApiError:
    """Name the first field that is wrong, as the caller spelled it."""
    detail: Any = error.detail
    path: list[str] = []
    while isinstance(detail, dict | list) and detail:
        if isinstance(detail, dict):
            key = next(iter(detail))
            path += [] if key == "non_field_errors" else [str(key)]
            detail = detail[key]
        else:
            detail = next((item for item in detail if item), "")
    return InvalidArgument(".".join(path), str(detail))
