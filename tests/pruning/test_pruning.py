"""Which images are removed: what updates left behind, and nothing else."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from checks import holds
from checks.models import Hold, Host, Job, Replaced, Service
from checks.tasks import run_job
from checks.updating.plan import Change, Plan, Project
from dockrev import schedules
from dockrev.models import Schedule
from tests.fake_engine import FakeEngine
from tests.pages.rows import job
from tests.people import Program, person

pytestmark = pytest.mark.django_db

OLD, OLDER, NEW = "sha256:old", "sha256:older", "sha256:new"
NAME = "ghcr.io/acme/api"


@pytest.fixture
def admin() -> Program:
    return Program(person("admin"))


@pytest.fixture
def row(fake_engine: FakeEngine) -> Service:
    """It runs the newest of three, and the oldest needs nobody."""
    row = fake_engine.deploy(image=f"{NAME}:1.2.0")
    replaced(row, OLDER, OLD, tags=("1.0.0", "1.1.0"))
    replaced(row, OLD, NEW, tags=("1.1.0", "1.2.0"), kept="dockrev/kept:2")
    fake_engine.bring(OLDER, f"{NAME}:1.0.0", size=2_000_000)
    fake_engine.bring(OLD, f"{NAME}:1.1.0", "dockrev/kept:2")
    fake_engine.bring(NEW, f"{NAME}:1.2.0")
    fake_engine.bring("sha256:foreign")
    fake_engine.containers[0]["ImageID"] = NEW
    Service.objects.update(running_image_id=NEW)
    return row


def replaced(
    of: Service, before: str, after: str, *, tags: tuple[str, str], **fields: Any
) -> Replaced:
    images = [f"{NAME}:{tag}" for tag in tags]
    change = Change(of.pk, of.name, "minor", images[0], "sha256:x", before, images[1], "sha256:y")
    known: dict[str, Any] = {
        # Made within a millisecond, their own ids would not tell which came first.
        "id": f"rep_{Replaced.objects.count():026}",
        "job_id": f"job_{before}",
        "change": change.as_json(),
        "project": Project("shop", "/srv/shop", ()).as_json(),
        "image_id": before,
        "new_image_id": after,
        "before": {},
        "state": Replaced.State.APPLIED,
        "noted_at": timezone.now(),
    }
    return Replaced.objects.create(service=of, **{**known, **fields})


def prune(admin: Program, mode: str = "apply") -> dict[str, Any]:
    answer = admin.post("/api/prune", {"mode": mode})
    assert answer.status_code == 202
    run_job(answer.json()["jobId"])
    found: dict[str, Any] = admin.get(f"/api/jobs/{answer.json()['jobId']}").json()
    return found


def outcomes(found: dict[str, Any]) -> dict[str, str]:
    return {each["id"]: each["outcome"] for each in found["summary"]["images"]}


def test_it_removes_what_an_update_left_and_no_rollback_needs(
    row: Service, fake_engine: FakeEngine, admin: Program
) -> None:
    found = prune(admin)
    assert (found["kind"], found["status"]) == ("prune", "success")
    assert outcomes(found) == {OLDER: "gone", OLD: "stays"}
    assert (found["summary"]["removed"], found["summary"]["bytes"]) == (1, 2_000_000)
    assert set(fake_engine.images) == {OLD, NEW, "sha256:foreign"}


def test_a_dry_run_says_the_same_and_removes_nothing(
    row: Service, fake_engine: FakeEngine, admin: Program
) -> None:
    before = dict(fake_engine.images)
    found = prune(admin, "dry-run")
    assert outcomes(found) == {OLDER: "goes", OLD: "stays"}
    assert (found["summary"]["removed"], found["summary"]["bytes"]) == (0, 2_000_000)
    assert fake_engine.images == before


def test_what_failed_and_was_put_back_goes_too(
    row: Service, fake_engine: FakeEngine, admin: Program
) -> None:
    replaced(row, NEW, "sha256:sick", tags=("1.2.0", "1.3.0"), state=Replaced.State.UNDONE)
    fake_engine.bring("sha256:sick", f"{NAME}:1.3.0")
    assert outcomes(prune(admin)) == {OLDER: "gone", OLD: "stays", "sha256:sick": "gone"}


def _used(row: Service, engine: FakeEngine) -> None:
    engine.containers.append({**engine.containers[0], "ImageID": OLDER, "State": "exited"})


def _called_otherwise(row: Service, engine: FakeEngine) -> None:
    engine.bring(OLDER, f"{NAME}:1.0.0", "my/backup:1")


def _only_called_otherwise(row: Service, engine: FakeEngine) -> None:
    engine.bring(OLDER, "my/backup:1")


def _wanted_by_another(row: Service, engine: FakeEngine) -> None:
    engine.deploy("worker", f"{NAME}:1.0.0")
    Service.objects.filter(name="worker").update(state=Service.State.ABSENT)
    del engine.containers[1]


def _half_done(row: Service, engine: FakeEngine) -> None:
    replaced(row, NEW, OLDER, tags=("1.2.0", "1.0.0"), state=Replaced.State.CHANGING)


def _unclear(row: Service, engine: FakeEngine) -> None:
    replaced(row, NEW, OLDER, tags=("1.2.0", "1.0.0"), state=Replaced.State.UNCLEAR)


def _being_changed(row: Service, engine: FakeEngine) -> None:
    Hold.objects.create(resource=holds.resource(row.pk), job=job("update", "running"))


def _target_of_another(row: Service, engine: FakeEngine) -> None:
    """Pulled already, while no container has it yet."""
    other = engine.deploy("worker", f"{NAME}:0.9.0")
    to = Change(other.pk, other.name, "minor", f"{NAME}:0.9.0", "", "", f"{NAME}:1.0.0", "sha256:z")
    plan = Plan(other.stack_id, other.stack.host_id, Project("shop", "/srv", ()), (to,))
    job("update", "running", params={"plan": plan.as_json()})


def _kept(row: Service, engine: FakeEngine) -> None:
    Replaced.objects.filter(image_id=OLDER).update(kept="dockrev/kept:1")


def _way_back(row: Service, engine: FakeEngine) -> None:
    Replaced.objects.filter(image_id=OLD).update(state=Replaced.State.UNDONE)


@pytest.mark.parametrize(
    "reason",
    [
        _used,
        _called_otherwise,
        _only_called_otherwise,
        _wanted_by_another,
        _half_done,
        _unclear,
        _being_changed,
        _target_of_another,
        _kept,
        _way_back,
    ],
)
def test_it_leaves_what_somebody_may_need(
    row: Service, fake_engine: FakeEngine, admin: Program, reason: Any
) -> None:
    reason(row, fake_engine)
    found = prune(admin)
    told = {each["id"]: each for each in found["summary"]["images"]}
    assert OLDER in fake_engine.images
    assert (told[OLDER]["outcome"], bool(told[OLDER]["why"])) == ("stays", True)


def test_an_engine_that_is_away_is_a_failure_that_says_so(row: Service, admin: Program) -> None:
    Host.objects.update(docker_host="tcp://127.0.0.1:9")
    found = prune(admin)
    assert found["status"] == "failed"
    assert "local" in found["summary"]["error"]


def test_a_clock_removes_only_where_somebody_switched_it_on(row: Service, admin: Program) -> None:
    now = timezone.now()
    schedules.sync(now)
    assert Schedule.objects.get(name="prune").enabled is False
    Schedule.objects.update(next_run_at=now)
    schedules.fire_due(now)
    assert not Job.objects.filter(kind="prune").exists()
    on = {"schedules": [{"name": "prune", "enabled": True}]}
    assert admin.put("/api/settings", on).status_code == 200
    Schedule.objects.filter(name="prune").update(next_run_at=now)
    schedules.fire_due(now)
    asked = Job.objects.get(kind="prune")
    assert (asked.reason, asked.params) == ("schedule", {"mode": "apply"})


class TestPages:
    @pytest.fixture
    def client(self) -> Client:
        client = Client()
        client.force_login(person("admin"))
        return client

    def test_one_looks_first_and_then_removes(
        self, row: Service, fake_engine: FakeEngine, client: Client
    ) -> None:
        assert 'action="/settings/prune"' in client.get("/settings").text
        page = client.post("/settings/prune", {"mode": "dry-run"})["Location"]
        run_job(page.rpartition("/")[2])
        text = client.get(page).text
        assert f"{NAME}:1.0.0" in text
        assert "1 image, at most 1.9\xa0MB" in text
        assert "A rollback may need it." in text
        assert 'value="apply"' in text
        page = client.post("/settings/prune", {"mode": "apply"})["Location"]
        run_job(page.rpartition("/")[2])
        assert "What is gone" in client.get(page).text
        assert OLDER not in fake_engine.images

    def test_anything_but_a_clear_word_only_looks(self, client: Client) -> None:
        client.post("/settings/prune", {"mode": "all"})
        assert Job.objects.get().params == {"mode": "dry-run"}

    def test_those_who_may_not_see_no_button(self, row: Service) -> None:
        client = Client()
        client.force_login(person("operator"))
        assert "/settings/prune" not in client.get("/settings").text
