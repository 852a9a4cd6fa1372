"""What a service has to show after an update, and what becomes of one that does not."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from checks import queue
from checks.models import Job, JobLog, Replaced, Service
from checks.tasks import run_job
from checks.updating import health, keeping
from checks.updating import job as going
from dockrev.ids import new_id
from tests.engine.updating import CRASHES, SERVES, Shop, api, log_of, outcomes, start

pytestmark = [pytest.mark.engine, pytest.mark.django_db(transaction=True)]

ANSWERS = (
    "/bin/busybox mkdir /w; echo well > /w/index.html; exec /bin/busybox httpd -f -p 8080 -h /w"
)


def say(**policy: Any) -> None:
    Service.objects.update(policy=policy)


class TestWithoutRollback:
    def test_what_fails_stays_as_it_is_until_somebody_goes_back(self, shop_2: Shop) -> None:
        first = start(shop_2)
        before = shop_2.file.read_bytes()
        say(rollback=False)
        shop_2.push("2", CRASHES)
        job = shop_2.update(shop_2.change(tag="2"))
        assert (job.status, outcomes(job)) == ("failed", {"api": "failed"}), log_of(job)
        [told] = job.summary["services"]
        assert "left as it is" in told["error"]
        assert "with the image id sha256:" in told["runs"]
        assert shop_2.image("2") in shop_2.file.read_text()
        row = going.way_back(shop_2.service())
        assert (row.state, row.kept in kept(shop_2)) == (Replaced.State.LEFT, True)

        run_job(going.ask_to_go_back(shop_2.service(), "ada").job_id)
        job = Job.objects.get(kind="rollback")
        assert job.status == "success", log_of(job)
        assert (shop_2.runs(), shop_2.file.read_bytes()) == ({first}, before)

    def test_what_fails_before_a_container_was_touched_is_taken_back(self, shop_2: Shop) -> None:
        first = start(shop_2)
        before = shop_2.file.read_bytes()
        say(rollback=False)
        shop_2.push("2")
        job = shop_2.update(shop_2.change(tag="2", target_digest=f"sha256:{'0' * 64}"))
        assert (job.status, outcomes(job)) == ("failed", {"api": "untouched"}), log_of(job)
        assert (shop_2.runs(), shop_2.file.read_bytes()) == ({first}, before)


class TestProbes:
    @pytest.mark.parametrize(
        ("policy", "why"),
        [
            ({"probeHttp": ":8080/index.html 200"}, "8080: Connection refused"),
            ({"probeTcp": 8080}, "8080: Connection refused"),
        ],
    )
    def test_one_that_does_not_answer_is_put_back(
        self, shop_2: Shop, policy: dict[str, Any], why: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(health, "TO_START", 3.0)
        first = shop_2.push("1", ANSWERS)
        shop_2.write(api=api(shop_2))
        shop_2.up()
        shop_2.discover()
        say(**policy, healthMargin=0)
        shop_2.push("1", SERVES, note="second")
        job = shop_2.update(shop_2.change())
        assert (job.status, shop_2.runs()) == ("rolled_back", {first}), log_of(job)
        assert why in job.summary["error"]
        assert "before the update" not in log_of(job)

    def test_a_line_of_its_log_is_waited_for(self, shop_2: Shop) -> None:
        start(shop_2)
        say(probeLog="^ready to (serve|answer)$")
        new = shop_2.push("1", f"/bin/busybox sleep 2; echo ready to serve; {SERVES}")
        job = shop_2.update(shop_2.change())
        assert (job.status, shop_2.runs()) == ("success", {new}), log_of(job)
        [warning] = job.log_lines.filter(level=JobLog.Level.WARN)
        assert "does not answer its probe now, before the update: No line" in warning.message
        [waited] = [each for each in job.summary["steps"] if each["step"] == "wait"]
        assert waited["seconds"] > 1


def test_names_that_nobody_needs_are_taken_off_images(shop_2: Shop) -> None:
    start(shop_2)
    shop_2.push("1", note="second")
    assert shop_2.update(shop_2.change()).status == "success"
    row = Replaced.objects.get()
    others = kept(shop_2) - {row.kept} | {"dockrev/kept:0-svc_1-job_1"}
    [of_deleted, unclear, recent] = [
        keeping.name_for(f"svc_{name}", "job_1") for name in ("deleted", "unclear", "recent")
    ]
    image = shop_2.engine.client.images.get(row.image_id)
    for name in (*others, of_deleted, unclear, recent):
        assert image.tag("dockrev/kept", name.partition(":")[2])
    for name, days in ((unclear, 31), (recent, 29)):
        ended = timezone.now() - timedelta(days=days)
        copy = Replaced.objects.get(pk=row.pk)
        copy.pk, copy.kept = new_id("rep"), name
        copy.state, copy.ended_at = Replaced.State.UNCLEAR, ended
        copy._state.adding = True
        copy.save()
    run_job(queue.enqueue(queue.Request(kind="maintenance", reason="ui")).job_id)
    assert kept(shop_2) == {row.kept, *others, recent}
    assert Job.objects.get(kind="maintenance").summary["deleted"]["kept images"] == 2
    assert not Replaced.objects.filter(kept=unclear).exists()


def kept(shop: Shop) -> set[str]:
    found = shop.engine.client.images.list("dockrev/kept")
    return {tag for image in found for tag in image.tags if tag.startswith("dockrev/kept:")}
