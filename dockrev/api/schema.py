"""How views become the OpenAPI document."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.utils import Direction

from dockrev.api.answers import Error


class Schema(AutoSchema):
    """Names operations after their view, and gives every one the shape of errors."""

    def get_operation_id(self) -> str:
        return f"{self.method.lower()}{type(self.view).__name__}"

    def get_tags(self) -> list[str]:
        return [self.path.removeprefix("/api/").split("/")[0]]

    def map_parsers(self) -> list[str]:
        return ["application/json"]

    def _get_response_bodies(self, direction: Direction = "response") -> dict[str, Any]:
        bodies: dict[str, Any] = super()._get_response_bodies(direction)
        error = self._get_response_for_code(  # type: ignore[no-untyped-call]  # has no types
            Error, "default", direction=direction
        )
        return {**bodies, "default": {**error, "description": "An error."}}


class Bearer(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]  # as above
    target_class = "dockrev.identity.BearerAuthentication"
    name = "token"

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:
        return {"type": "http", "scheme": "bearer", "description": "An API token."}


class Forwarded(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]  # as above
    target_class = "dockrev.identity.ForwardedAuthentication"
    name = "forwarded"

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:
        return {
            "type": "apiKey",
            "in": "header",
            "name": settings.FORWARDED_USER_HEADER,
            "description": "A name that a trusted proxy vouches for.",
        }


class Session(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]  # as above
    target_class = "dockrev.identity.SessionAuthentication"
    name = "session"

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:
        return {
            "type": "apiKey",
            "in": "cookie",
            "name": "sessionid",
            "description": "Changes need the CSRF token in X-CSRFToken as well.",
        }
