"""Starting, stopping and restarting by buttons, and the page of logs."""

from __future__ import annotations

import re

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from checks.models import Job, Service
from tests.fake_engine import FakeEngine, Written
from tests.pages.rows import job
from tests.pages.test_overview import text_of
from tests.rows import service
from tests.servers import as_json

pytestmark = pytest.mark.django_db
DEPENDS_ON = "com.docker.compose.depends_on"


def page_of(row: Service) -> str:
    return f"/services/{row.stack_id}/{row.pk}"


def buttons(page: bytes) -> list[str]:
    return re.findall(r'href="[^"]*?/(?:lifecycle/)?(start|stop|restart|logs)"', page.decode())


class TestButtons:
    def test_they_are_what_a_service_needs(self, operator: Client, viewer: Client) -> None:
        row = service()
        assert buttons(operator.get(page_of(row)).content) == ["restart", "stop", "logs"]
        assert buttons(viewer.get(page_of(row)).content) == []
        Service.objects.update(state=Service.State.STOPPED)
        page = operator.get(page_of(row)).content
        assert buttons(page) == ["start", "logs"]
        assert "unknown, not checked yet, stopped" in text_of(page)
        Service.objects.update(state=Service.State.ABSENT)
        assert buttons(operator.get(page_of(row)).content) == []

    def test_while_a_job_changes_it_only_logs_are_left(self, operator: Client) -> None:
        row = service()
        params = {
            "action": "restart",
            "turns": [{"service_id": row.pk, "service_name": row.name}],
        }
        job("lifecycle", "running", scope=Job.Scope.STACK, stack_id=row.stack_id, params=params)
        page = operator.get(page_of(row)).content
        assert buttons(page) == ["logs"]
        assert "Restarting…" in text_of(page)
        assert "Restarting…" in text_of(operator.get("/").content)

    def test_a_stack_has_them_in_a_menu(self, operator: Client, viewer: Client) -> None:
        row = service()
        page = operator.get("/").content.decode()
        for action in ("start", "restart", "stop"):
            assert f'action="/stacks/{row.stack_id}/lifecycle/{action}"' in page
        assert "/lifecycle/" not in viewer.get("/").content.decode()


class TestConfirmation:
    def test_it_says_what_will_be_done_and_does_it(
        self, operator: Client, fake_engine: FakeEngine
    ) -> None:
        row = fake_engine.deploy()
        fake_engine.deploy("db", "postgres:17")
        fake_engine.containers[0]["Labels"][DEPENDS_ON] = "db:service_started:true"
        fake_engine.containers[1]["Labels"][DEPENDS_ON] = ""
        path = f"/stacks/{row.stack_id}/lifecycle/stop"
        with CaptureQueriesContext(connection) as captured:
            page = text_of(operator.get(path).content)
        assert len([each for each in captured if "checks_" in each["sql"]]) == 2
        assert "Stop shop This is what will be done. Nothing has been changed yet." in page
        assert "Services, in this order" in page
        assert "until somebody starts it. api db Stop now" in page
        assert not Job.objects.exists()
        answer = operator.post(path)
        done = Job.objects.get()
        assert answer["Location"] == f"/queue/{done.pk}"
        assert (done.kind, done.reason, done.created_by) == ("lifecycle", "ui", "operator")
        assert "Stop shop" in text_of(operator.get(f"/queue/{done.pk}").content)

    def test_it_warns_of_what_goes_on_without(
        self, operator: Client, fake_engine: FakeEngine
    ) -> None:
        fake_engine.deploy()
        db = fake_engine.deploy("db", "postgres:17")
        fake_engine.containers[0]["Labels"][DEPENDS_ON] = "db:service_started:true"
        fake_engine.containers[1]["Labels"][DEPENDS_ON] = ""
        page = text_of(operator.get(f"{page_of(db)}/lifecycle/stop").content)
        assert "api depends on it, and goes on running without it." in page
        page = text_of(operator.get(f"{page_of(db)}/lifecycle/restart").content)
        assert "db api it restarts with what it depends on" in page

    def test_it_says_why_not(self, operator: Client, fake_engine: FakeEngine) -> None:
        row = fake_engine.deploy()
        path = f"{page_of(row)}/lifecycle/start"
        page = operator.get(path).content
        assert "api runs already." in text_of(page)
        assert b"do-it" not in page
        assert operator.post(path).status_code == 409
        busy = job("rollback", "running", stack_id=row.stack_id, service_id=row.pk)
        answer = operator.post(f"{page_of(row)}/lifecycle/stop")
        assert answer.status_code == 409
        assert f'href="/queue/{busy.pk}"' in answer.content.decode()
        fake_engine.server.answer = lambda asked: as_json(500, message="no")
        away = operator.get(f"{page_of(row)}/lifecycle/stop").content
        assert "cannot be done now" in text_of(away)
        assert operator.get(f"{page_of(row)}/lifecycle/kill").status_code == 404
        assert not Job.objects.exclude(pk=busy.pk).exists()


class TestLogs:
    def test_they_are_shown_and_followed(self, operator: Client, fake_engine: FakeEngine) -> None:
        row = fake_engine.deploy()
        fake_engine.write(Written(b"<b>one</b>\n"), Written(b"bad\n", 1, stream=2))
        with CaptureQueriesContext(connection) as captured:
            page = operator.get(f"{page_of(row)}/logs")
        assert len([each for each in captured if "checks_" in each["sql"]]) == 1
        content = page.content.decode()
        assert "&lt;b&gt;one&lt;/b&gt;" in content
        assert "e standard error bad" in text_of(page.content)
        assert content.count('class="log-warn"') == 1
        more = re.search(r'hx-get="([^"]+)" hx-trigger="every 2s"', content)
        assert more
        fake_engine.write(Written(b"two\n", 2))
        answer = operator.get(more[1].replace("&amp;", "&"), headers={"HX-Request": "true"})
        following = answer.content.decode()
        assert "two" in following
        assert "one" not in following
        assert "shown=3" in following

    def test_they_pause_and_are_as_many_as_wanted(
        self, operator: Client, fake_engine: FakeEngine
    ) -> None:
        row = fake_engine.deploy()
        fake_engine.write(*(Written(b"line %d.\n" % each, each) for each in range(300)))
        paused = operator.get(f"{page_of(row)}/logs?follow=no").content.decode()
        assert "hx-trigger" not in paused
        assert paused.count("log-text") == 200
        assert "line 99." not in paused
        assert "line 100." in paused
        fewer = operator.get(f"{page_of(row)}/logs?tail=100").content.decode()
        assert fewer.count("log-text") == 100
        odd = operator.get(f"{page_of(row)}/logs?tail=1e9&since=x&shown=-1&container=%00")
        assert odd.status_code == 200

    def test_one_that_is_followed_for_long_begins_anew(
        self, operator: Client, fake_engine: FakeEngine
    ) -> None:
        path = f"{page_of(fake_engine.deploy())}/logs?shown=5001"
        assert operator.get(path, headers={"HX-Request": "true"})["HX-Refresh"] == "true"

    def test_empty_and_unreadable_ones_say_so(
        self, operator: Client, fake_engine: FakeEngine
    ) -> None:
        row = fake_engine.deploy()
        path = f"{page_of(row)}/logs"
        assert "No line yet." in text_of(operator.get(path).content)
        fake_engine.silence, fake_engine.driver = as_json(501, message="no"), "none"
        page = text_of(operator.get(path).content)
        assert "shop-api-1 It keeps no log: its logging driver is none." in page
        assert "No line yet." not in page
        fake_engine.containers.clear()
        page = text_of(operator.get(path).content)
        assert "The engine has no container of api" in page
        fake_engine.server.answer = lambda asked: as_json(500, message="no")
        page = text_of(operator.get(path).content)
        assert "The Docker Engine does not answer" in page
        answer = operator.get(
            f"{path}?since=a@2026-01-01T00:00:00Z", headers={"HX-Request": "true"}
        )
        assert "It is asked again." in text_of(answer.content)
        assert b"since=a%402026-01-01T00%3A00%3A00Z" in answer.content

    def test_viewers_do_not_see_them(self, viewer: Client, fake_engine: FakeEngine) -> None:
        row = fake_engine.deploy()
        assert viewer.get(f"{page_of(row)}/logs").status_code == 403
