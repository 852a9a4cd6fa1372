"""Statements that Django compiles once and that are then only filled in.

Building a query takes Django ten times as long as SQLite takes to answer it. Where a webhook
waits, that is paid once per process. The queries are still written as query sets, so the same
words serve both databases and every migration.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import cached_property
from typing import Any, Generic, TypeVar

from django.db import connection, models
from django.db.models.sql import InsertQuery

M = TypeVar("M", bound=models.Model)


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
        with connection.cursor() as cursor:
            cursor.execute(sql, filled)
            rows = cursor.fetchall()
        return list(compiler.apply_converters(rows, converters)) if rows else []


class _Value:
    """The place of a value among the parameters."""

    def __init__(self, name: str) -> None:
        self.name = name


class Insert(Generic[M]):
    """INSERTs whole rows of one model, whose keys are not made by the database."""

    def __init__(self, model: type[M], *, without: Iterable[str] = ()) -> None:
        self._model, self._without = model, frozenset(without)

    @cached_property
    def _fields(self) -> list[Any]:
        concrete = self._model._meta.local_concrete_fields
        return [field for field in concrete if field.attname not in self._without]

    @cached_property
    def _sql(self) -> str:
        query = InsertQuery(self._model)
        query.insert_values(self._fields, [self._model()])
        [(sql, _params)] = query.get_compiler(connection=connection).as_sql()
        return str(sql)

    def __call__(self, row: M) -> None:
        """Write a row. Raises IntegrityError as `save` does."""
        params = [
            field.get_db_prep_save(field.pre_save(row, True), connection) for field in self._fields
        ]
        with connection.cursor() as cursor:
            cursor.execute(self._sql, params)
