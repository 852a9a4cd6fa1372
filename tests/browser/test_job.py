from __future__ import annotations

import pytest
from django.utils import timezone
from playwright.sync_api import expect

from checks import queue
from checks.kinds import Outcome
from checks.models import Job
from checks.queue import Request, enqueue
from checks.run import Run
from tests.browser.conftest import Open
from tests.browser.test_overview import is_same_page, mark_page

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
AT_END = "log => log.scrollHeight - log.scrollTop - log.clientHeight < 24"


def waiting_job() -> str:
    return enqueue(Request(kind="discovery", reason="ui", created_by="anna")).job_id


def start(job_id: str) -> Run:
    job = queue.claim(job_id)
    assert job is not None
    return Run(job)


def test_it_shows_a_job_live(open_page: Open) -> None:
    job_id = waiting_job()
    page = open_page("viewer", path=f"/queue/{job_id}")
    mark_page(page)
    expect(page.locator(".state")).to_have_text("queued")
    run = start(job_id)
    run.log("looking at local")
    run.progress(20, 40, "shop")
    expect(page.locator(".state")).to_have_text("running")
    expect(page.get_by_role("progressbar")).to_have_attribute("value", "20")
    expect(page.get_by_text("20 of 40")).to_be_visible()
    expect(page.get_by_role("log")).to_contain_text("looking at local")
    run.log("the socket is slow", level="warn")
    expect(page.get_by_role("log")).to_contain_text("the socket is slow")
    queue.finish(run.job, Outcome({"error": "The engine went away."}, status="failed"))
    expect(page.locator(".state")).to_have_text("failed")
    expect(page.get_by_text("The engine went away.")).to_be_visible()
    expect(page.locator("#log-more")).to_have_count(0)
    assert page.get_by_role("log").locator("li").count() == 2
    assert is_same_page(page)


def test_it_follows_the_log_unless_scrolled_up(open_page: Open) -> None:
    job_id = waiting_job()
    run = start(job_id)
    for number in range(100):
        run.log(f"line {number}")
    page = open_page("viewer", path=f"/queue/{job_id}")
    log = page.get_by_role("log")
    assert log.evaluate(AT_END)
    run.log("the first new line")
    expect(log).to_contain_text("the first new line")
    assert log.evaluate(AT_END)
    log.evaluate("log => { log.scrollTop = 0 }")
    run.log("the second new line")
    expect(log).to_contain_text("the second new line")
    assert log.evaluate("log => log.scrollTop") == 0


def test_it_copies_the_whole_log(open_page: Open) -> None:
    job_id = waiting_job()
    run = start(job_id)
    run.log("one")
    run.log("two", level="error")
    queue.finish(run.job, Outcome())
    page = open_page("viewer", path=f"/queue/{job_id}")
    page.get_by_role("button", name="Copy all").click()
    expect(page.get_by_role("button", name="Copied")).to_be_visible()
    lines = page.evaluate("navigator.clipboard.readText()").splitlines()
    assert [line.split()[-1] for line in lines] == ["one", "two"]
    assert lines[0][:8].count(":") == 2


def test_it_cancels_a_job_without_a_reload(open_page: Open) -> None:
    page = open_page("operator", path=f"/queue/{waiting_job()}")
    mark_page(page)
    page.get_by_role("button", name="Cancel this job").click()
    expect(page.locator(".state")).to_have_text("cancelled")
    assert is_same_page(page)


def test_it_shows_new_jobs_in_the_queue_while_one_is_active(open_page: Open) -> None:
    run = start(waiting_job())
    page = open_page("viewer", path="/queue")
    mark_page(page)
    expect(page.locator("#state")).to_have_text("1 job, 1 active")
    now = timezone.now()
    Job.objects.create(kind="check.all", reason="schedule", dedupe_key="x", created_at=now)
    queue.finish(run.job, Outcome())
    expect(page.get_by_role("link", name="Check everything")).to_be_visible()
    expect(page.locator("#state")).to_have_text("2 jobs, 1 active")
    assert is_same_page(page)


def test_it_says_when_the_server_does_not_answer(open_page: Open, complaints: list[str]) -> None:
    page = open_page("viewer", path=f"/queue/{waiting_job()}")
    notice = page.get_by_text("Dockrev does not answer.")
    expect(notice).to_be_hidden()
    page.context.set_offline(True)
    expect(notice).to_be_visible()
    page.context.set_offline(False)
    expect(notice).to_be_hidden()
    assert all("ERR_INTERNET_DISCONNECTED" in each or "htmx:" in each for each in complaints)
    complaints.clear()
