"""What pages show of updates: under way, done, failed, and the way back."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from checks.models import Job, Replaced
from tests.pages.rows import job
from tests.pages.test_overview import text_of
from tests.rows import service
from tests.updating.replaced import updated

pytestmark = pytest.mark.django_db


def step(name: str, outcome: str = "done", seconds: float = 1.25) -> dict[str, Any]:
    at = "2026-01-01T00:00:00.000Z"
    return {
        "service": "api",
        "step": name,
        "outcome": outcome,
        "seconds": seconds,
        "startedAt": at,
    }


FAILED: dict[str, Any] = {
    "error": "api: shop-api-1 is unhealthy",
    "steps": [step("note"), step("up"), step("wait", "failed", 30.0), step("bring_back")],
    "services": [
        {
            "serviceId": "svc_1",
            "service": "api",
            "outcome": "rolled_back",
            "from": "ghcr.io/acme/api:1.1.0",
            "to": "ghcr.io/acme/api:1.2.0",
            "error": "shop-api-1 is unhealthy",
            "runs": "shop-api-1 is running with the image id sha256:old",
        }
    ],
    "troubles": [
        {
            "service": "api",
            "container": "shop-api-1",
            "log": ["<no> database"],
            "health": ["1: no answer"],
        }
    ],
}


def test_a_failed_update_opens_with_why_and_what_runs(viewer: Client) -> None:
    row = job("update", "rolled_back", subject="shop / api, 1.1.0 → 1.2.0", summary=FAILED)
    content = viewer.get(f"/queue/{row.pk}").content
    said = text_of(content)
    assert "Update shop / api, 1.1.0 → 1.2.0" in said
    notice = said.index("It failed, and all is as it was before. api: shop-api-1 is unhealthy")
    runs = said.index("What runs now: api : shop-api-1 is running with the image id sha256:old")
    assert notice < runs < said.index("Services")
    assert "Wait until it runs well 30.0 s" in said
    assert "1: no answer" in said
    assert b"&lt;no&gt; database" in content
    assert "Run it again" not in said


def test_an_update_under_way_marks_its_step(viewer: Client) -> None:
    summary = {"services": [], "steps": [step("note"), step("pull", "running", 0.0)]}
    row = job("update", "running", summary=summary)
    content = viewer.get(f"/queue/{row.pk}").content
    assert "Pull under way" in text_of(content)
    assert content.count(b'aria-current="step"') == 1


@pytest.mark.parametrize(("kind", "word"), [("update", "Updating…"), ("rollback", "Rolling back…")])
def test_a_service_that_is_being_changed_shows_it(operator: Client, kind: str, word: str) -> None:
    row = service()
    others = {"scope": Job.Scope.STACK} if kind == "update" else {"service_id": row.pk}
    params = {"plan": {"changes": [{"service_id": row.pk}]}} if kind == "update" else {}
    job(kind, "running", stack_id=row.stack_id, params=params, **others)
    for path in ("/", f"/services/{row.stack_id}/{row.pk}"):
        assert word in text_of(operator.get(path).content)


def test_the_way_back_is_a_button(operator: Client, viewer: Client) -> None:
    row = service()
    path = f"/services/{row.stack_id}/{row.pk}"
    assert "Roll back" not in text_of(operator.get(path).content)
    updated(row)
    said = text_of(operator.get(path).content)
    assert "until the update just now Roll back to it" in said
    assert f"It goes from {row.image_ref} back to ghcr.io/acme/api:1.1.0" in said
    assert "That update failed" not in said
    said = text_of(viewer.get(path).content)
    assert "ghcr.io/acme/api:1.1.0" in said
    assert "Roll back to it" not in said
    response = operator.post(f"{path}/rollback")
    made = Job.objects.get(kind="rollback")
    assert response["Location"] == f"/queue/{made.pk}"
    assert "Roll back shop / api" in text_of(operator.get(f"/queue/{made.pk}").content)


def test_an_update_that_failed_and_was_left_says_so(operator: Client) -> None:
    row = service()
    updated(row, state=Replaced.State.LEFT)
    said = text_of(operator.get(f"/services/{row.stack_id}/{row.pk}").content)
    assert "was left as it is, because the policy says not to roll back." in said
    assert "Roll back now" in said


def test_a_way_back_that_is_gone_is_said(operator: Client) -> None:
    row = service()
    updated(row, state=Replaced.State.UNCLEAR)
    path = f"/services/{row.stack_id}/{row.pk}"
    response = operator.post(f"{path}/rollback", follow=True)
    assert "it did not end well" in text_of(response.content)
    assert not Job.objects.exists()
