"""Health, version, settings, and the document of the API."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.core.management import call_command
from django.db import OperationalError, connection
from django.utils import timezone

from dockrev.models import Heartbeat, Schedule
from tests.people import Program, error_of


def _schedule() -> Schedule:
    return Schedule.objects.update_or_create(
        name="discovery", defaults={"cron": "* * * * *", "next_run_at": timezone.now()}
    )[0]


def test_it_is_healthy_while_only_the_worker_is_away(stranger: Program) -> None:
    response = stranger.get("/api/health")
    assert response.status_code == 200
    assert response.json()["status"] == "ok"
    assert response.json()["checks"]["database"] == "ok"
    assert response.json()["checks"]["worker"] == "down"


def test_it_is_not_healthy_without_a_worker_that_is_required(stranger: Program) -> None:
    response = stranger.get("/api/health?require=worker")
    error_body = response.json()
    assert response.status_code == 503
    assert error_body["error"]["details"] == {"parts": ["worker"]}
    Heartbeat.objects.create(name="worker", at=timezone.now())
    assert stranger.get("/api/health?require=worker").status_code == 200
    Heartbeat.objects.update(at=timezone.now() - timedelta(minutes=2))
    assert stranger.get("/api/health?require=worker").status_code == 503


def test_it_is_not_healthy_without_its_database(stranger: Program) -> None:
    def gone(*_: object) -> None:
        raise OperationalError("unable to open database file")

    with connection.execute_wrapper(gone):
        response = stranger.get("/api/health")
    assert response.status_code == 503
    assert response.json()["checks"] == {"database": "down"}


def test_it_refuses_to_require_something_else(stranger: Program) -> None:
    error = error_of(stranger.get("/api/health?require=moon"), 400, "invalid_argument")
    assert error["details"]["field"] == "require"


def test_it_tells_its_version_to_anyone(stranger: Program) -> None:
    response = stranger.get("/api/version")
    assert set(response.json()) == {"version", "commit"}


def test_it_changes_what_is_given_and_keeps_the_rest(admin: Program) -> None:
    _schedule()
    response = admin.put(
        "/api/settings",
        {
            "publicBaseUrl": "https://dockrev.example/base/",
            "schedules": [{"name": "discovery", "cron": "*/5 * * * *", "jitterSeconds": 3}],
        },
    )
    assert response.status_code == 200, response.content
    shown = admin.get("/api/settings").json()
    assert shown == response.json()
    assert shown["publicBaseUrl"] == "https://dockrev.example/base"
    assert (shown["retentionDays"], shown["deliveriesMost"]) == (90, 100_000)
    discovery = next(row for row in shown["schedules"] if row["name"] == "discovery")
    assert (discovery["cron"], discovery["jitterSeconds"]) == ("*/5 * * * *", 3)
    assert discovery["nextRunAt"] is None  # the tick works it out
    assert admin.put("/api/settings", {"publicBaseUrl": ""}).json()["publicBaseUrl"] is None
    assert admin.put("/api/settings", {"updatesAtOnce": 3}).json()["updatesAtOnce"] == 3
    assert admin.put("/api/settings", {"deliveriesMost": 7}).json()["deliveriesMost"] == 7
    assert shown["backupRequired"] is True
    changed = {"backupsKeep": 5, "backupDays": 7, "backupLimitMb": 0, "backupRequired": False}
    assert admin.put("/api/settings", changed).json().items() >= changed.items()


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"publicBaseUrl": "dockrev.example"}, "publicBaseUrl"),
        ({"publicBaseUrl": "ftp://dockrev.example"}, "publicBaseUrl"),
        ({"publicBaseUrl": "https://ada:pw@dockrev.example"}, "publicBaseUrl"),
        ({"publicBaseUrl": "https://dockrev.example:port"}, "publicBaseUrl"),
        ({"publicBaseUrl": "https://[::1"}, "publicBaseUrl"),
        ({"publicBaseUrl": 7}, "publicBaseUrl"),
        ({"retentionDays": 0}, "retentionDays"),
        ({"retentionDays": 10**30}, "retentionDays"),
        ({"retentionDays": "30"}, "retentionDays"),
        ({"retentionDays": True}, "retentionDays"),
        ({"deliveriesMost": 0}, "deliveriesMost"),
        ({"updatesAtOnce": 0}, "updatesAtOnce"),
        ({"deliveriesMost": 10**9}, "deliveriesMost"),
        ({"deliveriesMost": "100"}, "deliveriesMost"),
        ({"backupsKeep": 0}, "backupsKeep"),
        ({"backupDays": -1}, "backupDays"),
        ({"backupLimitMb": 10**9}, "backupLimitMb"),
        ({"backupRequired": "no"}, "backupRequired"),
        ({"schedules": [{"name": "discovery", "cron": "every day"}]}, "schedules.0.cron"),
        ({"schedules": [{"name": "nothing"}]}, "schedules.0.name"),
        ({"schedules": [{"name": "discovery", "enabled": "yes"}]}, "schedules.0.enabled"),
        ({"schedules": {"name": "discovery"}}, "schedules"),
    ],
)
def test_it_saves_nothing_of_a_change_that_is_wrong(
    admin: Program, given: dict[str, object], field: str
) -> None:
    _schedule()
    before = admin.get("/api/settings").json()
    whole = {"retentionDays": 7, "publicBaseUrl": "https://new.example", **given}
    error = error_of(admin.put("/api/settings", whole), 400, "invalid_argument")
    assert error["details"]["field"] == field
    assert admin.get("/api/settings").json() == before


def test_it_documents_itself_for_who_may_read(viewer: Program) -> None:
    document = viewer.get("/api/schema/").json()
    assert document["openapi"].startswith("3.1")
    assert "/api/services/{service_id}" in document["paths"]
    page = viewer.get("/api/docs/")
    assert page.status_code == 200
    assert b"<script>" not in page.content


def test_it_documents_itself_without_a_warning(capsys: pytest.CaptureFixture[str]) -> None:
    call_command("spectacular", "--validate", "--fail-on-warn")
    assert "Warning" not in capsys.readouterr().err
