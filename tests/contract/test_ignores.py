"""Ignore rules, as a program makes them, and what becomes of candidates."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.utils import timezone
from pytest_django import Settings

from checks import ignoring
from checks.models import Candidate, IgnoreRule, Job, Service
from tests.pages.rows import candidate
from tests.people import Program, error_of
from tests.rows import service


def rule(of: Service | None = None, kind: str = "exact", value: str = "1.3.0", **more: Any) -> Any:
    scope = {"type": "service", "id": of.pk} if of else {"type": "all"}
    return {"scope": scope, "match": {"kind": kind, "value": value}, **more}


def shown(program: Program, row: Service) -> Any:
    return program.get(f"/api/services/{row.pk}").json()


def test_it_makes_lists_changes_and_deletes(operator: Program) -> None:
    row = service()
    ends = "2999-01-02T03:04:05Z"
    answer = operator.post("/api/ignores", rule(row, note="breaks sign-in", expiresAt=ends))
    assert answer.status_code == 201
    made = answer.json()
    assert made["id"].startswith("ign_")
    assert made["scope"] == {"type": "service", "id": row.pk}
    assert made["match"] == {"kind": "exact", "value": "1.3.0"}
    assert (made["note"], made["expiresAt"], made["enabled"]) == ("breaks sign-in", ends, True)
    assert made["createdBy"] == "operator"
    listed = operator.get("/api/ignores").json()
    assert (listed["rules"], listed["total"]) == ([made], 1)
    path = f"/api/ignores/{made['id']}"
    changed = operator.patch(path, {"enabled": False, "expiresAt": None}).json()
    assert changed == {**made, "enabled": False, "expiresAt": None}
    moved = operator.patch(path, {"scope": {"type": "stack", "id": row.stack_id}}).json()
    assert moved["scope"] == {"type": "stack", "id": row.stack_id}
    assert operator.delete(path).status_code == 204
    error_of(operator.delete(path), 404, "not_found")


@pytest.mark.parametrize(
    ("change", "field", "position"),
    [
        ({"match": {"kind": "regex", "value": "1.2("}}, "match.value", 3),
        ({"match": {"kind": "semver", "value": ">=1 <"}}, "match.value", 4),
        ({"match": {"kind": "digest", "value": "abc"}}, "match.value", 0),
        ({"match": {"kind": "glob", "value": "*"}}, "match.kind", None),
        ({"match": {"kind": "exact", "value": ""}}, "match.value", None),
        ({"scope": {"type": "service"}}, "scope.id", None),
        ({"scope": {"type": "stack", "id": "stk_none"}}, "scope.id", None),
        ({"scope": {"type": "host"}}, "scope.type", None),
        ({"expiresAt": "2020-01-01T00:00:00Z"}, "expiresAt", None),
        ({"expiresAt": "soon"}, "expiresAt", None),
        ({"enabled": "yes"}, "enabled", None),
    ],
)
def test_it_refuses_what_makes_no_rule(
    operator: Program, change: dict[str, Any], field: str, position: int | None
) -> None:
    answer = operator.post("/api/ignores", {**rule(), **change})
    details = error_of(answer, 400, "invalid_argument")["details"]
    assert (details["field"], details.get("position")) == (field, position)
    assert not IgnoreRule.objects.exists()


def test_it_is_not_for_viewers_to_hide(viewer: Program) -> None:
    assert viewer.get("/api/ignores").status_code == 200
    error_of(viewer.post("/api/ignores", rule()), 403, "permission_denied")


def test_it_hides_an_open_candidate_at_once_and_shows_it_again(operator: Program) -> None:
    row = service()
    candidate(row, tag="1.3.0")
    made = operator.post("/api/ignores", rule(row)).json()
    after = shown(operator, row)
    assert (after["status"], after["ignoredBy"]) == ("ignored", made["id"])
    assert (after["candidate"], after["candidates"]) == (None, [])
    operator.delete(f"/api/ignores/{made['id']}")
    after = shown(operator, row)
    assert (after["status"], after["ignoredBy"]) == ("update_available", None)
    assert after["candidate"]["tag"] == "1.3.0"


def test_it_hides_by_scope(operator: Program) -> None:
    here, there = service(stack="shop"), service(stack="blog")
    candidate(here, tag="1.3.0")
    candidate(there, tag="1.3.0")
    made = operator.post(
        "/api/ignores", {**rule(), "scope": {"type": "stack", "id": here.stack_id}}
    ).json()
    assert shown(operator, here)["status"] == "ignored"
    assert shown(operator, there)["status"] == "update_available"
    operator.patch(f"/api/ignores/{made['id']}", {"scope": {"type": "all"}})
    assert shown(operator, there)["status"] == "ignored"
    operator.patch(f"/api/ignores/{made['id']}", {"enabled": False})
    assert shown(operator, here)["status"] == shown(operator, there)["status"] == "update_available"


def test_it_names_no_rule_while_something_else_is_newer(operator: Program) -> None:
    row = service()
    candidate(row, step="major", tag="2.0.0")
    candidate(row, step="patch", tag="1.2.1")
    operator.post("/api/ignores", rule(row, "semver", ">=2"))
    after = shown(operator, row)
    assert (after["status"], after["ignoredBy"]) == ("update_available", None)
    assert [each["tag"] for each in after["candidates"]] == ["1.2.1"]


def test_it_hides_a_rebuilt_image_by_its_digest(operator: Program) -> None:
    row = service()
    rebuilt = candidate(row, step="rebuilt", tag="1.2.0")
    operator.post("/api/ignores", rule(row, "digest", rebuilt.digest))
    assert shown(operator, row)["status"] == "ignored"
    assert not Job.objects.exists()


def test_it_shows_again_what_was_hidden_for_a_time(operator: Program) -> None:
    row = service()
    candidate(row)
    now = timezone.now()
    week = (now + timedelta(days=7)).isoformat()
    made = operator.post("/api/ignores", rule(row, expiresAt=week)).json()
    ignoring.expire(now)
    assert shown(operator, row)["status"] == "ignored"
    with time_machine.travel(now + timedelta(days=7, seconds=1)):
        ignoring.expire(timezone.now())
    assert shown(operator, row)["status"] == "update_available"
    assert IgnoreRule.objects.get(pk=made["id"]).enabled is False


def test_it_asks_for_what_stands_below_and_above_what_it_hides(operator: Program) -> None:
    row = service()
    candidate(row)
    made = operator.post("/api/ignores", rule(row)).json()
    below = Job.objects.get()
    assert (below.kind, below.service_id, below.notify) == ("check.service", row.pk, False)
    Job.objects.all().delete()
    Candidate.objects.update(closed_at=timezone.now())
    Service.objects.update(tags_left={"ignored": 1})
    operator.patch(f"/api/ignores/{made['id']}", {"note": "no other rule"})
    assert not Job.objects.exists()
    operator.delete(f"/api/ignores/{made['id']}")
    assert Job.objects.get().service_id == row.pk


def ask(program: Program, **given: Any) -> Any:
    return program.post("/api/ignores/preview", {**rule(), **given})


def test_it_says_what_a_rule_would_hide_and_saves_nothing(operator: Program) -> None:
    row, other = service(), service(stack="blog")
    major = candidate(row, step="major", tag="2.0.0")
    minor = candidate(row, step="minor", tag="1.3.0")
    candidate(other, tag="1.2.1")
    match = {"kind": "semver", "value": ">=2"}
    answer = ask(operator, match=match, tag="2.0.0-rc.1").json()
    assert answer == {
        "servicesInScope": 2,
        "services": 1,
        "total": 1,
        "hidden": [
            {
                "stackId": row.stack_id,
                "stackName": "shop",
                "serviceId": row.pk,
                "serviceName": "api",
                "candidate": {"step": "major", "tag": "2.0.0", "digest": major.digest},
                "hiddenBy": None,
                "instead": {"step": "minor", "tag": "1.3.0", "digest": minor.digest},
            }
        ],
        "tag": {"tag": "2.0.0-rc.1", "hidden": True},
    }
    there = {"type": "service", "id": other.pk}
    answer = ask(operator, match=match, scope=there).json()
    assert (answer["servicesInScope"], answer["total"], answer["tag"]) == (1, 0, None)
    assert not IgnoreRule.objects.exists()


def test_it_knows_in_a_preview_the_rules_that_are_there(operator: Program) -> None:
    row = service()
    candidate(row)
    made = operator.post("/api/ignores", rule(row)).json()
    (hidden,) = ask(operator).json()["hidden"]
    assert (hidden["hiddenBy"], hidden["instead"]) == (made["id"], None)
    (hidden,) = ask(operator, ruleId=made["id"]).json()["hidden"]
    assert hidden["hiddenBy"] is None
    assert operator.get("/api/ignores").json()["rules"] == [made]


def test_it_names_at_most_fifty_in_a_preview(operator: Program) -> None:
    for number in range(60):
        candidate(service(name=f"svc-{number}"))
    answer = ask(operator).json()
    assert (answer["total"], len(answer["hidden"])) == (60, 50)


def test_it_previews_nothing_that_cannot_be_saved(operator: Program, viewer: Program) -> None:
    details = error_of(
        ask(operator, match={"kind": "regex", "value": "1.2("}), 400, "invalid_argument"
    )["details"]
    assert (details["field"], details["position"]) == ("match.value", 3)
    error_of(ask(operator, scope={"type": "stack"}), 400, "invalid_argument")
    error_of(ask(operator, tag="x" * 129), 400, "invalid_argument")
    error_of(ask(operator, ruleId="ign_none"), 404, "not_found")
    error_of(operator.post("/api/ignores/preview", {}), 400, "invalid_argument")
    error_of(ask(viewer), 403, "permission_denied")


@pytest.mark.parametrize("zone", ["UTC", "America/New_York", "Asia/Tokyo"])
@pytest.mark.parametrize(
    "when",
    [
        "9999-12-31T23:59:59Z",
        "9999-12-31T23:59:59-14:00",
        "9999-12-31T23:59:59",
        "0001-01-01T00:00:00Z",
        "0001-01-01T00:00:00+14:00",
        "2999-02-30T00:00:00Z",
    ],
)
def test_it_refuses_a_time_at_the_end_of_all_time(
    operator: Program, settings: Settings, zone: str, when: str
) -> None:
    settings.TIME_ZONE = zone
    for enabled in (True, False):
        answer = operator.post("/api/ignores", rule(expiresAt=when, enabled=enabled))
        assert error_of(answer, 400, "invalid_argument")["details"]["field"] == "expiresAt"


@pytest.mark.parametrize("kind", ["exact", "prefix", "regex", "semver", "digest"])
@pytest.mark.parametrize("value", ["a\0b", "a\\ud800", "(" * 256, "x" * 257, 7, None, ["a"]])
def test_it_takes_no_such_value(operator: Program, kind: str, value: Any) -> None:
    raw = json.dumps(rule(kind=kind, value=value)).replace("\\\\u", "\\u").encode()
    for path in ("/api/ignores", "/api/ignores/preview"):
        answer = operator.call("POST", path, raw)
        assert error_of(answer, 400, "invalid_argument")["details"]["field"] == "match.value"
    assert not IgnoreRule.objects.exists()
