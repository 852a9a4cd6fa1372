"""People with a role, and programs that call on their behalf."""

from __future__ import annotations

import json
from typing import Any

from django.contrib.auth.models import Group, User
from django.test import Client

from dockrev.models import ApiToken

ROLES = ("viewer", "operator", "admin")


def person(role: str = "", name: str = "") -> User:
    user = User.objects.create_user(name or role or "nobody", password="a long pass phrase")
    if role:
        user.groups.add(Group.objects.get_or_create(name=role)[0])
    return user


class Program:
    """Calls the API with a token, and reads answers as JSON."""

    def __init__(self, user: User | None) -> None:
        self.client = Client(raise_request_exception=False)
        self.headers: dict[str, str] = {}
        if user is not None:
            _row, token = ApiToken.issue(user, name="test", expires_at=None)
            self.headers["Authorization"] = f"Bearer {token}"

    def call(self, method: str, path: str, body: Any = None, **headers: str) -> Any:
        raw = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body)
        return self.client.generic(
            method, path, raw, content_type="application/json", headers={**self.headers, **headers}
        )

    def get(self, path: str, **headers: str) -> Any:
        return self.call("GET", path, **headers)

    def post(self, path: str, body: Any = None) -> Any:
        return self.call("POST", path, body)

    def put(self, path: str, body: Any = None) -> Any:
        return self.call("PUT", path, body)

    def patch(self, path: str, body: Any = None) -> Any:
        return self.call("PATCH", path, body)

    def delete(self, path: str) -> Any:
        return self.call("DELETE", path)


def error_of(response: Any, status: int, code: str) -> dict[str, Any]:
    """The error that was answered, which has the one shape that all have."""
    assert response.status_code == status, response.content[:500]
    assert response["Content-Type"].startswith("application/json")
    body = response.json()
    assert set(body["error"]) == {"code", "message", "details"}
    assert body["error"]["code"] == code
    assert body["error"]["message"]
    result: dict[str, Any] = body["error"]
    return result
