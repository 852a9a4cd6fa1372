"""What pages show of backups, and what their buttons do."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone
from pytest_django import Settings

from checks.models import Backup, Job, Service
from dockrev import preferences
from tests.backups.rows import begun, made
from tests.fake_engine import FakeEngine
from tests.pages.rows import candidate
from tests.pages.test_overview import text_of
from tests.rows import service

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _data_dir(settings: Settings, tmp_path: Path) -> None:
    settings.DATA_DIR = tmp_path / "own"


def path_of(row: Service, backup: Backup | None = None) -> str:
    place = f"/services/{row.stack_id}/{row.pk}/backups"
    return f"{place}/{backup.pk}" if backup else place


def with_data(engine: FakeEngine, **fields: Any) -> Service:
    row = engine.deploy()
    volume = {"Type": "volume", "Name": "shop_<data>", "Destination": "/data", "RW": True}
    engine.containers[-1]["Mounts"] = [{**volume, **fields}]
    return row


def test_a_plan_says_that_data_is_not_backed_up(operator: Client, fake_engine: FakeEngine) -> None:
    row = with_data(fake_engine)
    candidate(row)
    content = operator.get(f"/services/{row.stack_id}/{row.pk}/update").content
    said = text_of(content)
    assert "shop_<data> is not backed up" in said
    assert "A rollback puts the image back, not the data." in said
    assert b"shop_<data>" not in content


def test_a_service_shows_what_it_keeps_and_takes_choices(
    operator: Client, fake_engine: FakeEngine
) -> None:
    row = with_data(fake_engine)
    said = text_of(operator.get(path_of(row)).content)
    assert "shop_<data>" in said
    assert "As the policy says (no)" in said
    assert "No backup yet." in said
    given = {"target": ["volume:shop_<data>"], "how": ["stop"]}
    assert operator.post(path_of(row), given).status_code == 302
    row.refresh_from_db()
    assert row.backup_targets == {"volume:shop_<data>": "stop"}
    assert b'value="stop" selected' in operator.get(path_of(row)).content
    operator.post(path_of(row), {**given, "how": [""]})
    row.refresh_from_db()
    assert row.backup_targets == {}


def test_it_shows_backups_while_the_engine_is_away(viewer: Client) -> None:
    row = service()
    row.stack.host.docker_host = "tcp://127.0.0.1:9"
    row.stack.host.save()
    begun(row, name="half of it")
    made(row, name="whole of it")
    said = text_of(viewer.get(path_of(row)).content)
    assert "What it has is not known at the moment." in said
    assert "whole of it" in said
    assert "half of it" not in said


def test_a_backup_is_restored_from_a_page_that_says_what_happens(
    operator: Client, viewer: Client
) -> None:
    row = service()
    backup = made(row)
    said = text_of(operator.get(path_of(row, backup)).content)
    assert "What was written since the backup is lost, unless what is there now is" in said
    assert b'id="save-first" checked' in operator.get(path_of(row, backup)).content
    assert backup.sha256 in said
    assert "Restore now" not in text_of(viewer.get(path_of(row, backup)).content)
    answer = operator.post(path_of(row, backup), {"act": "restore", "save_first": "on"})
    job = Job.objects.get()
    assert answer["Location"] == f"/queue/{job.pk}"
    assert (job.kind, job.params) == ("backup.restore", {"backup": backup.pk, "savesFirst": True})
    assert "Restore data of shop / api" in text_of(viewer.get(f"/queue/{job.pk}").content)
    operator.post(path_of(row, backup), {"act": "delete"})
    assert Backup.objects.exists()
    Job.objects.update(status="success", finished_at=timezone.now())
    operator.post(path_of(row, backup), {"act": "delete"})
    assert not Backup.objects.exists()


def test_a_backup_that_a_restore_made_says_so(operator: Client) -> None:
    row = service()
    backup = made(row, before_restore=True)
    assert "before a restore" in text_of(operator.get(path_of(row)).content)
    assert "The restore that it was made before" in text_of(
        operator.get(path_of(row, backup)).content
    )
    operator.post(path_of(row, backup), {"act": "restore"})
    assert Job.objects.get().params == {"backup": backup.pk, "savesFirst": False}


def test_a_backup_of_another_service_is_not_here(operator: Client) -> None:
    backup = made(service())
    other = service(name="db")
    for path in (path_of(other, backup), f"{path_of(other, backup)}/file"):
        assert operator.get(path).status_code == 404


def test_a_backup_is_downloaded(operator: Client) -> None:
    row = service()
    backup = made(row)
    answer: Any = operator.get(f"{path_of(row, backup)}/file")
    assert len(b"".join(answer.streaming_content)) == backup.stored_size


def test_settings_say_what_holds_and_take_another(admin: Client) -> None:
    said = text_of(admin.get("/settings").content)
    assert "Keeps of each volume 3" in said
    given = {"backups_keep": "5", "backup_days": "0", "backup_limit_mb": "0"}
    assert admin.post("/settings/backups", given).status_code == 302
    known = preferences.load()
    assert (known.backups_keep, known.backup_limit_mb, known.backup_required) == (5, 0, False)
    assert "the update goes on without" in text_of(admin.get("/settings").content)
    assert admin.post("/settings/backups", {**given, "backups_keep": "0"}).status_code == 422
    assert preferences.get("backups_keep") == 5


def test_what_it_keeps_stands_in_one_order_and_says_what_holds_for_each(
    operator: Client, fake_engine: FakeEngine
) -> None:
    row = with_data(fake_engine)
    Service.objects.filter(pk=row.pk).update(policy={"backup": "stop"})
    mounts = fake_engine.containers[-1]["Mounts"]
    mounts.append({"Type": "bind", "Source": "/srv/conf", "Destination": "/etc/conf", "RW": False})
    seen = text_of(operator.get(path_of(row)).content)
    mounts.reverse()
    assert text_of(operator.get(path_of(row)).content) == seen
    volume, read_only = seen.index("shop_<data>"), seen.index("/srv/conf")
    assert volume < seen.index("As the policy says (with its containers stopped)")
    assert read_only < seen.index("As the policy says (no)")


def test_a_plan_asks_for_a_backup_of_a_database_only_where_it_makes_none(
    operator: Client, fake_engine: FakeEngine
) -> None:
    row = with_data(fake_engine)
    candidate(row)
    Service.objects.filter(pk=row.pk).update(repository="acme/postgres")
    page = f"/services/{row.stack_id}/{row.pk}/update"
    assert "Back it up first." in text_of(operator.get(page).content)
    Service.objects.filter(pk=row.pk).update(policy={"backup": "live"})
    said = text_of(operator.get(page).content)
    assert "the older version may not read its data afterwards." in said
    assert "Back it up first." not in said
