"""Writes of several threads in one transaction: each gets its own outcome, and only its own."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.db import OperationalError, connection, connections, transaction

from dockrev.models import Setting
from dockrev.together import Prepare, Together
from tests.waiting import PATIENCE, until

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(params=[False, True], ids=["own connections", "one connection"])
def together(request: pytest.FixtureRequest) -> Iterator[Together]:
    made = Together()
    made.shares = request.param
    yield made
    if made._connection is not None:
        made._connection.close()


class Stuck:
    """Holds the turn until it is told to go on, so that other pieces have to wait together."""

    def __init__(self) -> None:
        self.begun, self.go_on = threading.Event(), threading.Event()

    def __call__(self) -> str:
        self.begun.set()
        assert self.go_on.wait(PATIENCE)
        return "went on"


def just(work: Callable[[], Any]) -> Prepare[Any]:
    """What has nothing to prepare."""
    return lambda _seen: work


def outcomes(together: Together, pieces: list[Prepare[Any]]) -> list[Any]:
    """What each piece came to when all waited together: its result or its error."""
    results: dict[int, Any] = {}

    def run(number: int, piece: Prepare[Any]) -> None:
        try:
            results[number] = together.do(piece)
        except Exception as error:
            results[number] = error
        finally:
            connections.close_all()

    stuck = Stuck()
    threads = [threading.Thread(target=run, args=(-1, just(stuck)))]
    threads[0].start()
    assert stuck.begun.wait(PATIENCE)
    for number, piece in enumerate(pieces):
        threads.append(threading.Thread(target=run, args=(number, piece)))
        threads[-1].start()
    until(lambda: len(together._waiting) == len(pieces))
    stuck.go_on.set()
    for thread in threads:
        thread.join(PATIENCE)
        assert not thread.is_alive()
    return [results[number] for number in range(len(pieces))]


def write(key: str) -> Callable[[], str]:
    def work() -> str:
        Setting.objects.create(key=key, value=1)
        return key

    return work


def keys() -> set[str]:
    return set(Setting.objects.values_list("key", flat=True))


def test_it_commits_what_waited_together(together: Together) -> None:
    names = [f"k{number}" for number in range(10)]
    assert outcomes(together, [just(write(name)) for name in names]) == names
    assert keys() >= set(names)


def test_it_keeps_one_pieces_error_from_the_others(together: Together) -> None:
    def broken() -> str:
        Setting.objects.create(key="half", value=1)
        raise ValueError("broken")

    first, second, third = outcomes(together, [just(write("a")), just(broken), just(write("b"))])
    assert (first, third) == ("a", "b")
    assert isinstance(second, ValueError)
    assert {"a", "b"} <= keys()
    assert "half" not in keys()


def test_it_keeps_what_is_refused_beforehand_out_of_the_transaction(together: Together) -> None:
    def refused(_seen: Any) -> Any:
        assert not connection.in_atomic_block
        raise PermissionError("no")

    with pytest.raises(PermissionError):
        together.do(refused)
    assert together.do(just(write("f"))) == "f"


def test_it_tells_everybody_that_the_database_is_busy(together: Together) -> None:
    def busy() -> str:
        raise OperationalError("database is locked")

    came = outcomes(together, [just(write("c")), just(busy)])
    assert all(isinstance(each, OperationalError) for each in came)
    assert together.do(just(write("d"))) == "d"


def test_it_asks_a_database_that_is_away_once_for_all_that_wait(together: Together) -> None:
    asked: list[str] = []

    def away(_seen: Any) -> Any:
        asked.append("again")
        raise OperationalError("away")

    came = outcomes(together, [away] * 5)
    assert all(isinstance(each, OperationalError) for each in came)
    assert len(asked) == 1


def test_it_runs_inside_a_transaction(together: Together) -> None:
    assert together.do(just(lambda: connection.in_atomic_block))
    assert not transaction.get_connection().in_atomic_block


def test_it_gives_the_thread_its_own_connection_back(together: Together) -> None:
    before = connections["default"]
    together.do(just(write("e")))
    assert connections["default"] is before


def test_it_leaves_nobody_waiting_when_the_connection_cannot_be_had(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    together, first = Together(), Stuck()
    together.shares = True
    make, made = connections.create_connection, []

    def sometimes(alias: str) -> Any:
        made.append(alias)
        if len(made) == 1:
            first()  # the others queue meanwhile
        if len(made) <= 2:
            raise OperationalError("away")
        return make(alias)

    monkeypatch.setattr(connections, "create_connection", sometimes)
    came: list[Any] = []

    def ask() -> None:
        try:
            came.append(together.do(just(lambda: "done")))
        except OperationalError as error:
            came.append(str(error))

    threads = [threading.Thread(target=ask, daemon=True) for _ in range(3)]
    threads[0].start()
    assert first.begun.wait(PATIENCE)
    for thread in threads[1:]:
        thread.start()
    until(lambda: len(together._waiting) == 2)
    first.go_on.set()
    for thread in threads:
        thread.join(PATIENCE)
    assert came == ["away"] * 3
