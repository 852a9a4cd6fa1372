from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from checks.models import Job, JobLog
from tests.pages.rows import job
from tests.pages.test_overview import text_of
from tests.rows import service

pytestmark = pytest.mark.django_db


def page(client: Client, path: str) -> str:
    response = client.get(path)
    assert response.status_code == 200
    return text_of(response.content)


def write(to: Job, *messages: str, level: str = "info") -> list[int]:
    lines = [
        JobLog.objects.create(job=to, at=timezone.now(), level=level, message=message)
        for message in messages
    ]
    return [line.pk for line in lines]


def test_it_lists_jobs_with_who_and_why(viewer: Client) -> None:
    job("check.service", subject="shop / api", reason="webhook")
    job("check.stack", subject="shop", reason="webhook", created_by="Pipeline")
    job("check.all", "running", scope="all", reason="schedule", progress_message="home / web")
    job("discovery", "queued", reason="api", created_by="ci")
    said = page(viewer, "/queue")
    assert "4 jobs, 2 active" in said
    assert "Check stack shop success Pipeline, by a webhook" in said
    assert "Check shop / api success a webhook" in said
    assert "Check everything home / web the schedule" in said
    assert "Look for stacks and services queued ci, by the API" in said


def test_it_asks_often_only_while_something_is_active(viewer: Client) -> None:
    job()
    assert b"every 30s" in viewer.get("/queue").content
    job(status="queued")
    assert b"every 2s" in viewer.get("/queue").content


def test_it_filters_by_status_and_kind_and_service(viewer: Client) -> None:
    job("check.service", "failed", subject="one", service_id="svc_1")
    job("check.service", subject="two", service_id="svc_2")
    job("discovery", "failed")
    said = page(viewer, "/queue?show=failed&kind=check.service")
    assert "All 2 Active 0 Done 1 Failed 1" in said
    assert "Every kind Service checks 1 Discovery 1" in said
    assert "Check one" in said
    assert "Check two" not in said
    assert "1 job," in page(viewer, "/queue?service=svc_2")


def test_it_says_why_it_is_empty(viewer: Client) -> None:
    assert "No job has run yet." in page(viewer, "/queue")
    job()
    assert "No job is in this state." in page(viewer, "/queue?show=failed")


def test_it_shows_fifty_to_a_page(viewer: Client) -> None:
    for _number in range(51):
        job()
    assert "1 to 50 of 51 Next" in page(viewer, "/queue")
    assert "Previous 51 to 51 of 51" in page(viewer, "/queue?page=2")


def test_it_asks_the_database_as_often_for_thirty_jobs_as_for_three(viewer: Client) -> None:
    def queries() -> int:
        with CaptureQueriesContext(connection) as captured:
            viewer.get("/queue")
        return len(captured)

    for _number in range(3):
        job()
    few = queries()
    for _number in range(30):
        job()
    assert queries() == few <= 8


def test_it_shows_one_job(viewer: Client) -> None:
    row = service()
    started = timezone.now() - timedelta(minutes=2)
    shown = job(
        service_id=row.pk,
        subject="shop / api",
        created_by="anna",
        created_at=started,
        started_at=started,
        finished_at=started + timedelta(seconds=75),
        summary={"services": 1, "updates": 0, "errors": 0},
    )
    write(shown, "ghcr.io/acme/api: nothing newer")
    said = page(viewer, f"/queue/{shown.pk}")
    assert "Check shop / api success Asked for by anna Service shop / api" in said
    assert "Took 1 min 15 s" in said
    assert "Services 1 Updates 0" in said
    assert "ghcr.io/acme/api: nothing newer" in said


def test_it_shows_what_a_check_cost(viewer: Client) -> None:
    summary = {
        "services": 4,
        "requests": 7,
        "countedPulls": 2,
        "tooManyRequests": 1,
        "slowestHost": {"host": "ghcr.io", "seconds": 0.21},
        "resting": [{"host": "docker.io", "until": "2026-01-02T03:04:05Z"}],
        "waiting": [{"host": "docker.io", "services": 9, "until": "2026-01-02T04:04:05Z"}],
    }
    done = job(summary=summary)
    said = page(viewer, f"/queue/{done.pk}")
    assert "Requests to registries 7 Counted as pulls 2 Refused as too many 1" in said
    assert "Slowest registry ghcr.io, 0.21 s a request" in said
    assert "Rests docker.io until 2026-01-02 03:04:05 UTC" in said
    assert "Wait 9 services of docker.io until 2026-01-02 04:04:05 UTC" in said


def test_it_opens_a_failed_job_with_the_reason(operator: Client) -> None:
    shown = job("discovery", "failed", summary={"error": "The engine went away."})
    said = page(operator, f"/queue/{shown.pk}")
    assert "It failed. The engine went away. Mend the reason, then run it again." in said
    assert "Run it again" in said


def test_it_says_in_words_what_a_lost_worker_is(viewer: Client) -> None:
    shown = job("discovery", "failed", summary={"error": "worker_lost"})
    assert "Its worker ended in the middle of it" in page(viewer, f"/queue/{shown.pk}")


def test_it_runs_a_job_again(operator: Client) -> None:
    shown = job("discovery", "failed", scope="all")
    response = operator.post(f"/queue/{shown.pk}/repeat")
    again = Job.objects.exclude(pk=shown.pk).get()
    assert response.headers["Location"] == f"/queue/{again.pk}"
    assert (again.kind, again.status, again.created_by) == ("discovery", "queued", "operator")


@pytest.mark.parametrize("kind", ["hooks.sync", "hooks.remove", "hooks.audit", "hooks.list"])
def test_it_repeats_for_nobody_what_they_may_not_ask_for(
    operator: Client, admin: Client, kind: str
) -> None:
    shown = job(kind, "failed", scope="all", params={"account": "x"})
    assert "Run it again" not in page(operator, f"/queue/{shown.pk}")
    assert operator.post(f"/queue/{shown.pk}/repeat").status_code == 403
    assert Job.objects.count() == 1
    assert "Run it again" in page(admin, f"/queue/{shown.pk}")
    assert admin.post(f"/queue/{shown.pk}/repeat").status_code == 302
    assert Job.objects.count() == 2


def test_it_does_not_repeat_what_may_have_half_happened(operator: Client) -> None:
    shown = job("update", "failed")
    assert "Run it again" not in page(operator, f"/queue/{shown.pk}")
    response = operator.post(f"/queue/{shown.pk}/repeat", follow=True)
    assert "This job cannot be repeated." in text_of(response.content)
    assert Job.objects.count() == 1


def test_it_cancels_a_job(operator: Client, viewer: Client) -> None:
    waiting, running = job("discovery", "queued"), job("discovery", "running")
    for shown in (waiting, running):
        assert "Cancel this job" in page(operator, f"/queue/{shown.pk}")
        assert "Cancel this job" not in page(viewer, f"/queue/{shown.pk}")
        operator.post(f"/queue/{shown.pk}/cancel")
    assert page(viewer, f"/queue/{waiting.pk}").count("cancelled") == 1
    assert "running, stopping at the next step" in page(viewer, f"/queue/{running.pk}")


def test_it_shows_how_far_it_is(viewer: Client) -> None:
    started = timezone.now() - timedelta(seconds=10)
    shown = job(
        "check.all",
        "running",
        started_at=started,
        progress_done=20,
        progress_total=40,
        progress_message="home / web",
    )
    body = viewer.get(f"/queue/{shown.pk}").content
    assert '<progress max="40" value="20"' in body.decode()
    assert "20 of 40" in text_of(body)
    assert "a second home / web" in text_of(body)


def test_it_sends_the_lines_after_one(viewer: Client) -> None:
    shown = job("check.all", "running")
    first, second = write(shown, "one", "two")
    part = viewer.get(f"/queue/{shown.pk}/log?after={first}").content.decode()
    assert "two" in part
    assert "one" not in part
    assert f'hx-get="/queue/{shown.pk}/log?after={second}" hx-trigger="every 1s"' in part
    Job.objects.filter(pk=shown.pk).update(status="success", finished_at=timezone.now())
    assert "hx-get" not in viewer.get(f"/queue/{shown.pk}/log?after={second}").content.decode()


def test_it_sends_a_long_log_in_parts(viewer: Client) -> None:
    shown = job("check.all")
    keys = write(shown, *(f"line {number}" for number in range(501)))
    body = viewer.get(f"/queue/{shown.pk}").content.decode()
    assert f'after={keys[499]}" hx-trigger="load"' in body
    rest = viewer.get(f"/queue/{shown.pk}/log?after={keys[499]}").content.decode()
    assert "line 500" in rest
    assert "hx-get" not in rest


@pytest.mark.parametrize("after", ["", "x", "-1", "9" * 40, "²"])
def test_it_takes_any_place_in_a_log(viewer: Client, after: str) -> None:
    shown = job("check.all")
    write(shown, "a line")
    assert "a line" in page(viewer, f"/queue/{shown.pk}/log?after={after}")


def test_it_marks_warnings_and_errors(viewer: Client) -> None:
    shown = job("check.all")
    write(shown, "slow", level="warn")
    write(shown, "<img src=x onerror=alert(1)>", level="error")
    body = viewer.get(f"/queue/{shown.pk}").content
    assert "! warning slow" in text_of(body)
    assert "✕ error <img src=x" in text_of(body)
    assert b"<img src=x" not in body


def test_it_knows_no_other_job(viewer: Client) -> None:
    assert viewer.get(f"/queue/job_{'0' * 26}").status_code == 404
    assert viewer.get(f"/queue/job_{'0' * 26}/log").status_code == 404


@pytest.mark.parametrize(
    ("kind", "reason", "words"),
    [
        ("check.stack", "schedule", "Check stack shop success the schedule"),
        ("sweep", "api", "sweep shop success a program, by the API"),
    ],
)
def test_it_names_jobs_of_every_kind(viewer: Client, kind: str, reason: str, words: str) -> None:
    job(kind, subject="shop", reason=reason)
    assert words in page(viewer, "/queue")


def test_it_says_what_a_round_over_many_came_to(viewer: Client) -> None:
    job("hooks.sync", subject="GitHub", summary={"ok": False, "counts": {"noop": 9, "error": 1}})
    job("hooks.audit", subject="GitHub", summary={"ok": True, "counts": {"ok": 10}})
    said = page(viewer, "/queue")
    assert "9 as it should be, 1 with an error" in said
    assert "10 as it should be" in said
