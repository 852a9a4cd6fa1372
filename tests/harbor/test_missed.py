"""What Harbor sent and nobody was there to take, and a new header beside the old one."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from checks.models import Job
from checks.tasks import run_job
from integrations import rotation
from integrations.hooks import reconcile
from integrations.models import Delivery, HookAccount, HookTarget, Receiver
from tests.fake_harbor.server import FakeHarbor
from tests.fake_harbor.state import Execution
from tests.harbor.conftest import SECRET
from tests.hooks.doing import Sync, Track, said

PATH = "/api/webhooks/harbor"


def deliver(client: Client, payload: dict[str, Any], secret: str = SECRET) -> Any:
    """The call as Harbor makes it."""
    return client.post(
        PATH,
        json.dumps(payload).encode(),
        content_type="application/json",
        headers={"Authorization": secret},
    )


def run() -> Job | None:
    """The scheduled job, done; one that found nothing leaves no trace."""
    reconcile.enqueue_scheduled()
    job = Job.objects.get(kind="deliveries.reconcile", finished_at=None)
    run_job(job.pk)
    return Job.objects.filter(pk=job.pk).first()


@pytest.fixture
def synced(harbor: FakeHarbor, track: Track, sync: Sync) -> FakeHarbor:
    track()
    assert said(sync()) == {"library": "created"}
    harbor.requests.clear()
    return harbor


class TestMissed:
    def test_it_brings_in_what_never_came(self, synced: FakeHarbor) -> None:
        synced.push("library/api", "1.2.0", status="Error", said="connection refused")
        job = run()
        assert job is not None and job.summary["taken"] == 1
        [delivery] = Delivery.objects.all()
        assert (delivery.reconciled, delivery.event) == (True, "PUSH_ARTIFACT")
        assert "library/api:1.2.0" in delivery.images[0]
        target = HookTarget.objects.get()
        assert target.last_failure == "connection refused"
        assert run() is None
        assert Delivery.objects.count() == 1

    def test_it_knows_what_came_by_itself(self, synced: FakeHarbor, client: Client) -> None:
        """Although the list has its members in another order than the call."""
        [execution] = synced.push("library/api", "1.2.0")
        assert deliver(client, execution.payload).status_code == 202
        assert run() is None
        assert Delivery.objects.count() == 1

    def test_what_comes_after_all_is_a_duplicate(self, synced: FakeHarbor, client: Client) -> None:
        [execution] = synced.push("library/api", "1.2.0", status="Running")
        run()
        answer = deliver(client, execution.payload)
        assert (answer.status_code, answer.json()["reason"]) == (200, "duplicate_delivery")

    def test_what_was_taken_for_a_success_and_is_not_here_is_brought_in(
        self, synced: FakeHarbor
    ) -> None:
        """A sign-in page in front of us answers 200, too."""
        synced.push("library/api", "1.2.0")
        run()
        assert Delivery.objects.count() == 1

    def test_it_reads_all_pages_and_no_further_than_three_days(self, synced: FakeHarbor) -> None:
        old = datetime.now(UTC) - timedelta(days=4)
        synced.push("library/old", "1", status="Error", at=old)
        for number in range(120):
            synced.push("library/api", f"1.{number}", status="Error")
        job = run()
        assert job is not None and job.summary["taken"] == 120
        assert not Delivery.objects.filter(repository__contains="old").exists()

    def test_other_events_are_left_alone(self, synced: FakeHarbor) -> None:
        [execution] = synced.push("library/api", "1.2.0", status="Error")
        execution.payload["type"] = "PULL_ARTIFACT"
        assert run() is None
        assert not Delivery.objects.exists()

    def test_of_an_older_harbor_nothing_is_asked(self, synced: FakeHarbor) -> None:
        synced.has_executions = False
        synced.push("library/api", "1.2.0", status="Error")
        assert run() is None

    def test_what_makes_no_sense_ends_nothing(self, synced: FakeHarbor) -> None:
        [policy] = synced.of("library")
        odd: Any = {"type": "PUSH_ARTIFACT", "event_data": [None, {"resources": 7}]}
        synced.executions.append(Execution(5000, policy, odd, status="Error"))
        synced.push("library/api", "1.2.0", status="Error")
        job = run()
        assert job is not None and job.status == "success"
        assert {row.decision for row in Delivery.objects.all()} == {"rejected", "processed"}

    def test_what_is_too_long_to_come_by_itself_is_not_brought_in(self, synced: FakeHarbor) -> None:
        [execution] = synced.push("library/big", "1.2.0", status="Error")
        execution.payload["padding"] = "x" * 1024 * 1024
        synced.push("library/api", "1.2.0", status="Error")
        job = run()
        assert job is not None and job.status == "success"
        assert [row.repository for row in Delivery.objects.all()] == ["library/api"]
        lines = list(job.log_lines.values_list("message", flat=True))
        assert any("is skipped: The body is longer than 1048576 bytes." in line for line in lines)
        assert run() is None

    def test_no_more_of_a_list_is_read_than_fits(
        self, synced: FakeHarbor, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Each page holds what was sent: a hundred pages could fill all memory there is."""
        monkeypatch.setattr(reconcile, "MAX_READ", 1000)
        for number in range(120):
            synced.push("library/api", f"1.{number}", status="Error")
        job = run()
        assert job is not None and job.summary["taken"] == 100
        lines = list(job.log_lines.values_list("message", flat=True))
        assert any("longer than can be read" in line for line in lines)


class TestRotation:
    def test_both_count_until_every_policy_has_the_new_one(
        self, harbor: FakeHarbor, account: HookAccount, track: Track, sync: Sync, client: Client
    ) -> None:
        for name in ("a", "b"):
            track(name)
        sync()
        new = rotation.rotate(account.receiver, timezone.now(), username="ada", reason="ui")
        sync(repos=["a"])
        headers = [harbor.of(name)[0].targets[0]["auth_header"] for name in ("a", "b")]
        assert headers == [new, SECRET]
        assert deliver(client, {}, SECRET).status_code != 401
        run_job(Job.objects.get(kind="hooks.sync", finished_at=None).pk)
        assert harbor.of("b")[0].targets[0]["auth_header"] == new
        assert Receiver.objects.get(kind="harbor").previous_secret == ""
        assert deliver(client, {}, SECRET).status_code == 401
        assert deliver(client, {}, new).status_code != 401
