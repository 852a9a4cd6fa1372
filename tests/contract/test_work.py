"""Asking for work and looking at it, as a program does."""

from __future__ import annotations

import pytest
from django.test import Client
from django.utils import timezone

from checks.models import Job, JobLog
from tests.pages.rows import job
from tests.people import Program, error_of, person
from tests.rows import service


def test_it_queues_a_check_of_a_service_once(operator: Program) -> None:
    row = service()
    order = {"scope": "service", "serviceId": row.pk}
    first = operator.post("/api/checks", order)
    assert first.status_code == 202
    assert set(first.json()) == {"jobId"}
    assert operator.post("/api/checks", order).json() == {**first.json(), "reused": True}
    shown = operator.get(f"/api/jobs/{first.json()['jobId']}").json()
    assert shown["kind"] == "check.service"
    assert (shown["serviceId"], shown["stackId"]) == (row.pk, row.stack_id)
    assert (shown["status"], shown["reason"], shown["createdBy"]) == ("queued", "api", "operator")
    assert shown["progress"] == {"done": 0, "total": 0, "message": ""}


def test_it_queues_a_check_of_a_stack_and_of_everything(operator: Program) -> None:
    row = service()
    stack = operator.post("/api/checks", {"scope": "stack", "stackId": row.stack_id}).json()
    everything = operator.post("/api/checks", {"scope": "all", "reason": "ui"}).json()
    assert Job.objects.get(pk=stack["jobId"]).kind == "check.stack"
    assert Job.objects.get(pk=everything["jobId"]).reason == "ui"


def test_it_looks_again_at_what_runs(operator: Program) -> None:
    response = operator.post("/api/discovery/scan")
    assert response.status_code == 202
    assert Job.objects.get(pk=response.json()["jobId"]).kind == "discovery"


@pytest.mark.django_db
def test_it_knows_a_session_from_a_token() -> None:
    client = Client()
    client.force_login(person("operator"))
    response = client.post("/api/discovery/scan", content_type="application/json")
    assert Job.objects.get(pk=response.json()["jobId"]).reason == "ui"


@pytest.mark.parametrize(
    ("order", "field"),
    [
        ({}, "scope"),
        ({"scope": "planet"}, "scope"),
        ({"scope": ["all"]}, "scope"),
        ({"scope": "service"}, "serviceId"),
        ({"scope": "stack"}, "stackId"),
        ({"scope": "all", "reason": "webhook"}, "reason"),
    ],
)
def test_it_refuses_a_check_that_is_not_clear(
    operator: Program, order: dict[str, object], field: str
) -> None:
    error = error_of(operator.post("/api/checks", order), 400, "invalid_argument")
    assert error["details"]["field"] == field
    assert not Job.objects.exists()


def test_it_does_not_know_a_service_that_is_not_there(operator: Program) -> None:
    order = {"scope": "service", "serviceId": "svc_nothing"}
    assert error_of(operator.post("/api/checks", order), 404, "not_found")["details"] == {
        "field": "serviceId"
    }


def test_it_lists_jobs_newest_first_and_goes_on(viewer: Program) -> None:
    ids = sorted((job(service_id=f"svc_{number}").pk for number in range(5)), reverse=True)
    first = viewer.get("/api/jobs?perPage=3").json()
    assert [row["id"] for row in first["jobs"]] == ids[:3]
    second = viewer.get(f"/api/jobs?perPage=3&cursor={first['nextCursor']}").json()
    assert [row["id"] for row in second["jobs"]] == ids[3:]
    assert second["nextCursor"] is None


def test_it_filters_jobs(viewer: Program) -> None:
    wanted = job("discovery", "failed", service_id="svc_1", stack_id="stk_1")
    job()
    for query in ("kind=discovery", "status=failed", "serviceId=svc_1", "stackId=stk_1"):
        found = viewer.get(f"/api/jobs?{query}").json()["jobs"]
        assert [row["id"] for row in found] == [wanted.pk]
    error_of(viewer.get("/api/jobs?status=lost"), 400, "invalid_argument")


def test_it_shows_the_log_from_where_one_left_off(viewer: Program) -> None:
    row = job(status="running")
    for number in range(3):
        JobLog.objects.create(job=row, at=timezone.now(), level="info", message=f"step {number}")
    first = viewer.get(f"/api/jobs/{row.pk}/logs").json()
    assert [line["message"] for line in first["lines"]] == ["step 0", "step 1", "step 2"]
    assert first["ended"] is False
    rest = viewer.get(f"/api/jobs/{row.pk}/logs?after={first['lines'][1]['id']}").json()
    assert [line["message"] for line in rest["lines"]] == ["step 2"]
    end = viewer.get(f"/api/jobs/{row.pk}/logs?after={rest['after']}").json()
    assert (end["lines"], end["after"]) == ([], rest["after"])
    for wrong in ("-1", "x", "9" * 30):
        error_of(viewer.get(f"/api/jobs/{row.pk}/logs?after={wrong}"), 400, "invalid_argument")


def test_it_hands_out_a_long_log_in_parts(viewer: Program) -> None:
    row = job()
    JobLog.objects.bulk_create(
        JobLog(job=row, at=timezone.now(), level="info", message=str(number))
        for number in range(501)
    )
    first = viewer.get(f"/api/jobs/{row.pk}/logs").json()
    assert (len(first["lines"]), first["ended"]) == (500, False)
    rest = viewer.get(f"/api/jobs/{row.pk}/logs?after={first['after']}").json()
    assert (len(rest["lines"]), rest["ended"]) == (1, True)


def test_it_cancels_a_job_that_waits(operator: Program) -> None:
    job_id = operator.post("/api/discovery/scan").json()["jobId"]
    assert operator.post(f"/api/jobs/{job_id}/cancel").json()["status"] == "cancelled"
    error = error_of(operator.post(f"/api/jobs/{job_id}/cancel"), 409, "conflict")
    assert error["details"] == {"status": "cancelled"}
