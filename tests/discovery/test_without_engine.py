"""The job and the command where there is no engine."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from django.core.management import call_command
from django.utils import timezone
from pytest_django import Settings

from checks import queue
from checks.models import Host, Job, Service, Stack
from checks.tasks import run_job

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def local_host(settings: Settings, tmp_path: Path) -> Host:
    settings.DOCKER_HOST = f"unix://{tmp_path}/no.sock"
    return Host.objects.get_or_create(name="local")[0]


@pytest.fixture
def folder(settings: Settings, tmp_path: Path) -> Path:
    settings.COMPOSE_DIRS = [tmp_path / "stacks"]
    shop = tmp_path / "stacks/shop"
    shop.mkdir(parents=True)
    shop.joinpath("compose.yaml").write_text("services: {web: {image: 'ghcr.io/acme/web:1'}}")
    return shop


def discover(reason: str = Job.Reason.UI) -> Job | None:
    job_id = queue.enqueue(queue.Request(kind="discovery", reason=reason)).job_id
    run_job(job_id)
    return Job.objects.filter(pk=job_id).first()


def test_a_folder_of_compose_files_is_enough(folder: Path) -> None:
    job = discover()
    assert job is not None
    assert job.status == Job.Status.SUCCESS
    assert (job.summary["projectsSeen"], job.summary["servicesCreated"]) == (1, 1)
    service = Service.objects.get()
    assert (service.stack.source, service.state, service.tag) == ("files", "absent", "1")
    assert service.stack.host.name == "local"


def test_it_follows_a_file_that_changes_and_goes(folder: Path) -> None:
    discover()
    folder.joinpath("compose.yaml").write_text("services: {web: {image: 'ghcr.io/acme/web:22'}}")
    discover()
    assert Service.objects.get().tag == "22"
    folder.joinpath("compose.yaml").write_text("services: {")
    discover()
    assert Stack.objects.get().status == Stack.Status.INVALID
    assert "compose.yaml: line 1" in Stack.objects.get().error
    assert Service.objects.get().missing_since is None
    folder.joinpath("compose.yaml").unlink()
    discover()
    assert Stack.objects.get().status == Stack.Status.MISSING


def test_it_asks_for_one_check_where_labels_changed(folder: Path) -> None:
    def written(**tracks: str) -> list[tuple[str, str, str]]:
        """The jobs that come of these services with these labels."""
        services = [
            f"{name}: {{image: 'x/y:1', labels: [dockrev.track={track}]}}"
            for name, track in tracks.items()
        ]
        folder.joinpath("compose.yaml").write_text(f"services: {{{', '.join(services)}}}")
        discover()
        jobs = [(job.kind, job.reason, job.status) for job in Job.objects.exclude(kind="discovery")]
        Job.objects.all().delete()
        return jobs

    assert written(web="auto", db="auto") == [("check.all", "ui", "queued")]
    assert written(web="auto", db="auto") == []
    assert written(web="auto", db="digest") == [("check.service", "policy", "queued")]
    assert written(web="no word", db="auto") == [("check.stack", "policy", "queued")]
    Service.objects.filter(name="db").update(archived_at=timezone.now())
    assert written(web="no word", db="digest") == []
    assert Service.objects.get(name="web").labels == {"dockrev.track": "no word"}


def test_it_asks_for_a_check_where_another_image_is_named(folder: Path) -> None:
    discover()
    Service.objects.update(status=Service.Status.UP_TO_DATE)
    Job.objects.all().delete()
    folder.joinpath("compose.yaml").write_text("services: {web: {image: 'ghcr.io/acme/web:0.1'}}")
    discover(Job.Reason.SCHEDULE)
    [job] = Job.objects.exclude(kind="discovery")
    assert (job.kind, job.reason, job.service_id) == (
        "check.service",
        "schedule",
        Service.objects.get().pk,
    )


def test_it_says_how_to_mend_that_there_is_no_engine(local_host: Host, tmp_path: Path) -> None:
    job = discover()
    assert job is not None
    assert job.status == Job.Status.FAILED
    local_host.refresh_from_db()
    assert f"There is no Docker Engine at unix://{tmp_path}/no.sock" in local_host.error
    assert job.summary["hosts"] == [{"host": "local", "error": local_host.error}]
    assert job.summary["error"] == local_host.error
    assert [line.level for line in job.log_lines.all()] == ["warn", "info"]


def test_it_says_it_once(local_host: Host) -> None:
    assert discover(Job.Reason.SCHEDULE) is not None
    assert discover(Job.Reason.SCHEDULE) is None


def test_it_says_which_folder_cannot_be_read(
    folder: Path, settings: Settings, local_host: Host
) -> None:
    discover()
    settings.COMPOSE_DIRS = [folder.parent / "no"]
    discover()
    local_host.refresh_from_db()
    assert f"The folder {folder.parent / 'no'} of DOCKREV_COMPOSE_DIRS" in local_host.error
    assert Stack.objects.get().status == Stack.Status.ACTIVE


def test_the_command_prints_a_table(folder: Path) -> None:
    out, err = io.StringIO(), io.StringIO()
    call_command("discover", stdout=out, stderr=err)
    assert out.getvalue().splitlines() == [
        "host   stack  service  state          image",
        "local  shop   web      never started  ghcr.io/acme/web:1",
    ]
    assert "There is no Docker Engine" in err.getvalue()


def test_the_command_ends_with_2_where_there_is_nothing_to_look_at() -> None:
    err = io.StringIO()
    with pytest.raises(SystemExit) as ended:
        call_command("discover", stdout=io.StringIO(), stderr=err)
    assert ended.value.code == 2
    assert "There was nothing to look at." in err.getvalue()
