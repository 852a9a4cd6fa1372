"""Going back, as a program asks for it."""

from __future__ import annotations

from typing import Any

import pytest

from checks import queue
from checks.models import Hold, Job, Replaced, Service
from tests.people import Program, error_of
from tests.rows import service
from tests.updating.replaced import updated


def path_of(row: Service) -> str:
    return f"/api/services/{row.pk}/rollback"


def test_it_queues_one_job_that_holds_the_service(operator: Program) -> None:
    row = service()
    before = updated(row)
    first = operator.post(path_of(row))
    assert first.status_code == 202
    job = Job.objects.get(pk=first.json()["jobId"])
    assert (job.kind, job.service_id, job.subject) == ("rollback", row.pk, "shop / api")
    assert (job.params, job.created_by) == ({"replaced": before.pk}, "operator")
    assert operator.post(path_of(row)).json() == {**first.json(), "reused": True}
    assert queue.claim(job.pk) is not None
    assert Hold.objects.get().resource == f"service:{row.pk}"
    Replaced.objects.update(state=Replaced.State.UNDOING)
    assert operator.post(path_of(row)).json() == {**first.json(), "reused": True}


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"state": Replaced.State.CHANGING}, "not over"),
        ({"state": Replaced.State.UNCLEAR}, "did not end well"),
        ({"state": Replaced.State.UNDONE}, "knows of nothing before"),
        ({"new_image_id": "sha256:other"}, "another image by now"),
    ],
)
def test_it_is_refused_where_there_is_no_way_back(
    operator: Program, fields: dict[str, Any], words: str
) -> None:
    row = service()
    updated(row, **fields)
    error = error_of(operator.post(path_of(row)), 409, "conflict")
    assert error["details"]["reason"] == "no_way_back"
    assert words in error["message"]
    assert not Job.objects.exists()


def test_it_is_refused_for_what_dockrev_never_updated(operator: Program) -> None:
    error = error_of(operator.post(path_of(service())), 409, "conflict")
    assert "has not updated this service" in error["message"]


def test_an_unknown_service_is_not_found(operator: Program) -> None:
    error_of(operator.post("/api/services/svc_none/rollback"), 404, "not_found")
