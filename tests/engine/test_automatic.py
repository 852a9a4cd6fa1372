"""A service that updates itself, and what of its images goes, on a real engine."""

from __future__ import annotations

import pytest
from django.utils import timezone

from checks.models import Candidate, Job, Pause, Service
from checks.pruning import job as pruning
from checks.tasks import run_job
from dockrev import schedules
from dockrev.models import Schedule
from tests.engine.updating import CRASHES, SCRIPT, SERVES, Shop, log_of

pytestmark = [pytest.mark.engine, pytest.mark.django_db(transaction=True)]

NAME = "acme/automatic"


def publish(shop: Shop, tag: str, script: str = SERVES) -> str:
    """Push an image, and have a check find it."""
    digest = shop.push(tag, script, note=tag, name=NAME)
    Candidate.objects.filter(closed_at=None).update(
        closed_at=timezone.now(), closed_as="superseded"
    )
    shop.candidate(digest=digest, tag=tag, step="minor")
    return digest


def tick() -> Job | None:
    """A minute passes; what the clock asks for is done."""
    now = timezone.now()
    schedules.sync(now)
    schedules.run_now(Schedule.objects.get(name="automatic"), now)
    for kind in ("automatic", "update"):
        for asked in Job.objects.queued().filter(kind=kind):
            run_job(asked.pk)
    return Job.objects.filter(kind="update").first()


def prune(mode: str) -> Job:
    job_id = pruning.ask(mode, "ada").job_id
    run_job(job_id)
    return Job.objects.get(pk=job_id)


def test_it_updates_itself_pauses_after_a_failure_and_goes_on(shop_2: Shop) -> None:
    first = shop_2.push("1", note="1", name=NAME)
    image = shop_2.image("1", NAME)
    labels = "labels: {dockrev.auto-update: minor}"
    shop_2.write(api=f"image: '{image}', command: {SCRIPT}, restart: always, {labels}")
    shop_2.up()
    shop_2.discover()
    second = publish(shop_2, "2")
    done = tick()
    assert done is not None
    assert (done.reason, done.status) == ("policy", "success"), log_of(done)
    assert "by the label dockrev.auto-update" in done.because
    assert shop_2.runs() == {second}

    publish(shop_2, "3", CRASHES)
    failed = tick()
    assert failed is not None
    assert failed.status == "rolled_back", log_of(failed)
    assert shop_2.runs() == {second}
    assert Pause.objects.get(service=shop_2.service()).tag == "3"
    assert tick() == failed

    fourth = publish(shop_2, "4")
    assert tick() != failed
    assert shop_2.runs() == {fourth}
    assert not Pause.objects.exists()

    engine = shop_2.engine.client.images
    before = {each.id for each in engine.list()}
    looked = prune("dry-run")
    [sick] = [each for each in looked.summary["images"] if each["outcome"] == "goes"]
    assert sick["name"].endswith(":3")
    assert {each.id for each in engine.list()} == before
    pruned = prune("apply")
    assert pruned.summary["removed"] == 1, log_of(pruned)
    assert before - {each.id for each in engine.list()} == {sick["id"]}
    publish(shop_2, "5")
    tick()
    [oldest] = [each for each in prune("apply").summary["images"] if each["outcome"] == "gone"]
    assert oldest["name"] == image
    assert first not in {text.partition("@")[2] for each in engine.list() for text in _names(each)}
    assert Service.objects.get().image_ref.endswith(":5")


def _names(image: object) -> list[str]:
    found: list[str] = image.attrs["RepoDigests"]  # type: ignore[attr-defined] # untyped SDK
    return found
