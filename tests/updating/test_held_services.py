"""While a job changes a service, checks wait for it and discovery leaves it as it is."""

from __future__ import annotations

import pytest
from django.utils import timezone

from checks import asking, holds
from checks.discovery.projects import FoundHost, FoundProject, FoundService
from checks.discovery.reconcile import reconcile
from checks.models import Hold, Job, Service
from checks.tasks import run_job
from tests.pages.rows import job
from tests.rows import service

pytestmark = pytest.mark.django_db


@pytest.fixture
def held() -> Service:
    row = service(running=("sha256:old",))
    Hold.objects.create(resource=holds.resource(row.pk), job=job("update", "running"))
    return row


def test_its_check_waits(held: Service) -> None:
    job_id = asking.check_service(held, "ada").job_id
    run_job(job_id)
    waiting = Job.objects.get(pk=job_id)
    assert waiting.status == "queued"
    assert waiting.not_before is not None
    assert waiting.not_before > timezone.now()


def test_a_check_of_everything_leaves_it_out(held: Service) -> None:
    job_id = asking.check_everything("ada").job_id
    run_job(job_id)
    done = Job.objects.get(pk=job_id)
    assert (done.status, done.summary["services"]) == ("success", 0)


def test_discovery_leaves_it_and_sees_the_others(held: Service) -> None:
    service(name="web", running=("sha256:old",))
    gone = service(name="gone")
    found = [
        FoundService(name, "ghcr.io/acme/api:1.2.0", "running", 1, running_digests=("sha256:new",))
        for name in ("api", "web")
    ]
    project = FoundProject("shop", "engine", services=tuple(found))
    sources = frozenset({"engine"})
    Hold.objects.create(resource=holds.resource(gone.pk), job=Job.objects.get())
    host = held.stack.host
    look = FoundHost("linux/amd64", (project,), sources)
    reconcile(host, look, timezone.now(), leave=holds.held_services())
    running = dict(Service.objects.values_list("name", "running_digests"))
    assert running == {"api": ["sha256:old"], "web": ["sha256:new"], "gone": []}
    gone.refresh_from_db()
    assert gone.missing_since is None
    reconcile(host, look, timezone.now())
    held.refresh_from_db()
    assert held.running_digests == ["sha256:new"]
