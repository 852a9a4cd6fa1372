"""After an update that did not end well a service does not try it again by itself."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from checks import ignoring, queue
from checks.kinds import Outcome
from checks.models import Candidate, Host, Job, Pause, Service
from checks.tasks import run_job
from checks.updating.plan import Change
from dockrev.models import Schedule
from tests.automatic.test_asking import targets, tick, wants
from tests.fake_engine import FakeEngine
from tests.github import digest
from tests.pages.rows import candidate
from tests.people import Program, person
from tests.updating.replaced import updated

pytestmark = pytest.mark.django_db


def end(asked: Job, outcome: str, status: str = "rolled_back", error: str = "too sick") -> None:
    """The job ends, as its worker ends it."""
    claimed = queue.claim(asked.pk)
    assert claimed is not None
    changes = asked.params["plan"]["changes"]
    services = [
        {
            "serviceId": each["service_id"],
            "service": each["service_name"],
            "outcome": outcome,
            "error": error,
        }
        for each in changes
    ]
    assert queue.finish(claimed, Outcome({"services": services}, status=status))


@pytest.fixture
def row(fake_engine: FakeEngine) -> Service:
    row = fake_engine.deploy()
    candidate(row)
    wants(row)
    return row


def failed(row: Service) -> Job:
    [asked] = tick()
    end(asked, "rolled_back")
    return asked


def test_it_is_not_tried_again(row: Service, operator: Program) -> None:
    asked = failed(row)
    assert tick() == []
    shown = operator.get(f"/api/services/{row.pk}").json()["automatic"]
    assert shown["pause"] == {
        "why": "too sick",
        "tag": "1.3.0",
        "digest": digest("1.3.0"),
        "jobId": asked.pk,
        "since": shown["pause"]["since"],
    }


def test_a_person_has_it_go_on(row: Service, operator: Program) -> None:
    failed(row)
    answer = operator.post(f"/api/services/{row.pk}/resume")
    assert (answer.status_code, answer.json()["automatic"]["pause"]) == (200, None)
    assert len(tick()) == 1


def test_something_newer_has_it_go_on_and_the_same_again_does_not(row: Service) -> None:
    failed(row)
    Candidate.objects.all().delete()
    again = candidate(row)  # found anew, the same image
    Candidate.objects.filter(pk=again.pk).update(opened_at=timezone.now() + timedelta(seconds=1))
    assert tick() == []
    Candidate.objects.all().delete()
    older = candidate(row, step="patch", tag="1.2.9")
    Candidate.objects.filter(pk=older.pk).update(opened_at=timezone.now() - timedelta(days=1))
    assert tick() == []
    candidate(row, step="minor", tag="1.3.1")
    [asked] = tick()
    assert targets(asked) == {"api": "1.3.1"}
    end(asked, "updated", "success", error="")
    assert not Pause.objects.exists()


@pytest.mark.parametrize("by_policy", [True, False])
def test_a_cancelled_one_waits_where_it_was_asked_for_by_itself(
    row: Service, by_policy: bool
) -> None:
    [asked] = tick()
    if not by_policy:
        Job.objects.update(reason="ui")
    assert queue.cancel(asked.pk)
    assert Pause.objects.exists() == by_policy


def _window_closed(row: Service) -> None:
    soon = timezone.now() + timedelta(hours=3)
    window = f"{soon:%H:%M}-{soon + timedelta(minutes=1):%H:%M} UTC"
    wants(row, autoUpdateWindow=window)


def _policy_lowered(row: Service) -> None:
    wants(row, "patch")


def _version_skipped(row: Service) -> None:
    ignoring.hide(row.candidates.get(), "ada", timezone.now())


@pytest.mark.parametrize("late", [_window_closed, _policy_lowered, _version_skipped])
def test_one_whose_turn_comes_too_late_waits_for_another_time(
    row: Service, fake_engine: FakeEngine, late: Callable[[Service], None]
) -> None:
    """The job stood in a queue meanwhile: nothing is touched, nothing paused."""
    [asked] = tick()
    late(row)
    run_job(asked.pk)
    job = Job.objects.get(pk=asked.pk)
    assert job.status == "cancelled"
    [told] = job.summary["services"]
    assert (told["outcome"], "any more by now" in told["error"]) == ("untouched", True)
    assert all(each.method == "GET" for each in fake_engine.server.asked)
    assert not Pause.objects.exists()


def test_it_is_not_too_late_for_what_a_person_wants_too(
    row: Service, operator: Program, monkeypatch: pytest.MonkeyPatch
) -> None:
    [asked] = tick()
    order = {"scope": "service", "serviceId": row.pk, "mode": "apply"}
    assert operator.post("/api/updates", order).json() == {"jobId": asked.pk, "reused": True}
    _policy_lowered(row)
    begun: list[str] = []
    monkeypatch.setattr(
        "checks.updating.apply._Applying._change",
        lambda _self, change: begun.append(change.service_name),
    )
    run_job(asked.pk)
    assert begun == ["api"]


@pytest.mark.parametrize("ends", ["before its turn", "rolled back"])
def test_one_that_is_late_says_nothing_wrong_of_others(
    fake_engine: FakeEngine, monkeypatch: pytest.MonkeyPatch, ends: str
) -> None:
    db, api = (fake_engine.deploy(name, f"ghcr.io/acme/{name}:1.2.0") for name in ("db", "api"))
    needs = ", depends_on: [db]" if ends == "before its turn" else ""
    fake_engine.file().write_text(
        "services:\n  db: {image: 'ghcr.io/acme/db:1.2.0'}\n"
        f"  api: {{image: 'ghcr.io/acme/api:1.2.0'{needs}}}\n"
    )
    for each in (db, api):
        candidate(each)
        wants(each)

    def sick(applying: Any, change: Change) -> None:
        applying._became(change, "rolled_back", error="too sick")

    monkeypatch.setattr("checks.updating.apply._Applying._change", sick)
    [asked] = tick()
    _version_skipped(db)
    run_job(asked.pk)
    paused = [(each.service_id, each.why) for each in Pause.objects.all()]
    status = Job.objects.get(pk=asked.pk).status
    if ends == "rolled back":
        assert (status, paused) == ("rolled_back", [(api.pk, "too sick")])
    else:
        assert (status, paused) == ("cancelled", [])


def test_an_engine_that_is_away_pauses_nothing(row: Service) -> None:
    """It answered when the update was asked for, and not when its turn came."""
    [asked] = tick()
    Host.objects.update(docker_host="unix:///nowhere/docker.sock")
    run_job(asked.pk)
    job = Job.objects.get(pk=asked.pk)
    [told] = job.summary["services"]
    assert (job.status, told["outcome"]) == ("failed", "untouched")
    assert "no Docker Engine" in told["error"]
    assert not Pause.objects.exists()


def test_a_rollback_by_a_person_is_not_undone(row: Service, operator: Program) -> None:
    updated(row)
    answer = operator.post(f"/api/services/{row.pk}/rollback")
    claimed = queue.claim(answer.json()["jobId"])
    assert claimed is not None
    service = {"serviceId": row.pk, "service": "api", "outcome": "rolled_back", "error": ""}
    assert queue.finish(claimed, Outcome({"services": [service]}))
    pause = Pause.objects.get(service=row)
    assert (pause.digest, pause.job_id) == ("sha256:after", claimed.pk)


def test_a_failed_update_of_a_person_pauses_too(row: Service) -> None:
    [asked] = tick()
    Job.objects.update(reason="ui", created_by="ada")
    end(asked, "failed", "failed")
    assert tick() == []


class TestPage:
    @pytest.fixture
    def client(self) -> Client:
        client = Client()
        client.force_login(person("operator"))
        return client

    def page(self, client: Client, row: Service) -> str:
        return client.get(f"/services/{row.stack_id}/{row.pk}").text

    def test_it_says_why_it_waits_and_has_a_button(self, row: Service, client: Client) -> None:
        asked = failed(row)
        text = self.page(client, row)
        assert "too sick" in text
        assert f'href="/queue/{asked.pk}"' in text
        path = f"/services/{row.stack_id}/{row.pk}/resume"
        assert f'action="{path}"' in text
        assert client.post(path)["Location"] == f"/services/{row.stack_id}/{row.pk}"
        assert "too sick" not in self.page(client, row)

    @pytest.mark.parametrize(
        ("policy", "words"),
        [
            ({}, "at any time"),
            ({"autoUpdateWindow": "00:00-24:00"}, "now, until"),
            ({"autoUpdateAge": 30}, "not before"),
            ({"autoUpdate": "patch"}, "none of what is newer"),
            ({"autoUpdateHealthy": True}, "only while it is healthy"),
        ],
    )
    def test_it_says_when_it_updates_itself(
        self, row: Service, client: Client, policy: dict[str, Any], words: str
    ) -> None:
        wants(row, **{"up_to": policy.pop("autoUpdate", "major"), **policy})
        assert words in self.page(client, row)

    def test_it_names_the_next_window(self, row: Service, client: Client) -> None:
        tomorrow = timezone.now() + timedelta(days=1)
        wants(row, autoUpdateWindow=f"{tomorrow:%a} 02:00-05:00")
        text = self.page(client, row)
        assert f"next window: {tomorrow:%a} {tomorrow.day} {tomorrow:%b} 02:00" in text

    def test_it_says_what_keeps_it_from_that(self, row: Service, client: Client) -> None:
        Schedule.objects.create(name="automatic", cron="* * * * *", enabled=False)
        assert "schedule that asks for such updates is off" in self.page(client, row)
        Schedule.objects.all().delete()
        Service.objects.update(state=Service.State.STOPPED)
        assert "nothing is started by itself" in self.page(client, row)

    def test_it_says_nothing_of_one_that_waits_for_people(
        self, row: Service, client: Client
    ) -> None:
        Service.objects.update(policy={})
        assert "Updates itself" not in self.page(client, row)
