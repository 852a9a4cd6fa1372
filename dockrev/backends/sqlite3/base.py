"""Django's SQLite, with less around a statement.

A statement's `%s` become SQLite's `?` once, not at every call; and what is prepared runs without
the layers of cursors that Django puts around one. That took a third of a webhook's time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import lru_cache
from typing import Any, TypeVar

from django.db.backends.sqlite3 import base

T = TypeVar("T")


class Cursor(base.SQLiteCursorWrapper):
    def convert_query(self, query: str, *, param_names: Iterable[str] | None = None) -> str:
        if param_names is not None:
            return super().convert_query(query, param_names=param_names)
        return _converted(query)


@lru_cache(maxsize=200)
def _converted(query: str) -> str:
    return base.FORMAT_QMARK_REGEX.sub("?", query).replace("%%", "%")


class DatabaseWrapper(base.DatabaseWrapper):
    def create_cursor(self, name: Any = None) -> Any:
        return self.connection.cursor(factory=Cursor)

    def run(self, query: str, params: list[Any]) -> list[Any]:
        """Execute a statement at once and return its rows, with Django's errors."""
        if self._is_special():
            return self._at_once(query, params, lambda cursor: list(cursor.fetchall()))
        with self.wrap_database_errors:
            rows: list[Any] = self.connection.execute(_converted(query), params).fetchall()
            return rows

    def change(self, query: str, params: list[Any]) -> int:
        """The same of an UPDATE: returns how many rows it was about."""
        return self._at_once(query, params, lambda cursor: int(cursor.rowcount))

    def run_many(self, query: str, rows: list[list[Any]]) -> None:
        """Execute a statement that writes once for each of the rows of parameters."""
        self._at_once(query, rows, lambda cursor: None, many=True)

    def _at_once(
        self, query: str, params: list[Any], result: Callable[[Any], T], *, many: bool = False
    ) -> T:
        if self._is_special():
            with self.cursor() as cursor:
                (cursor.executemany if many else cursor.execute)(query, params)
                return result(cursor)
        with self.wrap_database_errors:
            execute = self.connection.executemany if many else self.connection.execute
            return result(execute(_converted(query), params))

    def _is_special(self) -> bool:
        """Whether the usual way is to be taken: where somebody looks on, or the connection is not
        fit for another."""
        return bool(
            self.connection is None
            or self.needs_rollback
            or self.execute_wrappers
            or self.force_debug_cursor
        )

    def _start_transaction_under_autocommit(self) -> None:
        mode = self.transaction_mode  # type: ignore[attr-defined]  # the stubs lack it
        self.run(f"BEGIN {mode or ''}", [])
