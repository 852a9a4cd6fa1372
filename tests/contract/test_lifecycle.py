"""Starting, stopping, restarting and logs, as a program asks for them."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from urllib.parse import urlencode

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from checks import queue
from checks.models import Hold, Host, Job, Service, Stack
from tests.fake_engine import FakeEngine, Written
from tests.pages.rows import job
from tests.people import Program, error_of
from tests.servers import as_json

PATH = "/api/lifecycle"
DEPENDS_ON = "com.docker.compose.depends_on"


def order(row: Service, action: str) -> dict[str, Any]:
    return {"action": action, "scope": "service", "serviceId": row.pk}


def of_stack(row: Service, action: str) -> dict[str, Any]:
    return {"action": action, "scope": "stack", "stackId": row.stack_id}


def turns(answer: Any) -> list[str]:
    assert answer.status_code == 202, answer.content
    params = Job.objects.get(pk=answer.json()["jobId"]).params
    return [each["service_name"] for each in params["turns"]]


def logs_of(program: Program, row: Service, **asked: str) -> Any:
    return program.get(f"/api/services/{row.pk}/logs?{urlencode(asked)}")


@pytest.fixture
def two(fake_engine: FakeEngine) -> tuple[Service, Service]:
    """`api` depends on `db`, and restarts with it."""
    row, db = fake_engine.deploy(), fake_engine.deploy("db", "postgres:17")
    fake_engine.containers[0]["Labels"][DEPENDS_ON] = "db:service_healthy:true"
    fake_engine.containers[1]["Labels"][DEPENDS_ON] = ""
    return row, db


class TestAsking:
    def test_it_queues_one_job_that_holds_the_service(
        self, operator: Program, fake_engine: FakeEngine
    ) -> None:
        row = fake_engine.deploy()
        answer = operator.post(PATH, order(row, "restart"))
        assert turns(answer) == ["api"]
        shown = operator.get(f"/api/jobs/{answer.json()['jobId']}").json()
        assert (shown["kind"], shown["scope"], shown["status"]) == (
            "lifecycle",
            "service",
            "queued",
        )
        assert (shown["serviceId"], shown["createdBy"]) == (row.pk, "operator")
        assert Job.objects.get().subject == "Restart shop / api"
        assert operator.post(PATH, order(row, "restart")).json() == {
            **answer.json(),
            "reused": True,
        }
        assert queue.claim(answer.json()["jobId"]) is not None
        assert Hold.objects.get().resource == f"service:{row.pk}"

    def test_it_follows_what_depends_on_what(
        self, operator: Program, fake_engine: FakeEngine, two: tuple[Service, Service]
    ) -> None:
        row, db = two

        def asked(wanted: dict[str, Any]) -> list[str]:
            names = turns(operator.post(PATH, wanted))
            Job.objects.all().delete()
            return names

        assert asked(of_stack(row, "stop")) == ["api", "db"]
        assert asked(order(db, "stop")) == ["db"]
        assert asked(order(db, "restart")) == ["db", "api"]
        assert asked(order(row, "restart")) == ["api"]
        for container in fake_engine.containers:
            container["State"] = "exited"
        assert asked(of_stack(row, "start")) == ["db", "api"]
        assert asked(order(row, "start")) == ["db", "api"]
        assert asked(order(db, "start")) == ["db"]

    def test_by_the_files_where_compose_noted_nothing(
        self, operator: Program, fake_engine: FakeEngine
    ) -> None:
        row, _db = fake_engine.deploy(), fake_engine.deploy("db", "postgres:17")
        text = "services: {api: {image: a, depends_on: [db]}, db: {image: b}}\n"
        fake_engine.file().write_text(text)
        assert turns(operator.post(PATH, of_stack(row, "stop"))) == ["api", "db"]

    def test_by_the_files_after_an_update_of_one_service_alone(
        self, operator: Program, fake_engine: FakeEngine, two: tuple[Service, Service]
    ) -> None:
        """Compose notes no dependency on a container that it makes with `--no-deps`."""
        _row, db = two
        for container in fake_engine.containers:
            container["Labels"][DEPENDS_ON] = ""
        needs = "{db: {condition: service_started, restart: true}}"
        text = f"services: {{api: {{image: a, depends_on: {needs}}}, db: {{image: b}}}}\n"
        fake_engine.file().write_text(text)
        assert turns(operator.post(PATH, of_stack(db, "stop"))) == ["api", "db"]
        Job.objects.all().delete()
        assert turns(operator.post(PATH, order(db, "restart"))) == ["db", "api"]

    def test_what_is_stopped_stays_so_when_its_stack_restarts(
        self, operator: Program, fake_engine: FakeEngine, two: tuple[Service, Service]
    ) -> None:
        fake_engine.containers[0]["State"] = "exited"
        db = two[1]
        fake_engine.containers[0]["Labels"][DEPENDS_ON] = "db:service_healthy:false"
        assert turns(operator.post(PATH, of_stack(db, "restart"))) == ["db"]

    def test_it_is_refused_with_the_reason(
        self, operator: Program, fake_engine: FakeEngine, two: tuple[Service, Service]
    ) -> None:
        row, db = two

        def reason(wanted: dict[str, Any]) -> Any:
            return error_of(operator.post(PATH, wanted), 409, "conflict")["details"]["reason"]

        assert reason(order(row, "start")) == "nothing_to_do"
        fake_engine.containers.pop(0)
        assert reason(order(row, "stop")) == "not_running"
        fake_engine.file().unlink()
        assert reason(order(db, "stop")) == "files_unreachable"
        Service.objects.update(archived_at=datetime.fromisoformat("2026-01-01T00:00:00Z"))
        assert reason(order(db, "stop")) == "archived"
        assert not Job.objects.exists()

    def test_one_job_at_a_time_changes_a_service(
        self, operator: Program, two: tuple[Service, Service]
    ) -> None:
        row, db = two
        first = operator.post(PATH, order(row, "restart")).json()["jobId"]
        error = error_of(operator.post(PATH, of_stack(row, "stop")), 409, "conflict")
        assert error["details"] == {"reason": "being_changed", "existingJobId": first}
        assert "Restart shop / api" in error["message"]
        assert operator.post(PATH, order(db, "stop")).status_code == 202

    def test_a_rollback_of_the_stack_is_waited_for(
        self, operator: Program, two: tuple[Service, Service]
    ) -> None:
        job("rollback", "running", stack_id=two[0].stack_id, service_id=two[0].pk)
        error_of(operator.post(PATH, order(two[1], "stop")), 409, "conflict")

    @pytest.mark.parametrize(
        ("wanted", "field"),
        [
            ({"action": "kill", "scope": "service"}, "action"),
            ({"action": "stop", "scope": "all"}, "scope"),
            ({"action": "stop", "scope": "service"}, "serviceId"),
            ({"action": "stop", "scope": "stack"}, "stackId"),
        ],
    )
    def test_what_it_cannot_be_asked(
        self, operator: Program, wanted: dict[str, str], field: str
    ) -> None:
        error = error_of(operator.post(PATH, wanted), 400, "invalid_argument")
        assert error["details"]["field"] == field

    def test_what_is_not_there(self, operator: Program) -> None:
        wanted = {"action": "stop", "scope": "stack", "stackId": "stk_none"}
        error_of(operator.post(PATH, wanted), 404, "not_found")
        error_of(operator.get("/api/services/svc_none/logs"), 404, "not_found")

    def test_an_engine_that_is_away(self, operator: Program, fake_engine: FakeEngine) -> None:
        row = fake_engine.deploy()
        fake_engine.server.answer = lambda asked: as_json(500, message="no")
        error_of(operator.post(PATH, order(row, "stop")), 502, "upstream_unavailable")
        error_of(logs_of(operator, row), 502, "upstream_unavailable")


class TestLogs:
    def test_it_tells_streams_and_containers_apart(
        self, operator: Program, fake_engine: FakeEngine
    ) -> None:
        row = fake_engine.deploy()
        fake_engine.containers.append(
            {**fake_engine.containers[0], "Id": "f" * 64, "Names": ["/shop-api-2"]}
        )
        fake_engine.write(Written(b"one\n"), Written(b"three\n", 2, stream=2))
        fake_engine.write(Written(b"two\n", 1), container=1)
        with CaptureQueriesContext(connection) as captured:
            logs = logs_of(operator, row).json()
        assert len([q for q in captured if "checks_" in q["sql"]]) == 1
        assert [(each["container"], each["stream"], each["text"]) for each in logs["lines"]] == [
            ("shop-api-1", "stdout", "one"),
            ("shop-api-2", "stdout", "two"),
            ("shop-api-1", "stderr", "three"),
        ]
        assert logs["lines"][0]["at"] == "2023-11-14T22:13:20Z"
        assert [each["name"] for each in logs["containers"]] == ["shop-api-1", "shop-api-2"]
        only = logs_of(operator, row, container="shop-api-2").json()
        assert [each["text"] for each in only["lines"]] == ["two"]

    def test_it_goes_on_from_where_it_was(self, operator: Program, fake_engine: FakeEngine) -> None:
        row = fake_engine.deploy()

        def texts(**asked: str) -> list[str]:
            return [each["text"] for each in logs_of(operator, row, **asked).json()["lines"]]

        fake_engine.write(Written(b"old\n", 0.25), Written(b"last\n", 0.5))
        since = logs_of(operator, row).json()["since"]
        assert texts(since=since) == []
        fake_engine.write(Written(b"new\n", 0.500001))
        assert texts(since=since) == ["new"]
        assert texts(since="2023-11-14T23:13:20.3+01:00") == ["last", "new"]
        assert texts(tail="1") == ["new"]
        assert logs_of(operator, row, since=since).json()["since"] > since

    def test_a_host_that_somebody_typed_is_no_way_to_a_clouds_metadata(
        self, operator: Program, fake_engine: FakeEngine
    ) -> None:
        row = fake_engine.deploy()
        address = "tcp://169.254.169.254:80"
        Host.objects.create(name="nas", docker_host=address, plain=True)
        Stack.objects.filter(pk=row.stack_id).update(host=Host.objects.get(name="nas"))
        error = error_of(logs_of(operator, row), 502, "upstream_unavailable")
        assert "Dockrev never calls those" in error["message"]

    def test_what_is_no_text_is_made_harmless(
        self, operator: Program, fake_engine: FakeEngine
    ) -> None:
        row = fake_engine.deploy()
        part = b"x" * 16384
        fake_engine.write(
            Written(b"\x1b[31mred\x1b[0m \x00\x07\xff\xfe bell\r\n"),
            Written("\x9b2Jone\u202etxt.exe\u2028two\n".encode(), 0.5),
            *(Written(part, 1) for _part in range(10)),
            Written(b"end\nafter\n", 2),
            Written(b"no end of line", 3),
        )
        lines = logs_of(operator, row).json()["lines"]
        assert lines[0]["text"] == "red \N{REPLACEMENT CHARACTER}\N{REPLACEMENT CHARACTER} bell"
        assert lines[1]["text"] == "2Jonetxt.exetwo"
        assert lines[2]["text"] == "x" * 2000 + "…"
        assert [each["text"] for each in lines[3:]] == ["after", "no end of line"]

    @pytest.mark.parametrize(
        ("driver", "words"), [("none", "driver is none"), ("gelf", "driver gelf): not supported")]
    )
    def test_a_log_that_cannot_be_read_says_why(
        self, operator: Program, fake_engine: FakeEngine, driver: str, words: str
    ) -> None:
        row = fake_engine.deploy()
        fake_engine.driver = driver
        fake_engine.silence = as_json(501, message="not supported")
        logs = logs_of(operator, row).json()
        assert logs["lines"] == []
        assert words in logs["containers"][0]["error"]

    @pytest.mark.parametrize(
        "since",
        [
            *("yesterday", "1", "2023-11-14", "2023-13-14T00:00:00Z", "0001-01-01T00:00:00+23:59"),
            *("a@b", "@", ",".join(["a@2023-11-14T00:00:00Z"] * 21), "9" * 1001),
        ],
    )
    def test_what_is_no_time_is_refused(
        self, operator: Program, fake_engine: FakeEngine, since: str
    ) -> None:
        row = fake_engine.deploy()
        answer = logs_of(operator, row, since=since)
        error = error_of(answer, 400, "invalid_argument")
        assert error["details"]["field"] == "since"

    @pytest.mark.parametrize("tail", ["0", "2001", "all"])
    def test_how_much_is_limited(
        self, operator: Program, fake_engine: FakeEngine, tail: str
    ) -> None:
        row = fake_engine.deploy()
        answer = logs_of(operator, row, tail=tail)
        assert error_of(answer, 400, "invalid_argument")["details"]["field"] == "tail"

    def test_viewers_do_not_see_what_services_write(
        self, viewer: Program, fake_engine: FakeEngine
    ) -> None:
        row = fake_engine.deploy()
        fake_engine.write(Written(b"password=hunter2\n"))
        answer = logs_of(viewer, row)
        error_of(answer, 403, "permission_denied")
        assert "hunter2" not in answer.content.decode()
