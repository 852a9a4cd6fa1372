"""Asking for an update, as a program does."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from checks import kinds
from checks.discovery.engine import look_at_engine
from checks.discovery.places import Place
from checks.kinds import JobKind, Outcome
from checks.models import Candidate, Job, Service
from checks.updating.plan import Plan
from tests.fake_engine import IMAGE_ID, FakeEngine
from tests.pages.rows import candidate, job
from tests.people import Program, error_of

PATH = "/api/updates"


@pytest.fixture(autouse=True)
def _kind(monkeypatch: pytest.MonkeyPatch) -> None:
    """There is somebody who updates."""
    kind = JobKind("update", cluster="long", repeatable=False, run=lambda run: Outcome())
    monkeypatch.setitem(kinds.KINDS, "update", kind)


def order(row: Service, mode: str = "apply", **more: Any) -> dict[str, Any]:
    return {"scope": "service", "serviceId": row.pk, "mode": mode, **more}


def planned(answer: Any) -> Plan:
    assert answer.status_code == 202, answer.content
    return Plan.from_json(Job.objects.get(pk=answer.json()["jobId"]).params["plan"])


def test_it_queues_the_plan_once(operator: Program, fake_engine: FakeEngine) -> None:
    row = fake_engine.deploy()
    found = candidate(row)
    answer = operator.post(PATH, order(row))
    [change] = planned(answer).changes
    assert (change.image, change.image_id) == ("ghcr.io/acme/api:1.2.0", IMAGE_ID)
    assert (change.target_image, change.target_digest) == ("ghcr.io/acme/api:1.3.0", found.digest)
    shown = operator.get(f"/api/jobs/{answer.json()['jobId']}").json()
    assert (shown["kind"], shown["scope"], shown["status"]) == ("update", "service", "queued")
    assert (shown["serviceId"], shown["stackId"]) == (row.pk, row.stack_id)
    assert Job.objects.get().subject == "shop / api, 1.2.0 → 1.3.0"
    assert operator.post(PATH, order(row)).json() == {**answer.json(), "reused": True}


def test_no_image_names_the_files_that_are_used(
    operator: Program, fake_engine: FakeEngine, tmp_path: Path
) -> None:
    """A container that somebody started by hand has all the labels of its image, which can say
    that it is of another's project; and one that Compose started has what Compose leaves out."""
    row = fake_engine.deploy()
    candidate(row)
    theirs = tmp_path / "theirs.yaml"
    theirs.write_text("services: {api: {image: 'evil/api:1'}}")
    [ours] = fake_engine.containers
    named = "com.docker.compose.project"
    brought = {**ours["Labels"], f"{named}.config_files": str(theirs)}
    image_id = "sha256:" + "f" * 64
    stranger = {"Id": "f" * 64, "ImageID": image_id, "Labels": brought}
    fake_engine.containers.append({**ours, **stranger, "Created": ours["Created"] + 1})
    fake_engine.labels[image_id] = brought
    fake_engine.labels[IMAGE_ID] = {f"{named}.environment_file": str(theirs)}
    ours["Labels"] |= fake_engine.labels[IMAGE_ID]
    project = planned(operator.post(PATH, order(row))).project
    assert project.config_files == (str(fake_engine.file()),)
    assert project.environment_files == ()
    place = Place(f"tcp://{fake_engine.server.address}", is_typed=True)
    [found] = look_at_engine(place, "shop").projects
    assert found.config_files == (fake_engine.file(),)
    assert [each.replicas for each in found.services] == [1]


def test_the_same_plan_in_another_language_joins(
    operator: Program, fake_engine: FakeEngine
) -> None:
    row = fake_engine.deploy()
    candidate(row, step="major", tag="2.0.0")  # of which the plan warns, in words
    first = operator.post(PATH, order(row)).json()
    answer = operator.call("POST", PATH, order(row), **{"Accept-Language": "zh-Hans"})
    assert (answer.status_code, answer.json()) == (202, {**first, "reused": True})


def test_it_only_shows_a_dry_run(operator: Program, fake_engine: FakeEngine) -> None:
    row = fake_engine.deploy()
    found = candidate(row)
    before = fake_engine.file().read_bytes()
    answer = operator.post(PATH, order(row, "dry-run"))
    shown = operator.get(f"/api/jobs/{answer.json()['jobId']}").json()
    assert (shown["kind"], shown["status"]) == ("update", "success")
    assert Job.objects.get().subject == "shop / api, 1.2.0 → 1.3.0 (dry run)"
    summary = shown["summary"]
    assert summary["mode"] == "dry-run"
    [change] = summary["changes"]
    assert (change["serviceId"], change["candidateId"]) == (row.pk, found.pk)
    assert change["edits"] == [
        {
            "path": str(fake_engine.file()),
            "line": 3,
            "old": "1.2.0",
            "new": "1.3.0",
            "names": "services.api.image",
        }
    ]
    assert [each.rpartition(" ")[2] for each in summary["commands"]] == ["api", "api"]
    assert fake_engine.file().read_bytes() == before
    logged = operator.get(f"/api/jobs/{answer.json()['jobId']}/logs").json()
    texts = [line["message"] for line in logged["lines"]]
    assert f"{fake_engine.file()}:3: services.api.image: 1.2.0 → 1.3.0" in texts
    assert texts[-1] == f"$ {summary['commands'][-1]}"
    assert logged["ended"] is True
    applied = operator.post(PATH, order(row, fingerprint=summary["fingerprint"]))
    assert planned(applied).fingerprint == summary["fingerprint"]


def test_it_refuses_a_plan_that_is_another_by_now(
    operator: Program, fake_engine: FakeEngine
) -> None:
    row = fake_engine.deploy()
    candidate(row)
    dry = operator.post(PATH, order(row, "dry-run")).json()["jobId"]
    seen = Job.objects.get(pk=dry).summary["fingerprint"]
    fake_engine.file().write_text("# mine\n" + fake_engine.file().read_text())
    error = error_of(operator.post(PATH, order(row, fingerprint=seen)), 409, "conflict")
    assert error["details"]["reason"] == "plan_changed"
    assert error["details"]["fingerprint"] not in ("", seen)
    assert Job.objects.filter(status="queued").count() == 0


def test_it_updates_a_stack_in_one_job(operator: Program, fake_engine: FakeEngine) -> None:
    row = fake_engine.deploy()
    candidate(row)
    candidate(fake_engine.deploy("db", "postgres:16.1"), tag="16.4", step="patch")
    fake_engine.deploy("current", "redis:7")
    answer = operator.post(PATH, {"scope": "stack", "stackId": row.stack_id, "mode": "apply"})
    assert [change.service_name for change in planned(answer).changes] == ["api", "db"]
    assert Job.objects.get().subject == "shop, 2 services"


def test_it_updates_everything_by_a_job_for_each_stack(
    operator: Program, fake_engine: FakeEngine
) -> None:
    first, second = fake_engine.deploy(), fake_engine.deploy(stack="blog")
    broken = fake_engine.deploy(stack="gone")
    for row in (first, second, broken):
        candidate(row)
    fake_engine.file("gone").unlink()
    answer = operator.post(PATH, {"scope": "all", "mode": "apply"})
    jobs = Job.objects.filter(pk__in=answer.json()["jobIds"])
    assert {each.stack_id for each in jobs} == {first.stack_id, second.stack_id}
    assert answer.json()["jobId"] == answer.json()["jobIds"][0]
    dry = operator.post(PATH, {"scope": "all", "mode": "dry-run"}).json()["jobId"]
    summary = Job.objects.get(pk=dry).summary
    assert [each["project"] for each in summary["plans"]] == ["blog", "shop"]
    assert [each["reason"] for each in summary["refused"]] == ["files_unreachable"]


def test_it_takes_the_targets_that_are_named(operator: Program, fake_engine: FakeEngine) -> None:
    row = fake_engine.deploy()
    candidate(row, step="major", tag="2.0.0")
    patch = candidate(row, step="patch", tag="1.2.1")
    other = fake_engine.deploy("db", "postgres:16.1")
    candidate(other, tag="16.4")
    target = {"serviceId": row.pk, "targetTag": "1.2.1", "targetDigest": patch.digest}
    stack = {"scope": "stack", "stackId": row.stack_id, "mode": "apply"}
    [change] = planned(operator.post(PATH, {**stack, "targets": [target]})).changes
    assert change.candidate_id == patch.pk
    assert operator.post(PATH, order(row, "dry-run")).status_code == 202


def test_it_refuses_a_target_that_has_moved(operator: Program, fake_engine: FakeEngine) -> None:
    row = fake_engine.deploy()
    latest = candidate(row)
    target = {"serviceId": row.pk, "targetTag": "1.3.0", "targetDigest": "sha256:" + "0" * 64}
    for given in (target, {"serviceId": row.pk, "targetTag": "1.2.9"}):
        answer = operator.post(PATH, order(row, targets=[given]))
        details = error_of(answer, 409, "conflict")["details"]
        assert details["reason"] == "target_moved"
        assert details["latest"] == [f"1.3.0@{latest.digest}"]
    elsewhere = {"serviceId": "svc_" + "0" * 26, "targetTag": "1.3.0"}
    answer = operator.post(PATH, order(row, targets=[elsewhere]))
    assert error_of(answer, 400, "invalid_argument")["details"]["field"] == "targets"
    assert not Job.objects.exists()


def test_it_updates_to_another_platform_only_when_told(
    operator: Program, fake_engine: FakeEngine
) -> None:
    row = fake_engine.deploy()
    found = candidate(row)
    Candidate.objects.filter(pk=found.pk).update(arch="mismatch")
    error = error_of(operator.post(PATH, order(row)), 409, "conflict")
    assert error["details"]["reason"] == "arch_mismatch"
    [change] = planned(operator.post(PATH, order(row, allowArchMismatch=True))).changes
    assert change.warnings[0] == "It is not built for linux/amd64, and may not start."


@pytest.mark.parametrize(
    ("mode", "how"), [("inherit", "stop"), ("skip", "skip"), ("force", "stop")]
)
def test_it_backs_up_as_it_is_told(
    operator: Program, fake_engine: FakeEngine, mode: str, how: str
) -> None:
    row = fake_engine.deploy()
    candidate(row)
    Service.objects.update(policy={"backup": "stop"})
    volume = {"Type": "volume", "Name": "shop_data", "Destination": "/data", "RW": True}
    fake_engine.containers[-1]["Mounts"] = [volume]
    dry = operator.post(PATH, order(row, "dry-run", backupMode=mode)).json()["jobId"]
    summary = Job.objects.get(pk=dry).summary
    assert summary["changes"][0]["backups"] == [
        {
            "service": "api",
            "kind": "volume",
            "name": "shop_data",
            "destination": "/data",
            "how": how,
            "size": None,
            "isTooLarge": False,
        }
    ]
    # Without a helper nobody knows how much it is.
    told = ["data there is to back up is not known" in each for each in summary["warnings"]]
    assert told == [True] * (mode != "skip")
    applied = operator.post(PATH, order(row, backupMode=mode, fingerprint=summary["fingerprint"]))
    [data] = planned(applied).data
    assert (data.how, data.most) == (how, 0 if mode == "force" else 1024 * 1024 * 1024)


def test_it_knows_three_ways_to_back_up(operator: Program, fake_engine: FakeEngine) -> None:
    row = fake_engine.deploy()
    candidate(row)
    answer = operator.post(PATH, order(row, backupMode="often"))
    assert error_of(answer, 400, "invalid_argument")["details"]["field"] == "backupMode"


def test_it_refuses_another_update_of_a_service_that_is_being_changed(
    operator: Program, fake_engine: FakeEngine
) -> None:
    row = fake_engine.deploy()
    candidate(row, step="patch", tag="1.2.1")
    first = operator.post(PATH, order(row)).json()["jobId"]
    candidate(row, step="minor", tag="1.3.0")
    error = error_of(operator.post(PATH, order(row)), 409, "conflict")
    assert error["details"] == {"reason": "being_changed", "existingJobId": first}
    other = fake_engine.deploy("db", "postgres:16.1")
    candidate(other, tag="16.4")
    assert operator.post(PATH, order(other)).status_code == 202


def test_it_waits_for_what_else_changes_the_stack(
    operator: Program, fake_engine: FakeEngine
) -> None:
    row = fake_engine.deploy()
    candidate(row)
    going_back = job("rollback", "running", stack_id=row.stack_id, service_id=row.pk)
    error = error_of(operator.post(PATH, order(row)), 409, "conflict")
    assert error["details"]["existingJobId"] == going_back.pk


def test_it_says_that_nothing_is_newer(operator: Program, fake_engine: FakeEngine) -> None:
    row = fake_engine.deploy()
    for wanted in (order(row), order(row, "dry-run"), {"scope": "all", "mode": "apply"}):
        error = error_of(operator.post(PATH, wanted), 409, "conflict")
        assert error["details"]["reason"] == "nothing_to_update"


def test_it_says_that_the_engine_is_away(operator: Program, fake_engine: FakeEngine) -> None:
    row = fake_engine.deploy()
    candidate(row)
    row.stack.host.docker_host = "tcp://127.0.0.1:9"
    row.stack.host.save(update_fields=["docker_host"])
    error_of(operator.post(PATH, order(row)), 502, "upstream_unavailable")


@pytest.mark.parametrize(
    ("wanted", "field"),
    [
        ({}, "scope"),
        ({"scope": "all"}, "mode"),
        ({"scope": "all", "mode": "now"}, "mode"),
        ({"scope": "service", "mode": "apply"}, "serviceId"),
        ({"scope": "stack", "mode": "apply"}, "stackId"),
        ({"scope": "all", "mode": "apply", "targets": {}}, "targets"),
        ({"scope": "all", "mode": "apply", "targets": []}, "targets"),
        ({"scope": "all", "mode": "apply", "targets": [{}]}, "targets.0.serviceId"),
        ({"scope": "all", "mode": "apply", "allowArchMismatch": "yes"}, "allowArchMismatch"),
        ({"scope": "all", "mode": "apply", "fingerprint": "x" * 65}, "fingerprint"),
    ],
)
def test_it_names_the_field_that_is_wrong(
    operator: Program, wanted: dict[str, Any], field: str
) -> None:
    error = error_of(operator.post(PATH, wanted), 400, "invalid_argument")
    assert error["details"]["field"].startswith(field)


def test_it_is_for_operators(viewer: Program) -> None:
    error_of(viewer.post(PATH, {"scope": "all", "mode": "apply"}), 403, "permission_denied")
