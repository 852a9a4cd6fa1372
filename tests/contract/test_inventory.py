"""Stacks and services, as a program sees them."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from checks.models import Service
from tests.pages.rows import candidate, many_services
from tests.people import Program, error_of
from tests.rows import service


def test_it_lists_a_service_with_what_is_newer(viewer: Program) -> None:
    row = service("nginx:1.25", running=("sha256:" + "a" * 64,))
    offered = candidate(row, step="rebuilt", tag="1.25")
    body = viewer.get("/api/services").json()
    assert (body["page"], body["perPage"], body["total"]) == (1, 50, 1)
    (shown,) = body["services"]
    assert shown == viewer.get(f"/api/services/{row.pk}").json()
    assert shown["id"] == row.pk
    assert (shown["stackId"], shown["stackName"], shown["name"]) == (row.stack_id, "shop", "api")
    assert shown["image"] == {
        "ref": "nginx:1.25",
        "registry": "docker.io",
        "repository": "library/nginx",
        "tag": "1.25",
        "digest": "sha256:" + "a" * 64,
        "displayTag": "1.25",
        "builtAt": None,
    }
    assert shown["status"] == "update_available"
    assert shown["candidate"] == shown["candidates"][0]
    assert shown["candidate"]["kind"] == "digest"
    assert shown["candidate"]["step"] == "rebuilt"
    assert shown["candidate"]["digest"] == offered.digest
    assert shown["candidate"]["archMatch"] == "match"
    assert shown["candidate"]["discoveredAt"].endswith("Z")
    assert (shown["finding"], shown["candidate"]["finding"]) == (None, None)
    assert (shown["policy"], shown["ignoredBy"], shown["error"]) == (None, None, None)
    assert shown["tagsLeft"] == {}
    assert shown["tagGone"] is False
    assert shown["archived"] is False


def test_it_shows_what_was_first_seen_for_its_own_reference_alone(viewer: Program) -> None:
    row = service()
    seen = Service.objects.filter(pk=row.pk)
    first = "sha256:" + "f" * 64
    seen.update(baseline_digest=first, baseline_ref="ghcr.io/acme/api:1.1.0")
    assert viewer.get(f"/api/services/{row.pk}").json()["image"]["digest"] is None
    seen.update(baseline_ref=row.image_ref)
    assert viewer.get(f"/api/services/{row.pk}").json()["image"]["digest"] == first


def test_it_shows_the_version_before_the_rebuilt_image(viewer: Program) -> None:
    row = service()
    candidate(row, step="rebuilt", tag="1.2.0")
    candidate(row, step="major", tag="2.0.0")
    shown = viewer.get(f"/api/services/{row.pk}").json()
    assert (shown["candidate"]["kind"], shown["candidate"]["tag"]) == ("version", "2.0.0")
    assert len(shown["candidates"]) == 2


def test_it_shows_the_largest_step_first_and_what_was_left(viewer: Program) -> None:
    row = service()
    for step, tag in (("patch", "1.2.1"), ("major", "2.0.0"), ("minor", "1.3.0")):
        candidate(row, step=step, tag=tag)
    Service.objects.update(tags_left={"not_newer": 3, "prerelease": 1}, tag_gone=True)
    shown = viewer.get(f"/api/services/{row.pk}").json()
    assert [each["tag"] for each in shown["candidates"]] == ["2.0.0", "1.3.0", "1.2.1"]
    assert shown["tagsLeft"] == {"not_newer": 3, "prerelease": 1}
    assert shown["tagGone"] is True


def test_it_shows_no_candidate_that_is_closed(viewer: Program) -> None:
    row = service()
    offered = candidate(row)
    offered.closed_at = timezone.now()
    offered.save(update_fields=["closed_at"])
    shown = viewer.get(f"/api/services/{row.pk}").json()
    assert (shown["candidate"], shown["candidates"]) == (None, [])


def test_it_finds_by_words_status_and_stack(viewer: Program) -> None:
    web = service("nginx:1.25", name="web", stack="blog")
    api = service(name="api", stack="shop")
    candidate(api)

    def found(query: str) -> list[str]:
        body = viewer.get(f"/api/services?{query}").json()
        return [row["id"] for row in body["services"]]

    assert found("q=NGINX") == [web.pk]
    assert found("q=shop+acme") == [api.pk]
    assert found("q=nothing") == []
    assert found("status=update_available") == [api.pk]
    assert found(f"stack={web.stack_id}") == [web.pk]
    assert found("stack=stk_nothing") == []


def test_it_pages(viewer: Program) -> None:
    for number in range(5):
        service(name=f"svc-{number}")
    body = viewer.get("/api/services?page=2&perPage=2").json()
    assert (body["page"], body["perPage"], body["total"]) == (2, 2, 5)
    assert [row["name"] for row in body["services"]] == ["svc-2", "svc-3"]
    assert viewer.get("/api/services?page=100000").json()["services"] == []


def test_it_puts_a_service_away_and_takes_it_back(operator: Program) -> None:
    row = service()
    assert operator.post(f"/api/services/{row.pk}/archive").json()["archived"] is True
    assert operator.get("/api/services").json()["total"] == 0
    assert operator.get("/api/services?archived=true").json()["total"] == 1
    assert operator.post(f"/api/services/{row.pk}/restore").json()["archived"] is False
    assert operator.get("/api/services").json()["total"] == 1


def test_it_counts_the_services_of_a_stack(viewer: Program) -> None:
    first = service(name="api")
    candidate(first)
    service(name="web")
    gone = service(name="old")
    Service.objects.filter(pk=gone.pk).update(archived_at=timezone.now())
    (stack,) = viewer.get("/api/stacks").json()["stacks"]
    assert stack == {
        "id": first.stack_id,
        "name": "shop",
        "host": "local",
        "status": "active",
        "error": None,
        "services": 2,
        "updates": 1,
        "lastCheckAt": stack["lastCheckAt"],
        "archived": False,
    }
    assert stack["lastCheckAt"].endswith("Z")


def test_it_shows_a_stack_with_its_services(viewer: Program) -> None:
    row = service()
    whole = viewer.get(f"/api/stacks/{row.stack_id}").json()
    assert whole["name"] == "shop"
    assert [found["id"] for found in whole["services"]] == [row.pk]


def test_it_puts_a_stack_away_with_its_services(operator: Program) -> None:
    row = service()
    assert operator.post(f"/api/stacks/{row.stack_id}/archive").json()["archived"] is True
    assert operator.get("/api/stacks").json()["total"] == 0
    assert operator.get("/api/stacks?archived=true").json()["total"] == 1
    assert operator.get("/api/services").json()["total"] == 0
    error = error_of(
        operator.post("/api/checks", {"scope": "stack", "stackId": row.stack_id}), 409, "conflict"
    )
    assert error["details"] == {"reason": "archived"}
    assert operator.post(f"/api/stacks/{row.stack_id}/restore").json()["archived"] is False
    assert operator.get("/api/services").json()["total"] == 1


@pytest.mark.parametrize("path", ["/api/services", "/api/stacks", "/api/jobs", "/api/stacks/{}"])
def test_it_asks_the_database_as_often_for_thirty_as_for_three(viewer: Program, path: str) -> None:
    many_services(3)
    few = _queries(viewer, path.format(Service.objects.earliest("pk").stack_id))
    Service.objects.all().delete()
    many_services(30)
    many = _queries(viewer, path.format(Service.objects.earliest("pk").stack_id))
    assert len(many) == len(few), many
    assert len(many) <= 6, many


def _queries(viewer: Program, path: str) -> list[Any]:
    viewer.get(path)
    with CaptureQueriesContext(connection) as captured:
        assert viewer.get(path).status_code == 200
    return [query["sql"] for query in captured]
