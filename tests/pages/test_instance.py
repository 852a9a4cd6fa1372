"""Settings, This Dockrev; and the languages of people, messages and jobs."""

from __future__ import annotations

import pytest
from django.test import Client
from django.utils.translation import get_language

from checks import kinds, queue
from checks.kinds import JobKind, Outcome
from checks.models import Job
from checks.run import Run
from checks.tasks import run_job
from dockrev import preferences
from tests.people import Program, error_of, person

PAGE = "/settings/instance"
ANSWERS = {
    "public_base_url": "https://dockrev.example.org/",
    "language": "zh-hans",
    "retention_days": "30",
    "deliveries_most": "5000",
    "updates_at_once": "3",
}


def test_an_admin_changes_what_is_about_the_instance(admin: Client) -> None:
    assert admin.get(PAGE).status_code == 200
    answer = admin.post(PAGE, ANSWERS)
    assert answer["Location"] == "/settings#instance"
    assert preferences.load() == preferences.Preferences(
        "https://dockrev.example.org", 30, 5000, "zh-hans", updates_at_once=3
    )
    assert "https://dockrev.example.org" in admin.get("/settings").text


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("public_base_url", "javascript:alert(1)"),
        ("public_base_url", "https://user@dockrev.example.org"),
        ("language", "tlh"),
        ("retention_days", "0"),
        ("deliveries_most", "many"),
        ("updates_at_once", "0"),
    ],
)
def test_nothing_is_saved_while_one_answer_is_wrong(admin: Client, field: str, value: str) -> None:
    before = preferences.load()
    answer = admin.post(PAGE, {**ANSWERS, field: value})
    assert answer.status_code == 422
    assert f'href="#id_{field}"' in answer.text
    assert preferences.load() == before


def test_without_an_address_the_environment_says_it(admin: Client) -> None:
    preferences.set("public_base_url", "https://elsewhere.example.org")
    admin.post(PAGE, {**ANSWERS, "public_base_url": ""})
    assert preferences.get("public_base_url") == ""


@pytest.mark.django_db
def test_the_language_can_be_set_through_the_api() -> None:
    program = Program(person("admin"))
    assert program.get("/api/settings").json()["language"] == "en"
    assert program.put("/api/settings", {"language": "zh-hans"}).json()["language"] == "zh-hans"
    error = error_of(program.put("/api/settings", {"language": "tlh"}), 400, "invalid_argument")
    assert error["details"]["field"] == "language"


class TestLanguageOfAPerson:
    def test_it_is_what_the_browser_asks_for(self, viewer: Client) -> None:
        page = viewer.get("/settings", headers={"accept-language": "zh-CN,zh;q=0.9"})
        assert '<html lang="zh-hans"' in page.text

    def test_it_is_what_was_chosen_in_this_browser(self, viewer: Client) -> None:
        chosen = viewer.post("/settings/language", {"language": "zh-hans"})
        assert chosen["Location"] == "/settings#appearance"
        assert '<html lang="zh-hans"' in viewer.get("/settings").text
        viewer.post("/settings/language", {"language": ""})
        assert '<html lang="en"' in viewer.get("/settings").text

    def test_one_that_nobody_speaks_changes_nothing(self, viewer: Client) -> None:
        viewer.post("/settings/language", {"language": "tlh"})
        assert '<html lang="en"' in viewer.get("/settings").text


@pytest.mark.django_db
def test_a_job_writes_in_the_language_of_the_instance(monkeypatch: pytest.MonkeyPatch) -> None:
    def speak(run: Run) -> Outcome:
        return Outcome({"language": get_language()})

    kind = JobKind("speak", "quick", repeatable=True, run=speak)
    monkeypatch.setitem(kinds.KINDS, "speak", kind)
    preferences.set("language", "zh-hans")
    queued = queue.enqueue(queue.Request("speak", "ui"))
    run_job(queued.job_id)
    [job] = Job.objects.all()
    assert job.summary == {"language": "zh-hans"}
