"""What must be true of the database before Dockrev starts, and what a first start makes."""

from __future__ import annotations

import time

from django.conf import settings
from django.core.management import call_command
from django.db import DatabaseError, OperationalError, connection
from django.db.migrations.executor import MigrationExecutor
from django.db.migrations.loader import MigrationLoader

from dockrev import sqlite
from dockrev.environment import CannotStart
from dockrev.fields import UnreadableSecret, decrypt, encrypt
from dockrev.models import Setting

PATIENCE_SECONDS = 10.0
_POLL_SECONDS = 0.5
_CANARY = "encryption_canary"


def refuse_unusable_database() -> None:
    """Raise CannotStart where the database does not answer, is newer, or has another key."""
    _refuse_silence()
    _refuse_other_journal()
    _refuse_newer()
    _refuse_other_key()


def migrate() -> None:
    """Bring the tables up to date, and keep a word by which a wrong key is noticed later."""
    try:
        call_command("migrate", verbosity=0, interactive=False)
        Setting.objects.get_or_create(key=_CANARY, defaults={"value": encrypt("dockrev")})
    except DatabaseError as error:
        raise CannotStart(
            f"The tables could not be brought up to date ({_words(error)}). "
            "See that nothing else uses the database and that its disk is not full."
        ) from error


def is_migrated() -> bool:
    executor = MigrationExecutor(connection)
    return not executor.migration_plan(executor.loader.graph.leaf_nodes())


def _refuse_silence() -> None:
    """A server gets a while to come up; a file is there or not."""
    deadline = time.monotonic() + (PATIENCE_SECONDS if connection.vendor != "sqlite" else 0)
    while True:
        try:
            connection.ensure_connection()
        except DatabaseError as error:
            if isinstance(error, OperationalError) and time.monotonic() < deadline:
                time.sleep(_POLL_SECONDS)
                continue
            raise CannotStart(
                f"The database {_where()} cannot be used ({_words(error)}). {_mend()}"
            ) from error
        return


def _refuse_other_journal() -> None:
    if connection.vendor == "sqlite" and (mode := sqlite.journal_mode()) != "wal":
        raise CannotStart(
            f"SQLite keeps {_where()} in journal mode {mode}, where it needs wal. Put the data "
            "directory (DOCKREV_DATA_DIR) on a local disk: network shares cannot do it."
        )


def _refuse_newer() -> None:
    loader = MigrationLoader(connection)
    unknown = sorted(set(loader.applied_migrations) - set(loader.disk_migrations))
    if unknown:
        raise CannotStart(
            f"The database is newer than this Dockrev {settings.VERSION} (it has "
            f"{'.'.join(unknown[0])}). Start the newer version again, or restore the backup that "
            "was made before the update."
        )


def _refuse_other_key() -> None:
    if Setting._meta.db_table not in connection.introspection.table_names():
        return
    word = Setting.objects.filter(key=_CANARY).values_list("value", flat=True).first()
    try:
        if word is not None:
            decrypt(str(word))
    except UnreadableSecret as error:
        raise CannotStart(
            f"The encryption key does not fit the secrets in {_where()}. Put the right key back, "
            f"into {settings.DATA_DIR / 'encryption.key'} or DOCKREV_ENCRYPTION_KEYS."
        ) from error


def _where() -> str:
    described = connection.settings_dict
    if connection.vendor == "sqlite":
        return str(described["NAME"])
    return f"{described['NAME']} at {described['HOST'] or 'localhost'}:{described['PORT'] or 5432}"


def _mend() -> str:
    if connection.vendor == "sqlite":
        return "See that it is Dockrev's and that this user may write to it and its folder."
    return "See that the server runs and that DATABASE_URL names it, its user and password."


def _words(error: Exception) -> str:
    return " ".join(str(error).split())
