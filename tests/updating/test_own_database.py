"""Dockrev's own database around an update of Dockrev: copied, compared, and put back."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest
from django.db import connection
from django.db.migrations.recorder import MigrationRecorder

from checks.models import Host
from checks.updating.failing import UpdateFailed
from checks.updating.itself.database import Database

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(connection.vendor != "sqlite", reason="of a server no copy is made"),
]


def test_what_a_newer_version_wrote_is_gone(tmp_path: Path) -> None:
    Host.objects.create(name="before")
    database = Database(tmp_path / "copy")
    database.note()
    database.save()
    assert not database.is_changed()
    assert stat.S_IMODE((tmp_path / "copy").stat().st_mode) == 0o600
    MigrationRecorder(connection).record_applied("checks", "9999_of_the_future")
    Host.objects.create(name="after")
    assert database.is_changed()
    database.put_back()
    assert not database.is_changed()
    assert "after" not in Host.objects.values_list("name", flat=True)
    assert "before" in Host.objects.values_list("name", flat=True)


def test_it_says_where_the_copy_cannot_be_made(tmp_path: Path) -> None:
    database = Database(tmp_path / "nowhere" / "copy")
    with pytest.raises(UpdateFailed, match="could not be copied to"):
        database.save()


def test_it_says_where_the_copy_is_if_it_cannot_be_put_back(tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    copy.write_bytes(b"no database at all" * 100)
    with pytest.raises(UpdateFailed, match=f"Its copy is {copy}"):
        Database(copy).put_back()
