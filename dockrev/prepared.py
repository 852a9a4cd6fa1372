"""Statements that Django compiles once and that are then only filled in.

Building a query takes Django ten times as long as SQLite takes to answer it. Where a webhook
waits, that is paid once per process. The queries are still written as query sets, so the same
words serve both databases and every migration.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from functools import cached_property, lru_cache
from typing import Any, NamedTuple

from django.db import DEFAULT_DB_ALIAS, connection, connections, models
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models.sql import InsertQuery

from dockrev.backends.sqlite3.base import DatabaseWrapper as SQLite
from dockrev.fields import IdField

_MARK = datetime(1, 1, 1, tzinfo=UTC)  # a moment that no query is about


class Select:
    """A SELECT of columns. `build` gets a text for each name, and a moment for each of `moments`,
    and returns a `values_list`."""

    def __init__(
        self,
        build: Callable[..., models.QuerySet[Any, Any]],
        *names: str,
        moments: Sequence[str] = (),
    ) -> None:
        self._build, self._names, self._moments = build, names, moments

    @cached_property
    def _compiled(self) -> _Question:
        texts = {name: f"\N{SECTION SIGN}{name}" for name in self._names}
        moments = {name: _MARK.replace(day=day) for day, name in enumerate(self._moments, 1)}
        query = self._build(**texts, **moments).query
        marks: dict[Any, str] = {mark: name for name, mark in texts.items()}
        marks |= {_moment(mark): name for name, mark in moments.items()}
        compiler = query.get_compiler(connection=connection)
        sql, params = compiler.as_sql()
        converters = compiler.get_converters([column for column, *_ in compiler.select])
        places = [(at, marks[param]) for at, param in enumerate(params) if param in marks]
        return _Question(sql, list(params), places, compiler, converters)

    def __call__(self, **values: str | datetime) -> list[Sequence[Any]]:
        sql, params, places, compiler, converters = self._compiled
        filled = params.copy()
        for at, name in places:
            value = values[name]
            filled[at] = _moment(value) if isinstance(value, datetime) else value
        rows = _run(connections[DEFAULT_DB_ALIAS], sql, filled)
        if rows and converters:
            return list(compiler.apply_converters(rows, converters))
        return rows


class _Question(NamedTuple):
    """A compiled SELECT: its parameters, and where among them the named ones belong."""

    sql: str
    params: list[Any]
    places: list[tuple[int, str]]
    compiler: Any
    converters: dict[int, Any]


class Insert:
    """INSERTs rows of one model: all columns but those in `without`, which the database fills.

    It takes values by column and makes no object: that takes as long as SQLite's own part.
    """

    def __init__(self, model: type[models.Model], *, without: Iterable[str] = ()) -> None:
        self._model, self._without = model, frozenset(without)

    @cached_property
    def _compiled(self) -> _Form:
        concrete = self._model._meta.local_concrete_fields
        fields: list[Any] = [f for f in concrete if f.attname not in self._without]
        query = InsertQuery(self._model)
        query.insert_values(fields, [self._model()])
        [(sql, _params)] = query.get_compiler(connection=connection).as_sql()
        defaults = {
            f.attname: None if f.primary_key else f.get_db_prep_save(f.get_default(), connection)
            for f in fields
        }
        adapted = [(f.attname, f.get_default(), _adapter(f)) for f in fields if not _is_plain(f)]
        return _Form(str(sql), defaults, adapted)

    def __call__(self, **values: Any) -> None:
        """Write a row; its primary key has no default. Raises IntegrityError as `save` does."""
        database = connections[DEFAULT_DB_ALIAS]
        _run(database, self._compiled.sql, self._row(values, database))

    def many(self, rows: Iterable[Mapping[str, Any]]) -> None:
        """Write rows; where one cannot be written, the transaction has to be undone."""
        database = connections[DEFAULT_DB_ALIAS]
        _run_many(database, self._compiled.sql, [self._row(row, database) for row in rows])

    def _row(self, values: Mapping[str, Any], database: BaseDatabaseWrapper) -> list[Any]:
        _sql, defaults, adapted = self._compiled
        row = {**defaults, **values}
        for name, default, adapter in adapted:
            if name in values:
                same = values[name] == default
                row[name] = defaults[name] if same else adapter(values[name], database)
        return list(row.values())

    def of(self, row: models.Model) -> None:
        """Write what was made as an object, which does not learn of it."""
        self(**{name: row.__dict__[name] for name in self._compiled.defaults})


class Update:
    """UPDATEs rows of one model, found by the columns in `by`.

    Which columns are written may be others each time: there are few combinations.
    """

    def __init__(self, model: type[models.Model], *by: str) -> None:
        self._model, self._by = model, by
        self._statements: dict[tuple[str, ...], str] = {}

    @cached_property
    def _adapters(self) -> dict[str, Callable[..., Any]]:
        fields: list[Any] = list(self._model._meta.local_concrete_fields)
        return {f.attname: _as_it_is if _is_plain(f) else _adapter(f) for f in fields}

    def __call__(self, by: tuple[str, ...], **values: Any) -> int:
        """Write the columns, and return of how many rows. `by` are texts."""
        database = connections[DEFAULT_DB_ALIAS]
        return _change(database, self._statement(tuple(values)), self._params(by, values, database))

    def many(self, rows: Mapping[tuple[str, ...], Mapping[str, Any]]) -> None:
        """Write the columns, the same ones of each row; of one at least."""
        database = connections[DEFAULT_DB_ALIAS]
        sql = self._statement(tuple(next(iter(rows.values()))))
        params = [self._params(by, values, database) for by, values in rows.items()]
        _run_many(database, sql, params)

    def _params(
        self, by: tuple[str, ...], values: Mapping[str, Any], database: BaseDatabaseWrapper
    ) -> list[Any]:
        adapters = self._adapters
        return [*(adapters[name](value, database) for name, value in values.items()), *by]

    def _statement(self, names: tuple[str, ...]) -> str:
        return self._statements.get(names) or self._statements.setdefault(names, self._sql(names))

    def _sql(self, names: tuple[str, ...]) -> str:
        quote = connection.ops.quote_name
        fields: list[Any] = list(self._model._meta.local_concrete_fields)
        columns = {f.attname: quote(f.column) for f in fields}
        written = ", ".join(f"{columns[name]} = %s" for name in names)
        found = " AND ".join(f"{columns[name]} = %s" for name in self._by)
        return f"UPDATE {quote(self._model._meta.db_table)} SET {written} WHERE {found}"  # noqa: S608 - names of columns


class _Form(NamedTuple):
    """A compiled INSERT: each column's default as it is written, and of those whose values a
    driver does not take as they are, the default, and what adapts another value."""

    sql: str
    defaults: dict[str, Any]
    adapted: list[tuple[str, Any, Callable[..., Any]]]


def _run(database: BaseDatabaseWrapper, sql: str, params: list[Any]) -> list[Any]:
    """Execute a statement and return its rows."""
    if isinstance(database, SQLite):
        return database.run(sql, params)
    with database.cursor() as cursor:
        cursor.execute(sql, params)
        return cursor.fetchall() if cursor.description else []


def _run_many(database: BaseDatabaseWrapper, sql: str, rows: list[list[Any]]) -> None:
    """Execute a statement that writes once for each of the rows."""
    if len(rows) == 1:
        _run(database, sql, rows[0])
    elif isinstance(database, SQLite):
        database.run_many(sql, rows)
    else:
        with database.cursor() as cursor:
            cursor.executemany(sql, rows)


def _change(database: BaseDatabaseWrapper, sql: str, params: list[Any]) -> int:
    """Execute an UPDATE and return how many rows it was about."""
    if isinstance(database, SQLite):
        return database.change(sql, params)
    with database.cursor() as cursor:
        cursor.execute(sql, params)
        return int(cursor.rowcount)


def _as_it_is(value: Any, _database: BaseDatabaseWrapper) -> Any:
    return value


# Every driver takes what these hold as it is.
_PLAIN = {
    IdField,
    models.BinaryField,
    models.BooleanField,
    models.CharField,
    models.PositiveIntegerField,
    models.TextField,
}


def _is_plain(field: Any) -> bool:
    return type(field.target_field if field.is_relation else field) in _PLAIN


def _adapter(field: Any) -> Callable[..., Any]:
    """What makes a field's value one that the driver takes."""
    if type(field) is models.DateTimeField:
        return lambda value, _database: _moment(value)
    if type(field) is models.JSONField:
        return lambda value, database: database.ops.adapt_json_value(value, field.encoder)
    adapter: Callable[..., Any] = field.get_db_prep_save
    return adapter


@lru_cache(maxsize=16)
def _moment(value: datetime | None) -> Any:
    """One moment is written in many columns."""
    return connection.ops.adapt_datetimefield_value(value)
