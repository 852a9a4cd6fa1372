"""Statements that are compiled once: they read, write and fail as a query set does."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from django.db import IntegrityError, connection, transaction
from django.utils import timezone
from django_q.models import OrmQ

from dockrev.models import Setting
from dockrev.prepared import Insert, Select, Update

pytestmark = pytest.mark.django_db

into_settings = Insert(Setting)
settings_named = Select(
    lambda key: Setting.objects.filter(key=key).values_list("key", "value"), "key"
)


def insert(*, key: str, value: Any) -> None:
    into_settings(key=key, value=value, updated_at=timezone.now())


@pytest.mark.parametrize("value", [1, {}, {"a": ["é", None]}, "text"])
def test_it_writes_and_reads_what_a_model_does(value: Any) -> None:
    insert(key="one", value=value)
    assert Setting.objects.get().value == value
    assert [tuple(row) for row in settings_named(key="one")] == [("one", value)]
    assert settings_named(key="two") == []


def test_it_writes_moments() -> None:
    moment = datetime(2026, 5, 4, 3, 2, 1, 987, tzinfo=UTC)
    Insert(OrmQ, without=["id"])(key="quick", payload="x", lock=moment)
    Insert(OrmQ, without=["id"])(key="quick", payload="y", lock=None)
    assert set(OrmQ.objects.values_list("payload", "lock")) == {("x", moment), ("y", None)}


@pytest.mark.parametrize("value", [1, {}, {"a": ["é", None]}, "text"])
def test_it_writes_an_object_and_updates_it_as_a_model_does(value: Any) -> None:
    moment = datetime(2026, 5, 4, 3, 2, 1, 987, tzinfo=UTC)
    into_settings.of(Setting(key="one", value=value, updated_at=moment))
    into_settings.of(Setting(key="two", value=0, updated_at=moment))
    assert Setting.objects.values_list("value", "updated_at").get(key="one") == (value, moment)
    update = Update(Setting, "key")
    later = moment.replace(hour=4)
    assert update(("one",), value=[value], updated_at=later) == 1
    assert update(("two",), value=1) == 1
    assert update(("three",), value=1) == 0
    assert list(Setting.objects.order_by("key").values_list("value", "updated_at")) == [
        ([value], later),
        (1, moment),
    ]


def test_it_updates_nothing_in_a_broken_transaction() -> None:
    with pytest.raises(transaction.TransactionManagementError), transaction.atomic():
        transaction.set_rollback(True)
        Update(Setting, "key")(("one",), value=2)


def test_it_fails_as_a_model_does() -> None:
    insert(key="one", value=1)
    with pytest.raises(IntegrityError), transaction.atomic():
        insert(key="one", value=2)
    assert Setting.objects.get().value == 1


def test_it_refuses_to_go_on_in_a_broken_transaction() -> None:
    with pytest.raises(transaction.TransactionManagementError), transaction.atomic():
        transaction.set_rollback(True)
        insert(key="one", value=1)


def test_it_shows_itself_to_who_looks_on(django_assert_num_queries: Any) -> None:
    seen: list[str] = []

    def note(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        seen.append(sql)
        return execute(sql, params, many, context)

    with connection.execute_wrapper(note), django_assert_num_queries(2):
        insert(key="one", value=1)
        settings_named(key="one")
    assert [sql.split()[0] for sql in seen] == ["INSERT", "SELECT"]
