"""Statements that Django compiles once and that are then only filled in.

Building a query takes Django ten times as long as SQLite takes to answer it. Where a webhook
waits, that is paid once per process. The queries are still written as query sets, so the same
words serve both databases and every migration.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import cached_property
from typing import Any

from django.db import DEFAULT_DB_ALIAS, connection, connections, models
from django.db.models.sql import InsertQuery

from dockrev.fields import IdField


class Select:
    """A SELECT of columns. `build` gets a text for each name and returns a `values_list`."""

    def __init__(self, build: Callable[..., models.QuerySet[Any, Any]], *names: str) -> None:
        self._build, self._names = build, names

    @cached_property
    def _compiled(self) -> tuple[str, list[Any], Any, dict[int, Any]]:
        marks = {name: f"\N{SECTION SIGN}{name}" for name in self._names}
        compiler = self._build(**marks).query.get_compiler(connection=connection)
        sql, params = compiler.as_sql()
        converters = compiler.get_converters([column for column, *_ in compiler.select])
        by_mark = {mark: _Value(name) for name, mark in marks.items()}
        return sql, [by_mark.get(param, param) for param in params], compiler, converters

    def __call__(self, **values: str) -> list[Sequence[Any]]:
        sql, params, compiler, converters = self._compiled
        filled = [values[p.name] if isinstance(p, _Value) else p for p in params]
        with connections[DEFAULT_DB_ALIAS].cursor() as cursor:
            cursor.execute(sql, filled)
            rows = cursor.fetchall()
        return list(compiler.apply_converters(rows, converters)) if rows else []


class _Value:
    """The place of a value among the parameters."""

    def __init__(self, name: str) -> None:
        self.name = name


class Insert:
    """INSERTs rows of one model: all columns but those in `without`, which the database fills.

    It takes values by column and makes no object: that takes as long as SQLite's own part.
    """

    def __init__(self, model: type[models.Model], *, without: Iterable[str] = ()) -> None:
        self._model, self._without = model, frozenset(without)

    @cached_property
    def _compiled(self) -> tuple[str, dict[str, Any], dict[str, Callable[..., Any]]]:
        """The statement, and for each column its default, and what adapts a value of it."""
        concrete = self._model._meta.local_concrete_fields
        fields: list[Any] = [f for f in concrete if f.attname not in self._without]
        query = InsertQuery(self._model)
        query.insert_values(fields, [self._model()])
        [(sql, _params)] = query.get_compiler(connection=connection).as_sql()
        defaults = {
            f.attname: None if f.primary_key else f.get_db_prep_save(f.get_default(), connection)
            for f in fields
        }
        adapted = {f.attname: _plain if type(f) in _PLAIN else f.get_db_prep_save for f in fields}
        return str(sql), defaults, adapted

    def __call__(self, **values: Any) -> None:
        """Write a row; its primary key has no default. Raises IntegrityError as `save` does."""
        sql, defaults, adapted = self._compiled
        database = connections[DEFAULT_DB_ALIAS]
        given = {name: adapted[name](value, database) for name, value in values.items()}
        with database.cursor() as cursor:
            cursor.execute(sql, list((defaults | given).values()))


def _plain(value: Any, _database: object) -> Any:
    return value


# Every driver takes what these hold as it is.
_PLAIN = {
    IdField,
    models.BooleanField,
    models.CharField,
    models.PositiveIntegerField,
    models.TextField,
}
