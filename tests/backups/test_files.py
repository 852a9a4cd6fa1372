"""Files of backups: whole or not there, for nobody else, and as long as they are wanted."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
import zstandard
from django.utils import timezone

from checks import queue
from checks.backups import storing
from checks.models import Backup
from checks.tasks import run_job
from dockrev import preferences
from tests.backups.rows import begun, made
from tests.pages.rows import job
from tests.rows import service

pytestmark = pytest.mark.django_db


def maintain() -> None:
    run_job(queue.enqueue(queue.Request(kind="maintenance", reason="ui")).job_id)


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_what_is_written_can_be_read_again_by_the_owner_alone(data_dir: Path) -> None:
    pieces = [os.urandom(70_000), b"", b"x" * 5_000_000]
    backup = made(service(), pieces)
    path = storing.path_of(backup)
    assert b"".join(storing.read(backup)) == b"".join(pieces)
    assert (backup.size, backup.stored_size) == (5_070_000, path.stat().st_size)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(data_dir.stat().st_mode) == 0o700
    storing.check(backup, lambda: None)


def test_what_breaks_off_leaves_no_file(data_dir: Path) -> None:
    def breaks_off() -> Iterator[bytes]:
        yield b"half"
        assert names(data_dir) == {f"{backup.pk}.part"}
        raise OSError("away")

    backup = begun(service())
    with pytest.raises(OSError, match="away"):
        storing.write(backup, breaks_off())
    assert names(data_dir) == set()


def test_the_database_beside_them_keeps_some_room(
    data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(storing, "RESERVE", 1 << 62)
    backup = begun(service())
    with pytest.raises(OSError, match="No space left"):
        storing.write(backup, [b"data"])
    assert names(data_dir) == set()


def test_a_file_that_is_another_now_is_refused(data_dir: Path, tmp_path: Path) -> None:
    backup = made(service())
    path = storing.path_of(backup)
    path.write_bytes(zstandard.compress(b"evil"))
    with pytest.raises(storing.Damaged, match="was changed"):
        storing.check(backup, lambda: None)
    elsewhere = tmp_path / "elsewhere"
    path.rename(elsewhere)
    path.symlink_to(elsewhere)
    with pytest.raises(storing.Damaged, match="cannot be read"):
        storing.check(backup, lambda: None)


def test_so_many_of_each_target_are_kept(data_dir: Path) -> None:
    preferences.set("backups_keep", 2)
    row = service()
    other = made(row, name="other")
    backups = [made(row) for _number in range(4)]
    (data_dir / ("bkp_" + "0" * 26 + ".part")).write_bytes(b"left behind")
    (data_dir / "mine.txt").write_text("not ours")
    storing.let_go_of_older(backups[-1])
    kept = {*backups[2:], other}
    assert set(Backup.objects.all()) == kept


def test_who_tries_one_after_the_other_loses_none_that_is_still_to_be_tried(
    data_dir: Path,
) -> None:
    preferences.set("backups_keep", 2)
    row = service()
    backups = [made(row) for _number in range(2)]
    replaced = [made(row, before_restore=True) for _number in range(3)]
    storing.let_go_of_older(replaced[-1])
    assert set(Backup.objects.all()) == {*backups, *replaced[1:]}


@pytest.mark.django_db(transaction=True)
def test_a_file_goes_with_its_row(data_dir: Path) -> None:
    preferences.set("backups_keep", 1)
    row = service()
    first, second = made(row), made(row)
    (data_dir / ("bkp_" + "0" * 26 + ".part")).write_bytes(b"left behind")
    (data_dir / "mine.txt").write_text("not ours")
    storing.let_go_of_older(second)
    assert names(data_dir) == {f"{second.pk}.tar.zst", "mine.txt"}
    assert not storing.path_of(first).exists()


def test_what_is_old_goes_at_night_unless_a_job_brings_it_back() -> None:
    row = service()
    old = timezone.now() - timedelta(days=40)
    kept = made(row, made_at=old)
    maintain()
    assert Backup.objects.filter(pk=kept.pk).exists()
    preferences.set("backup_days", 30)
    gone, young = made(row, made_at=old), made(row)
    left = begun(row, made_at=old)
    job("backup.restore", "queued", params={"backup": kept.pk})
    maintain()
    assert set(Backup.objects.all()) == {kept, young}
    assert gone.pk and left.pk
