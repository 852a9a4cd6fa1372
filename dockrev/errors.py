"""The one shape of every error of the API."""

from __future__ import annotations

import logging
import secrets
import sys
from typing import Any

from django.core.exceptions import PermissionDenied
from django.db import OperationalError
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.utils.translation import gettext as _
from django.views import csrf, defaults
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


class NotAllowed(ApiError):
    """It is known who asks, and they may not do this."""

    status, code = 403, "permission_denied"


class CsrfFailed(ApiError):
    status, code = 403, "permission_denied"

    def __init__(self) -> None:
        super().__init__(_("The CSRF token is missing or wrong."), reason="csrf")


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
    """Somebody else's server, that this request needs, did not answer as it should."""

    status, code = 502, "upstream_unavailable"


class Busy(ApiError):
    """The database cannot take it now."""

    status, code = 503, "unavailable"

    def __init__(self) -> None:
        super().__init__(
            _("The database is busy; try again."),
            headers={"Retry-After": str(DATABASE_BUSY_SECONDS)},
        )


def error_body(code: str, message: str, details: dict[str, Any] | None = None) -> dict[str, Any]:
    """A message may repeat what was given, and half of a surrogate pair is in no UTF-8."""
    written = message.encode(errors="replace").decode()
    return {"error": {"code": code, "message": written, "details": details or {}}}


def json_error(error: ApiError) -> JsonResponse:
    return JsonResponse(error.body, status=error.status, headers=error.headers)


def internal(error: BaseException | None) -> ApiError:
    """Log an error that nobody foresaw under an id, and tell the caller no more than the id."""
    request_id = secrets.token_hex(8)
    logger.error("unhandled error", exc_info=error, extra={"request_id": request_id})
    return ApiError(
        _("Dockrev failed to answer this; its log has the reason."), requestId=request_id
    )


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
            return RateLimited(_("Too many requests."))
        case exceptions.PermissionDenied() | PermissionDenied():
            return _coded(403, "permission_denied", _("Your role does not allow this."))
        case exceptions.NotFound() | Http404():
            return NotFound(_("There is nothing here."))
        case exceptions.MethodNotAllowed():
            return _coded(405, "method_not_allowed", str(error.detail))
        case exceptions.UnsupportedMediaType():
            return InvalidJson(_("Send the body as application/json."))
        case exceptions.APIException():
            return _coded(error.status_code, "invalid_argument", str(error.detail))
        case OperationalError() if is_busy(error):
            return Busy()
        case _:
            return internal(error)


def is_busy(error: BaseException | None) -> bool:
    """Whether the database could not take it: locked, full, read-only or away.

    SQLite reports missing tables and columns, a bug or a half-done migration, by the same class.
    """
    return isinstance(error, OperationalError) and not str(error).startswith("no such ")


# The last resort, for what no view caught: Django calls these (see `urls.py`). ------------------


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    if not is_api(request):
        return defaults.bad_request(request, exception)
    return json_error(InvalidArgument("", _("This request cannot be read.")))


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    if not is_api(request):
        return csrf.csrf_failure(request, reason)
    return json_error(CsrfFailed())


def forbidden(request: HttpRequest, exception: Exception) -> HttpResponse:
    if not is_api(request):
        return defaults.permission_denied(request, exception)
    return json_error(as_api_error(exception))


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    if not is_api(request):
        return defaults.page_not_found(request, exception)
    return json_error(as_api_error(exception))


def server_error(request: HttpRequest) -> HttpResponse:
    error = sys.exc_info()[1]
    known = Busy() if is_busy(error) else internal(error)
    if is_api(request):
        return json_error(known)
    response = defaults.server_error(request)
    response.status_code = known.status
    for name, value in known.headers.items():
        response[name] = value
    return response


def is_api(request: HttpRequest) -> bool:
    return request.path_info.startswith(("/api/", "/v1/"))


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
