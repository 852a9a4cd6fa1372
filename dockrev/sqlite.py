"""What SQLite says about its file."""

from __future__ import annotations

from django.db import connection


def journal_mode() -> str:
    """`wal`, unless the file is where SQLite cannot keep a write-ahead log."""
    with connection.cursor() as cursor:
        cursor.execute("PRAGMA journal_mode")
        return str(cursor.fetchone()[0])
