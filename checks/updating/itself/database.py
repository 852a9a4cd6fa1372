"""Dockrev's own database around a change of version: a newer one may make its tables anew, and an
older one refuses those."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from pathlib import Path

from django.db import DatabaseError, connection
from django.db.migrations.recorder import MigrationRecorder
from django.utils.translation import gettext as _

from checks.updating.failing import UpdateFailed


class Database:
    """How the database was before. SQLite is copied, so that it can be put back; of a PostgreSQL
    server it is only known whether its tables were changed."""

    def __init__(self, copy: Path) -> None:
        self._copy = copy
        self._before: frozenset[tuple[str, str]] | None = None

    @property
    def is_a_file(self) -> bool:
        return connection.vendor == "sqlite"

    def note(self) -> None:
        """Raises UpdateFailed."""
        self._before = _migrations()

    def save(self) -> None:
        """Copy it, where it is a file; nobody may write to it meanwhile. Raises UpdateFailed."""
        if not self.is_a_file:
            return
        try:
            os.close(os.open(self._copy, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600))
            _transfer(_file(), self._copy)
        except (sqlite3.Error, OSError) as error:
            text = _("The database could not be copied to %(path)s: %(why)s")
            raise UpdateFailed(text % {"path": self._copy, "why": error}) from error

    def is_changed(self) -> bool:
        """Whether a newer version changed its tables, or may have. Raises UpdateFailed."""
        return self._before is not None and _migrations() != self._before

    def put_back(self) -> None:
        """In one transaction: what a newer version wrote is gone. Raises UpdateFailed."""
        try:
            _transfer(self._copy, _file())
        except sqlite3.Error as error:
            text = _(
                "The database could not be put back: %(why)s. Its copy is %(path)s; stop Dockrev, "
                "put the copy in the place of %(file)s and start the old version."
            )
            values = {"why": error, "path": self._copy, "file": _file()}
            raise UpdateFailed(text % values) from error


def _file() -> Path:
    return Path(str(connection.settings_dict["NAME"]))


def _transfer(source: Path, target: Path) -> None:
    with closing(sqlite3.connect(source)) as old, closing(sqlite3.connect(target)) as new:
        old.backup(new)


def _migrations() -> frozenset[tuple[str, str]]:
    try:
        return frozenset(MigrationRecorder(connection).applied_migrations())
    except DatabaseError as error:
        text = _("The database does not say which version it is for: %(why)s")
        raise UpdateFailed(text % {"why": error}) from error
    finally:
        connection.close()
