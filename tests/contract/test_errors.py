"""Every error has one shape, whoever raises it."""

from __future__ import annotations

import json
import logging
from typing import Any

import pytest
from django.contrib.sessions.backends.db import SessionStore
from django.db import OperationalError, connection
from django.test import Client, override_settings

from tests.people import Program, error_of, person

UNKNOWN_SERVICE = "/api/services/svc_00000000000000000000000000"


def test_it_answers_an_unknown_route(stranger: Program) -> None:
    for path in ("/api/nothing", "/api/services/", "/api/services/nothing", "/api/"):
        error_of(stranger.get(path), 404, "not_found")


def test_it_answers_an_unknown_id(viewer: Program) -> None:
    error_of(viewer.get(UNKNOWN_SERVICE), 404, "not_found")


def test_it_answers_a_wrong_method(viewer: Program, admin: Program) -> None:
    response = admin.delete("/api/services")
    error_of(response, 405, "method_not_allowed")
    assert "GET" in response["Allow"]


@pytest.mark.parametrize(
    "raw",
    [b"{", b"[]", b'"x"', b"\xff\xfe", b'{"a": NaN}', b"[" * 10_000, b'{"scope": ' + b"9" * 5000],
)
def test_it_answers_a_body_that_is_no_json_object(operator: Program, raw: bytes) -> None:
    error_of(operator.call("POST", "/api/checks", raw), 400, "invalid_json")


def test_it_answers_a_body_that_is_too_large(operator: Program) -> None:
    raw = b'{"scope": "' + b"a" * 1024 * 1024 + b'"}'
    error_of(operator.call("POST", "/api/checks", raw), 413, "payload_too_large")


def test_it_answers_whatever_type_is_accepted(viewer: Program) -> None:
    response = viewer.get("/api/stacks?format=xml", Accept="application/xml")
    assert response.status_code == 200
    assert response["Content-Type"] == "application/json"


@pytest.mark.parametrize("value", [1, True, None, [], {}, "\x00", "a" * 40, "\ud800"])
def test_it_names_the_field_of_a_wrong_value(operator: Program, value: Any) -> None:
    raw = json.dumps({"scope": "service", "serviceId": value}).encode()
    error = error_of(operator.call("POST", "/api/checks", raw), 400, "invalid_argument")
    assert error["details"]["field"] == "serviceId"


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("page=0", "page"),
        ("page=x", "page"),
        ("page=99999999999999999999", "page"),
        ("perPage=201", "perPage"),
        ("status=nothing", "status"),
        ("q=%00", "q"),
        ("q=" + "a" * 300, "q"),
        ("stack=" + "a" * 40, "stack"),
        ("archived=perhaps", "archived"),
    ],
)
def test_it_names_the_parameter_of_a_wrong_value(viewer: Program, query: str, field: str) -> None:
    error = error_of(viewer.get(f"/api/services?{query}"), 400, "invalid_argument")
    assert error["details"]["field"] == field


def test_it_asks_strangers_who_they_are(stranger: Program) -> None:
    for path in ("/api/services", "/api/jobs", "/api/settings", "/api/schema/", "/api/docs/"):
        response = stranger.get(path)
        error_of(response, 401, "auth_required")
        assert response["WWW-Authenticate"] == "Bearer"


def test_it_refuses_a_wrong_token(stranger: Program) -> None:
    for given in ("Bearer", "Bearer ", "Bearer nothing", "bearer drv_\xe9", "Bearer " + "a" * 5000):
        stranger.headers["Authorization"] = given
        error_of(stranger.get("/api/services"), 401, "auth_required")


def test_it_refuses_a_role_that_may_not(viewer: Program) -> None:
    error_of(viewer.post("/api/checks", {"scope": "all"}), 403, "permission_denied")
    error_of(Program(person()).get("/api/services"), 403, "permission_denied")


@pytest.mark.django_db
def test_it_wants_the_csrf_token_of_a_session() -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(person("operator"))
    response = client.post("/api/discovery/scan", b"{}", content_type="application/json")
    error = error_of(response, 403, "permission_denied")
    assert error["details"] == {"reason": "csrf"}
    assert client.get("/api/services").status_code == 200


@pytest.mark.django_db
@override_settings(ALLOWED_HOSTS=["dockrev.example"])
def test_it_answers_a_wrong_host() -> None:
    error_of(
        Client().get("/api/version", headers={"Host": "evil.example"}), 400, "invalid_argument"
    )


def test_it_says_no_more_than_an_id_of_a_bug(
    viewer: Program, caplog: pytest.LogCaptureFixture
) -> None:
    with connection.execute_wrapper(_explode), caplog.at_level(logging.INFO):
        error = error_of(viewer.get(UNKNOWN_SERVICE), 500, "internal")
    assert set(error["details"]) == {"requestId"}
    assert "a private detail" not in json.dumps(error)
    logged = [vars(record).get("request_id") for record in caplog.records]
    assert logged == [error["details"]["requestId"]]
    assert UNKNOWN_SERVICE not in caplog.text.partition("Traceback")[0]


def test_it_answers_a_bug_below_the_views(monkeypatch: pytest.MonkeyPatch, db: None) -> None:
    client = Client(raise_request_exception=False)
    client.force_login(person("viewer"))
    monkeypatch.setattr(SessionStore, "load", _explode)
    error_of(client.get("/api/services"), 500, "internal")


def test_it_asks_to_come_back_while_the_database_is_busy(
    viewer: Program, operator: Program
) -> None:
    with connection.execute_wrapper(_locked):
        for response in (viewer.get("/api/services"), operator.post("/api/discovery/scan")):
            error_of(response, 503, "unavailable")
            assert int(response["Retry-After"]) >= 1


def _explode(*_: object) -> None:
    raise RuntimeError("a private detail")


def _locked(*_: object) -> None:
    raise OperationalError("database is locked")
