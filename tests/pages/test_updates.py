"""The page that shows what an update will do."""

from __future__ import annotations

import re

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from checks import kinds
from checks.kinds import JobKind, Outcome
from checks.models import Candidate, Job, Service, Stack
from tests.fake_engine import FakeEngine
from tests.pages.rows import candidate
from tests.pages.test_overview import text_of


@pytest.fixture(autouse=True)
def _kind(monkeypatch: pytest.MonkeyPatch) -> None:
    """There is somebody who updates."""
    kind = JobKind("update", cluster="long", repeatable=False, run=lambda run: Outcome())
    monkeypatch.setitem(kinds.KINDS, "update", kind)


def path_of(row: Service, found: Candidate | None = None) -> str:
    asked = f"?candidate={found.pk}" if found else ""
    return f"/services/{row.stack_id}/{row.pk}/update{asked}"


def form_of(page: bytes) -> dict[str, str]:
    """What the button would send."""
    inputs = re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)">', page.decode())
    return {name: value for name, value in inputs if name != "csrfmiddlewaretoken"}


def test_it_shows_the_plan_and_starts_it(operator: Client, fake_engine: FakeEngine) -> None:
    row = fake_engine.deploy()
    found = candidate(row)
    answer = operator.get(path_of(row, found))
    page = text_of(answer.content)
    assert "This is what will be done. Nothing has been changed yet." in page
    assert "minor 1.2.0 → 1.3.0 Image ghcr.io/acme/api:1.3.0" in page
    assert f"Then {found.digest[:19]}" in page
    assert (
        f"{fake_engine.file()} 1 services: 2 api: "
        "3 \N{MINUS SIGN} was image: ghcr.io/acme/api:1.2.0 "
        "3 + becomes image: ghcr.io/acme/api:1.3.0"
    ) in page
    assert "up --detach --no-deps --no-build --pull=never --scale=api=1 -- api" in page
    form = form_of(answer.content)
    assert form["candidate"] == found.pk
    answer = operator.post(path_of(row), form)
    job = Job.objects.get()
    assert answer["Location"] == f"/queue/{job.pk}"
    assert (job.kind, job.reason, job.created_by) == ("update", "ui", "operator")
    assert "Update shop / api, 1.2.0 → 1.3.0" in text_of(operator.get(f"/queue/{job.pk}").content)


def test_it_shows_no_other_value_of_the_file(operator: Client, fake_engine: FakeEngine) -> None:
    row = fake_engine.deploy()
    candidate(row)
    fake_engine.file().write_text(
        "services:\n  api: {environment: {PASSWORD: hunter2}, "
        "image: 'ghcr.io/acme/api:1.2.0', command: s3cret}\n  db: {image: x, command: hunter2}\n"
    )
    answer = operator.get(path_of(row))
    assert "+ becomes image: 'ghcr.io/acme/api:1.3.0'" in text_of(answer.content)
    assert "hunter2" not in answer.content.decode()
    assert "s3cret" not in answer.content.decode()


def test_it_shows_the_variable_that_is_changed(operator: Client, fake_engine: FakeEngine) -> None:
    row = fake_engine.deploy()
    candidate(row)
    fake_engine.file().write_text("services: {api: {image: 'ghcr.io/acme/api:$TAG'}}\n")
    variables = fake_engine.file().parent / ".env"
    variables.write_text("PASSWORD=hunter2\nTAG='1.2.0' # hunter2\n")
    answer = operator.get(path_of(row))
    page = text_of(answer.content)
    assert f"{variables} 2 \N{MINUS SIGN} was TAG='1.2.0' 2 + becomes TAG='1.3.0'" in page
    assert f"The variable TAG is changed, in {variables}." in page
    assert "hunter2" not in answer.content.decode()


def test_it_does_nothing_where_the_world_moved(operator: Client, fake_engine: FakeEngine) -> None:
    row = fake_engine.deploy()
    candidate(row)
    form = form_of(operator.get(path_of(row)).content)
    fake_engine.file().write_text("# mine\n" + fake_engine.file().read_text())
    answer = operator.post(path_of(row), form)
    assert answer.status_code == 409
    page = text_of(answer.content)
    assert "Something changed since you looked, so nothing was done." in page
    assert "4 + becomes image: ghcr.io/acme/api:1.3.0" in page
    assert not Job.objects.exists()
    again = operator.post(path_of(row), form_of(answer.content))
    assert again["Location"] == f"/queue/{Job.objects.get().pk}"


def test_it_does_nothing_without_a_plan_that_was_seen(
    operator: Client, fake_engine: FakeEngine
) -> None:
    row = fake_engine.deploy()
    candidate(row)
    assert operator.post(path_of(row)).status_code == 409
    assert not Job.objects.exists()


def test_it_leads_to_the_job_that_changes_it_already(
    operator: Client, fake_engine: FakeEngine
) -> None:
    row = fake_engine.deploy()
    candidate(row, step="patch", tag="1.2.1")
    operator.post(path_of(row), form_of(operator.get(path_of(row)).content))
    job = Job.objects.get()
    candidate(row, step="minor", tag="1.3.0")
    answer = operator.post(path_of(row), form_of(operator.get(path_of(row)).content))
    assert answer.status_code == 409
    assert f'href="/queue/{job.pk}"' in answer.content.decode()
    assert Job.objects.count() == 1


def test_it_says_what_is_in_the_way(operator: Client, fake_engine: FakeEngine) -> None:
    row = fake_engine.deploy()
    page = operator.get(path_of(row)).content
    assert "Nothing newer is known." in text_of(page)
    assert f'action="/services/{row.stack_id}/{row.pk}/check"' in page.decode()
    found = candidate(row)
    fake_engine.file().unlink()
    page = operator.get(path_of(row)).content
    folder = fake_engine.file().parent
    assert f"at the same path: {folder}:{folder} " in text_of(page)
    assert b"update-now" not in page
    gone = operator.get(path_of(row) + "?candidate=cnd_" + "0" * 26)
    assert "not the latest that is known any more" in text_of(gone.content)
    Candidate.objects.filter(pk=found.pk).update(arch="mismatch")
    assert "platform=any" in operator.get(path_of(row, found)).content.decode()


def test_it_updates_for_another_platform_when_told(
    operator: Client, fake_engine: FakeEngine
) -> None:
    row = fake_engine.deploy()
    found = candidate(row)
    Candidate.objects.filter(pk=found.pk).update(arch="mismatch")
    answer = operator.get(path_of(row, found) + "&platform=any")
    assert "It is not built for linux/amd64, and may not start." in text_of(answer.content)
    operator.post(path_of(row), form_of(answer.content))
    assert Job.objects.get().kind == "update"


def test_it_says_that_the_engine_is_away(operator: Client, fake_engine: FakeEngine) -> None:
    row = fake_engine.deploy()
    candidate(row)
    row.stack.host.docker_host = "tcp://127.0.0.1:9"
    row.stack.host.save(update_fields=["docker_host"])
    answer = operator.get(path_of(row))
    assert answer.status_code == 200
    assert "Nothing answers at tcp://127.0.0.1:9." in text_of(answer.content)


def test_it_updates_a_stack(operator: Client, fake_engine: FakeEngine) -> None:
    row = fake_engine.deploy()
    candidate(row)
    candidate(fake_engine.deploy("db", "postgres:16.1"), tag="17.0", step="major")
    path = f"/stacks/{row.stack_id}/update"
    answer = operator.get(path)
    page = text_of(answer.content)
    assert "What changes, in this order minor api 1.2.0 → 1.3.0" in page
    assert "db: A database: the older version may not read its data afterwards." in page
    operator.post(path, form_of(answer.content))
    assert (Job.objects.get().scope, Job.objects.get().subject) == ("stack", "shop, 2 services")


def test_it_has_buttons_where_something_can_be_updated(
    operator: Client, viewer: Client, fake_engine: FakeEngine
) -> None:
    row = fake_engine.deploy()
    calm = fake_engine.deploy("calm", "redis:7")
    found = candidate(row)
    link = f'href="{path_of(row, found)}"'
    stack_link = f'href="/stacks/{row.stack_id}/update"'
    overview = operator.get("/").content.decode()
    assert link in overview
    assert stack_link in overview
    assert f"/{calm.pk}/update" not in overview
    service_page = f"/services/{row.stack_id}/{row.pk}"
    assert link in operator.get(service_page).content.decode()
    for page in ("/", service_page):
        assert "/update" not in viewer.get(page).content.decode()
    Stack.objects.update(source=Stack.Source.FILES)
    for page in ("/", service_page):
        assert "/update" not in operator.get(page).content.decode()


def test_it_asks_as_much_for_many_services_as_for_few(
    operator: Client, fake_engine: FakeEngine
) -> None:
    row = fake_engine.deploy()
    candidate(row)

    def queries() -> int:
        with CaptureQueriesContext(
            connection,
        ) as asked:
            assert b"update-now" in operator.get(f"/stacks/{row.stack_id}/update").content
        return len(asked)

    few = queries()
    for number in range(6):
        candidate(fake_engine.deploy(f"svc-{number}"))
    assert queries() == few <= 9


def test_it_says_what_the_policy_makes_of_a_failure(
    operator: Client, fake_engine: FakeEngine
) -> None:
    row = fake_engine.deploy()
    candidate(row)
    fake_engine.containers[0]["Status"] = "Up 2 hours"
    said = text_of(operator.get(path_of(row)).content)
    assert "It has no healthcheck" in said
    assert "not to roll back" not in said
    Service.objects.update(policy={"probeTcp": 80, "rollback": False})
    said = text_of(operator.get(path_of(row)).content)
    assert "It has no healthcheck" not in said
    assert "not to roll back: where the update fails, it stays so." in said


def test_it_updates_nothing_that_is_archived(operator: Client, fake_engine: FakeEngine) -> None:
    row = fake_engine.deploy()
    candidate(row)
    form = form_of(operator.get(path_of(row)).content)
    Service.objects.update(archived_at=timezone.now())
    assert "It is archived; restore it first." in text_of(operator.get(path_of(row)).content)
    assert operator.post(path_of(row), form).status_code == 409
    assert not Job.objects.exists()
