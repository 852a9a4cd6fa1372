"""The discovery job on a real engine: what becomes of the rows, and what is said."""

from __future__ import annotations

import io
import shutil

import pytest
from django.core.management import call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext
from pytest_django import Settings

from checks import queue
from checks.models import Candidate, Host, Job, Service, Stack
from checks.tasks import run_job
from tests.engine.conftest import Project
from tests.real.engine import Engine
from tests.real.images import ImageMaker
from tests.real.registry import Registry

pytestmark = [pytest.mark.engine, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def image(make_image: ImageMaker, registry: Registry) -> str:
    make_image("acme/web:1", "first")
    return f"{registry.address}/acme/web:1"


@pytest.fixture(autouse=True)
def local_host() -> Host:
    """A flushed database has no rows of migrations."""
    return Host.objects.get_or_create(name="local")[0]


def discover(reason: str = Job.Reason.UI) -> Job | None:
    """Run the job as a worker would; None where it left no row."""
    job_id = queue.enqueue(queue.Request(kind="discovery", reason=reason)).job_id
    run_job(job_id)
    return Job.objects.filter(pk=job_id).first()


def test_it_writes_what_runs(project_2: Project, image: str, registry: Registry) -> None:
    project_2.write(f"web: {{image: '{image}'}}")
    project_2("up", "-d")
    job = discover()
    assert job is not None
    assert job.status == Job.Status.SUCCESS
    stack = Stack.objects.get()
    assert (stack.name, stack.status, stack.source) == ("shop", "active", "engine")
    service = Service.objects.get()
    assert (service.registry, service.repository, service.tag) == (
        registry.address,
        "acme/web",
        "1",
    )
    assert service.running_digests == [registry.digest("acme/web", "1")]
    assert Host.objects.get().platform == "linux/amd64"
    assert job.summary["actions"] == [
        {"project": "shop", "action": "created", "stackId": stack.pk, "reason": None}
    ]


def test_it_leaves_no_job_where_nothing_changed(project_2: Project, image: str) -> None:
    project_2.write(f"web: {{image: '{image}'}}")
    project_2("up", "-d")
    assert discover(Job.Reason.SCHEDULE) is not None
    assert discover(Job.Reason.SCHEDULE) is None


def test_it_keeps_ids_through_down_and_up(project_2: Project, image: str) -> None:
    project_2.write(f"web: {{image: '{image}'}}")
    project_2("up", "-d")
    discover()
    before = Service.objects.get()
    project_2("down")
    discover()
    gone = Service.objects.select_related("stack").get()
    assert gone.stack.status == Stack.Status.MISSING
    assert gone.missing_since is not None
    assert gone.state == Service.State.ABSENT
    project_2("up", "-d")
    discover()
    back = Service.objects.select_related("stack").get()
    assert (back.pk, back.stack_id) == (before.pk, before.stack_id)
    assert back.stack.status == Stack.Status.ACTIVE
    assert back.missing_since is None


def test_it_closes_a_candidate_that_now_runs(
    project_2: Project, image: str, make_image: ImageMaker, registry: Registry
) -> None:
    project_2.write(f"web: {{image: '{image}'}}")
    project_2("up", "-d")
    discover()
    service = Service.objects.get()
    make_image("acme/web:1", "second")
    candidate = Candidate.objects.create(
        service=service,
        step=Candidate.Step.REBUILT,
        image_ref=image,
        tag="1",
        digest=registry.digest("acme/web", "1"),
        opened_at=service.created_at,
    )
    project_2("pull")
    project_2("up", "-d")
    discover()
    candidate.refresh_from_db()
    assert candidate.closed_as == Candidate.Closed.APPLIED


def test_it_shows_a_path_that_is_not_there(project_2: Project, image: str) -> None:
    project_2.write(f"web: {{image: '{image}'}}")
    project_2("up", "-d")
    shutil.rmtree(project_2.folder)
    discover()
    stack = Stack.objects.get()
    assert stack.status == Stack.Status.ACTIVE
    assert "mount its folder" in stack.error


def test_it_changes_nothing_while_the_engine_is_away(
    project_2: Project, image: str, engine: Engine, local_host: Host
) -> None:
    project_2.write(f"web: {{image: '{image}', restart: always}}")
    project_2("up", "-d")
    discover()
    before = Service.objects.values().get()
    engine.stop()
    job = discover()
    assert job is not None
    assert job.status == Job.Status.FAILED
    local_host.refresh_from_db()
    assert f"There is no Docker Engine at {engine.host}" in local_host.error
    assert "DOCKREV_DOCKER_HOST" in local_host.error
    assert Service.objects.values().get() == before
    assert Stack.objects.get().status == Stack.Status.ACTIVE
    engine.start()
    discover()
    local_host.refresh_from_db()
    assert local_host.error == ""


def test_it_asks_the_database_little(project_2: Project, image: str) -> None:
    project_2.write(*(f"web{number}: {{image: '{image}'}}" for number in range(5)))
    project_2("up", "-d")
    with CaptureQueriesContext(connection) as first:
        discover()
    with CaptureQueriesContext(connection) as second:
        discover()
    assert Service.objects.count() == 5
    assert len([q for q in first if q["sql"].startswith('INSERT INTO "checks_service"')]) == 1
    assert not [q for q in second if "checks_service" in q["sql"] and q["sql"][:6] != "SELECT"]


def test_the_command_prints_what_is_there(
    project_2: Project, image: str, settings: Settings
) -> None:
    project_2.write(f"web: {{image: '{image}'}}")
    project_2("up", "-d")
    printed = io.StringIO()
    call_command("discover", stdout=printed)
    assert printed.getvalue().splitlines()[1].split() == ["local", "shop", "web", "running", image]


def test_it_checks_by_the_labels_that_a_project_is_started_with(
    project_2: Project, make_image: ImageMaker, registry: Registry
) -> None:
    for tag in ("build-1", "build-2", "7"):
        make_image(f"acme/labelled:{tag}", tag)
    image = f"{registry.address}/acme/labelled:build-1"

    def looked(**labels: str) -> tuple[str, list[str]]:
        """Start it with these labels; the check that discovery asks for, and what it found."""
        written = ", ".join(f"dockrev.{name}: '{value}'" for name, value in labels.items())
        project_2.write(f"web: {{image: '{image}', labels: {{{written}}}}}")
        project_2("up", "-d")
        discover()
        asked = Job.objects.active().get()
        run_job(asked.pk)
        return asked.kind, sorted(Candidate.objects.open().values_list("tag", flat=True))

    assert looked() == ("check.all", [])
    either = r"^(build-)?(\d+)$$ => \2"
    assert looked(transform=either) == ("check.service", ["7"])
    assert looked(transform=either, include="build") == ("check.service", ["build-2"])
    assert looked(transform=either, track="digest") == ("check.service", [])
    assert looked(transform=either, track="whatever") == ("check.service", ["7"])
    discover()
    assert not Job.objects.active().exists()


def test_it_knows_which_version_is_behind_latest(
    project_2: Project, make_image: ImageMaker, registry: Registry, docker_engine: Engine
) -> None:
    """The engine says so for nothing: the image's label, or another tag that it has of it."""
    make_image("acme/web:latest", "labelled", org_opencontainers_image_version="1.27.3")
    image = f"{registry.address}/acme/web:latest"
    project_2.write(f"web: {{image: '{image}'}}")
    project_2("up", "-d")
    discover()
    service = Service.objects.select_related("image").get()
    assert service.runs is not None
    assert service.runs.built_at is not None
    assert service.display_tag == "1.27.3"
    docker_engine.client.images.get(image).tag(image.removesuffix(":latest"), "1.28")
    discover()
    assert Service.objects.get().display_tag == "1.28"
