"""How the worker process counts down the time of those who work."""

from __future__ import annotations

from multiprocessing import Value
from types import SimpleNamespace
from typing import Any

import pytest

from dockrev import clusters
from dockrev.clusters import RunningCluster

TIME = 63.0  # seconds that a worker may take for what it has in hand


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(clusters, "time", clock)
    return clock


@pytest.fixture
def spawned(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """All that were ever spawned, busy, in order."""
    spawned: list[Any] = []

    def spawn(cluster: RunningCluster) -> Any:
        busy = SimpleNamespace(
            is_alive=lambda: True, terminate=lambda: None, exitcode=None, timer=Value("f", TIME)
        )
        spawned.append(busy)
        return busy

    monkeypatch.setattr(RunningCluster, "_spawned", spawn)
    return spawned


def test_who_works_too_long_is_replaced(clock: Clock, spawned: list[Any]) -> None:
    cluster = RunningCluster("quick")
    before = len(spawned)
    while clock.now < TIME:
        assert len(spawned) == before
        clock.now += 0.5
        cluster.tend()
    assert len(spawned) == 2 * before


def test_who_began_while_nobody_looked_is_left_at_work(clock: Clock, spawned: list[Any]) -> None:
    """As after minutes in which the database did not answer."""
    cluster = RunningCluster("quick")
    before = len(spawned)
    clock.now += 300
    cluster.tend()
    assert len(spawned) == before
