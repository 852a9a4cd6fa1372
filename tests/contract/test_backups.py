"""Backups, as a program lists, fetches, restores and deletes them."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import pytest
import zstandard
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from pytest_django import Settings

from checks import queue
from checks.backups import storing
from checks.models import Backup, Hold, Host, Job, Service, Stack
from checks.tasks import run_job
from tests.backups.rows import begun, made
from tests.fake_engine import FakeEngine
from tests.people import Program, error_of
from tests.rows import service

PATH = "/api/backups"


@pytest.fixture(autouse=True)
def _data_dir(settings: Settings, tmp_path: Path) -> None:
    settings.DATA_DIR = tmp_path


def targets(row: Service) -> str:
    return f"/api/services/{row.pk}/backup-targets"


def test_it_lists_those_that_are_whole(viewer: Program) -> None:
    row = service()
    backup = made(row, note="It changed")
    begun(row)
    begun(row, state="failed")
    other = made(service(name="db"))
    answer = viewer.get(PATH).json()
    assert [each["id"] for each in answer["backups"]] == [other.pk, backup.pk]
    assert answer["total"] == 2
    [shown] = viewer.get(f"{PATH}?serviceId={row.pk}").json()["backups"]
    assert shown == viewer.get(f"{PATH}/{backup.pk}").json()
    assert (shown["kind"], shown["name"], shown["how"]) == ("volume", "shop_data", "live")
    assert (shown["size"], shown["storedSize"]) == (4, backup.stored_size)
    assert (shown["sha256"], shown["note"]) == (backup.sha256, "It changed")
    assert str(storing.folder()) not in str(shown)


def test_it_asks_as_much_for_many_as_for_few(viewer: Program) -> None:
    row = service()

    def queries() -> int:
        with CaptureQueriesContext(connection) as asked:
            assert viewer.get(PATH).status_code == 200
        return len(asked)

    begun(row, state="good")
    queries()  # a token notes when it was used
    few = queries()
    for _number in range(5):
        begun(row, state="good")
    assert queries() == few


def test_it_gives_the_file(operator: Program, viewer: Program) -> None:
    backup = made(service(), [b"the archive"])
    answer = operator.get(f"{PATH}/{backup.pk}/file")
    content = b"".join(answer.streaming_content)
    assert hashlib.sha256(content).hexdigest() == backup.sha256
    assert zstandard.ZstdDecompressor().decompressobj().decompress(content) == b"the archive"
    assert answer["Content-Disposition"] == f'attachment; filename="{backup.pk}.tar.zst"'
    error_of(viewer.get(f"{PATH}/{backup.pk}/file"), 403, "permission_denied")
    storing.path_of(backup).unlink()
    error_of(operator.get(f"{PATH}/{backup.pk}/file"), 404, "not_found")


@pytest.mark.parametrize("fields", [{}, {"state": "failed"}])
def test_what_is_not_whole_is_not_there(operator: Program, fields: dict[str, str]) -> None:
    backup = begun(service(), **fields)
    for path in ("", "/file"):
        error_of(operator.get(f"{PATH}/{backup.pk}{path}"), 404, "not_found")
    error_of(operator.post(f"{PATH}/{backup.pk}/restore"), 404, "not_found")


def test_it_restores_by_one_job_that_holds_the_service(operator: Program) -> None:
    row = service()
    backup = made(row)
    answer = operator.post(f"{PATH}/{backup.pk}/restore")
    assert answer.status_code == 202
    job = Job.objects.get(pk=answer.json()["jobId"])
    assert (job.kind, job.service_id, job.subject) == ("backup.restore", row.pk, "shop / api")
    assert (job.params, job.created_by) == ({"backup": backup.pk, "savesFirst": True}, "operator")
    assert operator.post(f"{PATH}/{backup.pk}/restore").json()["reused"] is True
    error = error_of(operator.delete(f"{PATH}/{backup.pk}"), 409, "conflict")
    assert error["details"]["reason"] == "in_use"
    assert queue.claim(job.pk) is not None
    assert Hold.objects.get().resource == f"service:{row.pk}"


def test_it_restores_without_a_backup_of_what_is_there_where_that_is_said(
    operator: Program,
) -> None:
    backup = made(service())
    path = f"{PATH}/{backup.pk}/restore"
    error_of(operator.post(path, {"saveFirst": "perhaps"}), 400, "invalid_argument")
    assert not Job.objects.exists()
    assert operator.post(path, {"saveFirst": False}).status_code == 202
    assert Job.objects.get().params == {"backup": backup.pk, "savesFirst": False}
    assert operator.post(path).json()["reused"] is True


def test_it_restores_nothing_of_a_service_that_is_gone(operator: Program) -> None:
    row = service()
    backup = made(row)
    row.delete()
    assert operator.get(f"{PATH}/{backup.pk}").json()["serviceId"] is None
    error = error_of(operator.post(f"{PATH}/{backup.pk}/restore"), 409, "conflict")
    assert error["details"]["reason"] == "not_restorable"


def test_what_is_of_another_machine_never_lands_here(
    admin: Program, operator: Program, fake_engine: FakeEngine
) -> None:
    """A volume may be called alike on both."""
    row = fake_engine.deploy()
    backup = made(row)
    entry = admin.post("/api/hosts", {"name": "nas", "dockerHost": "unix:///nowhere/docker.sock"})
    Stack.objects.filter(pk=row.stack_id).update(host_id=entry.json()["id"])
    waiting = operator.post(f"{PATH}/{backup.pk}/restore").json()["jobId"]
    asked = len(fake_engine.server.asked)
    Host.objects.filter(name="nas").update(docker_host="", removed_at=timezone.now())
    error = error_of(operator.post(f"{PATH}/{backup.pk}/restore"), 409, "conflict")
    assert "switched off or removed" in error["message"]
    run_job(waiting)
    job = Job.objects.get(pk=waiting)
    assert (job.status, job.summary["services"][0]["outcome"]) == ("failed", "untouched")
    assert "no way to nas any more" in job.summary["error"]
    error_of(operator.get(f"/api/services/{row.pk}/logs"), 502, "upstream_unavailable")
    assert len(fake_engine.server.asked) == asked


def test_it_deletes_row_and_file(
    operator: Program, django_capture_on_commit_callbacks: Any
) -> None:
    backup = made(service())
    with django_capture_on_commit_callbacks(execute=True):
        assert operator.delete(f"{PATH}/{backup.pk}").status_code == 204
    assert not Backup.objects.exists()
    assert not storing.path_of(backup).exists()


def test_it_takes_what_is_said_of_single_targets(operator: Program) -> None:
    row = service()
    said = {"volume:data": "stop", "bind:/srv/a b": "skip"}
    assert operator.patch(targets(row), {"targets": said}).json() == {"targets": said}
    operator.patch(targets(row), {"targets": {"volume:data": None}})
    assert operator.get(targets(row)).json() == {"targets": {"bind:/srv/a b": "skip"}}


@pytest.mark.parametrize(
    "given",
    [
        {"data": "stop"},
        {"volume:": "stop"},
        {"tmpfs:/x": "stop"},
        {"volume:data": "often"},
        {"volume:a\0b": "live"},
        {"bind:/" + "a" * 5000: "live"},
        {f"volume:{number}": "live" for number in range(101)},
    ],
)
def test_it_refuses_what_can_be_no_target(operator: Program, given: dict[str, str]) -> None:
    row = service()
    error_of(operator.patch(targets(row), {"targets": given}), 400, "invalid_argument")
    row.refresh_from_db()
    assert row.backup_targets == {}
