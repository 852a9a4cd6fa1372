"""How many requests are under way at once."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from threading import Barrier, BrokenBarrierError, Event, Thread

import pytest

from checks.registry.lanes import (
    AT_DOCKER_HUB,
    PER_HOST,
    THREADS,
    Bridge,
    Lanes,
    at_once,
    threads_for,
)
from tests.waiting import PATIENCE


@pytest.fixture
def lanes() -> Iterator[Callable[[int], Lanes]]:
    """Lanes that are closed when the test is over."""
    with ExitStack() as stack:

        def make(count: int) -> Lanes:
            made = Lanes(count)
            stack.callback(made.close)
            return made

        yield make


class TestLanes:
    def test_they_do_things_at_once(self, lanes: Callable[[int], Lanes]) -> None:
        meeting = Barrier(3, timeout=PATIENCE)
        assert sorted(lanes(2).together([meeting.wait] * 3)) == [0, 1, 2]

    def test_results_come_in_order(self, lanes: Callable[[int], Lanes]) -> None:
        assert lanes(3).together([lambda n=n: n for n in range(20)]) == list(range(20))  # type: ignore[misc]  # mypy does not see n

    def test_nobody_waits_for_a_lane_that_is_not_coming(
        self, lanes: Callable[[int], Lanes]
    ) -> None:
        only = lanes(1)
        nested = only.start(only.together, [lambda: only.together([lambda: 1] * 3)] * 3)
        assert nested.result(PATIENCE) == [[1, 1, 1]] * 3

    def test_what_is_under_way_ends_after_they_are_closed(
        self, lanes: Callable[[int], Lanes]
    ) -> None:
        """As where somebody cancels a check: nothing is wrong with the service that it was at."""
        closed = lanes(2)
        closed.close()
        assert closed.together([lambda: 1, lambda: 2]) == [1, 2]

    def test_the_first_trouble_is_raised_and_the_rest_done(
        self, lanes: Callable[[int], Lanes]
    ) -> None:
        done: list[int] = []

        def fail() -> None:
            raise ValueError("first")

        only = lanes(1)
        with pytest.raises(ValueError, match="first"):
            only.together([fail, lambda: done.append(1)])
        only.start(lambda: None).result(PATIENCE)
        assert done == [1]

    def test_what_nobody_began_is_left_when_they_close(self, lanes: Callable[[int], Lanes]) -> None:
        only, go_on, begun = lanes(1), Event(), Event()

        def wait() -> bool:
            begun.set()
            return go_on.wait(PATIENCE)

        first, second = only.start(wait), only.start(wait)
        assert begun.wait(PATIENCE)
        only.close()
        go_on.set()
        assert first.result(PATIENCE)
        assert second.cancelled()


class TestBridge:
    def test_it_lets_so_many_on_their_way(self) -> None:
        bridge, two, meeting = Bridge(2, patience=PATIENCE), Event(), Barrier(3, timeout=0.2)

        def cross() -> None:
            with bridge.crossing():
                try:
                    meeting.wait()
                except BrokenBarrierError:
                    two.set()

        threads = [Thread(target=cross) for _ in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(PATIENCE)
        assert two.is_set()  # three never met

    def test_one_that_gets_no_answer_is_not_waited_for(self) -> None:
        bridge = Bridge(1, patience=0.05)
        with bridge.crossing(), bridge.crossing(), bridge.crossing():
            pass
        with bridge.crossing():
            pass


def test_docker_hub_is_asked_by_fewer() -> None:
    assert at_once("docker.io") == AT_DOCKER_HUB < at_once("ghcr.io") == PER_HOST


def test_many_registries_share_the_threads() -> None:
    assert at_once("ghcr.io", 64) == THREADS // 64
    assert at_once("ghcr.io", 10_000) == 1


def test_threads_keep_lanes_busy_as_far_as_there_are_some_to_share() -> None:
    assert [threads_for(32, hosts) for hosts in (1, 4, 6, 8, 64)] == [64, 64, 42, 32, 32]
    assert threads_for(at_once("ghcr.io", 10_000), 10_000) == 1


def test_a_registry_that_wanted_a_rest_is_asked_by_fewer() -> None:
    assert [at_once("ghcr.io", rests=rests) for rests in (1, 2, 99)] == [16, 8, 1]


def test_it_lets_no_more_across_than_it_is_told_to_keep_to() -> None:
    bridge = Bridge(9, patience=0)
    bridge.keep_to(1)
    crossed = Event()

    def cross() -> None:
        with bridge.crossing():
            crossed.set()

    with bridge.crossing():
        other = Thread(target=cross)
        other.start()
        assert not crossed.wait(0.1)
    other.join()
    assert crossed.is_set()
