"""The plan for Dockrev's own service: recognised by its container, and refused with a reason."""

from __future__ import annotations

from pathlib import Path

import pytest
from django.conf import settings
from django.test import Client

from checks import kinds
from checks.discovery.places import Place
from checks.kinds import JobKind, Outcome
from checks.models import Job, Service
from checks.updating import containers, ourselves
from checks.updating.runs import Runs
from tests.fake_engine import FakeEngine
from tests.pages.rows import candidate, job
from tests.pages.test_overview import text_of
from tests.pages.test_updates import form_of, path_of
from tests.rows import service
from tests.updating.replaced import updated


@pytest.fixture
def mounts(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """As the kernel lists them in the first container of the engine, with a volume for data."""
    monkeypatch.setitem(
        kinds.KINDS,
        "self_update",
        JobKind("self_update", cluster="long", repeatable=False, run=lambda run: Outcome()),
    )
    path = tmp_path / "mountinfo"
    path.write_text(
        f"1 2 8:1 /docker/containers/{0:064x}/hostname /etc/hostname rw - ext4 /dev/sda rw\n"
        f"1 2 8:1 /docker/volumes/data/_data {settings.DATA_DIR} rw - ext4 /dev/sda rw\n"
    )
    monkeypatch.setattr(containers, "MOUNTS", path)
    monkeypatch.setattr(ourselves, "FIRST_PROCESS", tmp_path / "cmdline")
    return path


def plan_of(client: Client, row: Service) -> str:
    return text_of(client.get(path_of(row)).content)


def test_it_says_what_will_happen_and_starts_it(
    operator: Client, fake_engine: FakeEngine, mounts: Path
) -> None:
    row = fake_engine.deploy("dockrev", "ghcr.io/acme/dockrev:1.2.0")
    candidate(row)
    answer = operator.get(path_of(row))
    page = text_of(answer.content)
    assert f"This is Dockrev itself, version {settings.VERSION}." in page
    assert "a container beside it, which outlives it" in page
    assert "Update Dockrev itself" in page
    assert "Update now" not in page
    answer = operator.post(path_of(row), form_of(answer.content))
    queued = Job.objects.get()
    assert queued.kind == "self_update"
    assert answer["Location"] == f"/queue/{queued.pk}"
    page = text_of(operator.get(f"/queue/{queued.pk}").content)
    assert "Update Dockrev itself: shop / dockrev, 1.2.0 → 1.3.0" in page


def test_it_knows_its_container_by_its_control_group(
    operator: Client, fake_engine: FakeEngine, mounts: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    row = fake_engine.deploy("dockrev", "ghcr.io/acme/dockrev:1.2.0")
    candidate(row)
    mounts.write_text(f"1 2 8:1 / {settings.DATA_DIR} rw - ext4 /dev/sda rw\n")
    groups = mounts.with_name("cgroup")
    monkeypatch.setattr(containers, "GROUPS", groups)
    groups.write_text(f"2:pids:/user.slice\n1:name=systemd:/docker/{0:064x}\n")
    assert "Update Dockrev itself" in plan_of(operator, row)
    groups.write_text(f"0::/system.slice/docker-{1:064x}.scope\n")
    assert "Update now" in plan_of(operator, row)
    groups.write_text(f"0::/system.slice/docker-{0:064x}.scope\n")
    assert "Update Dockrev itself" in plan_of(operator, row)


def test_without_a_container_nothing_is_itself(operator: Client, fake_engine: FakeEngine) -> None:
    row = fake_engine.deploy("dockrev", "ghcr.io/acme/dockrev:1.2.0")
    candidate(row)
    page = plan_of(operator, row)
    assert "Update now" in page
    assert "Dockrev itself" not in page


def test_another_dockrev_job_must_end_first(
    operator: Client, fake_engine: FakeEngine, mounts: Path
) -> None:
    row = fake_engine.deploy("dockrev", "ghcr.io/acme/dockrev:1.2.0")
    candidate(row, step="patch", tag="1.2.1")
    operator.post(path_of(row), form_of(operator.get(path_of(row)).content))
    candidate(row)
    answer = operator.post(path_of(row), form_of(operator.get(path_of(row)).content))
    assert answer.status_code == 409
    assert "Another job changes this already" in text_of(answer.content)
    assert Job.objects.count() == 1


def test_server_and_worker_apart_are_refused(
    operator: Client, fake_engine: FakeEngine, mounts: Path
) -> None:
    row = fake_engine.deploy("dockrev", "ghcr.io/acme/dockrev:1.2.0")
    candidate(row)
    mounts.with_name("cmdline").write_bytes(b"tini\0--\0dockrev-container\0worker\0")
    page = plan_of(operator, row)
    assert "Server and worker of this Dockrev run in containers of their own" in page
    mounts.with_name("cmdline").write_bytes(b"tini\0--\0dockrev-container\0run\0")
    assert "Update Dockrev itself" in plan_of(operator, row)


def test_data_that_would_be_lost_is_refused(
    operator: Client, fake_engine: FakeEngine, mounts: Path
) -> None:
    row = fake_engine.deploy("dockrev", "ghcr.io/acme/dockrev:1.2.0")
    candidate(row)
    mounts.write_text(mounts.read_text().splitlines()[0] + "\n1 2 8:1 / / rw - overlay o rw\n")
    assert f"What Dockrev keeps in {settings.DATA_DIR} would be lost" in plan_of(operator, row)


@pytest.mark.parametrize(
    ("place", "is_refused"),
    [
        (Place("tcp://nas.lan:2376", is_typed=True, is_encrypted=True), True),
        (Place("ssh://ada@nas.lan", is_typed=True), True),
        (Place("tcp://proxy:2375"), False),
        (Place(), False),
    ],
)
def test_behind_keys_that_its_helper_has_not_it_is_refused(
    mounts: Path, place: Place, is_refused: bool
) -> None:
    runs = Runs("sha256:1", replicas=1, is_running=True)
    why = ourselves.why_not_itself(runs, (), place)
    assert ("its own Docker Engine with keys" in why) == is_refused == bool(why)


def test_who_runs_in_its_network_is_not_cut_off(
    operator: Client, fake_engine: FakeEngine, mounts: Path
) -> None:
    row = fake_engine.deploy("dockrev", "ghcr.io/acme/dockrev:1.2.0")
    candidate(row)
    fake_engine.deploy("sidecar", "ghcr.io/acme/sidecar:1.0.0")
    fake_engine.containers[1]["HostConfig"]["NetworkMode"] = f"container:{0:064x}"
    assert "sidecar runs in the network of Dockrev's container" in plan_of(operator, row)


def test_with_its_stack_it_is_left_out(
    operator: Client, fake_engine: FakeEngine, mounts: Path
) -> None:
    row = fake_engine.deploy("dockrev", "ghcr.io/acme/dockrev:1.2.0")
    candidate(row)
    candidate(fake_engine.deploy("api"))
    path = f"/stacks/{row.stack_id}/update"
    answer = operator.get(path)
    page = text_of(answer.content)
    assert "dockrev is left out: dockrev is Dockrev itself" in page
    assert "Update now" in page
    operator.post(path, form_of(answer.content))
    assert [each["service_name"] for each in Job.objects.get().params["plan"]["changes"]] == ["api"]


def test_it_goes_back_by_hand_only(operator: Client) -> None:
    row = service()
    replaced = updated(row)
    replaced.change = {**replaced.change, "itself": True}
    replaced.save()
    path = f"/services/{row.stack_id}/{row.pk}"
    assert "Roll back to it" not in text_of(operator.get(path).content)
    answer = operator.post(f"{path}/rollback", follow=True)
    assert "Dockrev itself goes back by hand only" in text_of(answer.content)
    assert not Job.objects.exists()


def test_it_is_shown_while_it_is_under_way(operator: Client) -> None:
    row = service()
    job("self_update", "running", service_id=row.pk, stack_id=row.stack_id)
    assert "Updating…" in text_of(operator.get("/").content)
