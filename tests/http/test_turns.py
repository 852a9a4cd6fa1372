"""Who has a turn, and bodies that are read in parts, in and outside one."""

from __future__ import annotations

import threading
from contextlib import ExitStack
from io import BytesIO

import pytest

from dockrev.errors import RateLimited
from dockrev.turns import ASIDE, FIRST, WAITING_EACH, WORKING, Body, Turns

LINES = b"first\n" + b"a" * (FIRST + 5) + b"\nlast"


@pytest.mark.parametrize("length", [len(LINES), None])
@pytest.mark.parametrize("size", [1, 1000, FIRST, FIRST + 1, 10 * FIRST])
def test_it_loses_nothing_of_a_long_body(length: int | None, size: int) -> None:
    turns = Turns()
    body = Body(BytesIO(LINES), turns, "").begun(length)
    with turns.one():
        parts = list(iter(lambda: body.read(size), b""))
    assert b"".join(parts) == LINES
    assert all(len(part) == size for part in parts[:-1])


@pytest.mark.parametrize("length", [len(LINES), None])
def test_it_reads_lines(length: int | None) -> None:
    turns = Turns()
    with turns.one():
        assert list(Body(BytesIO(LINES), turns, "").begun(length)) == LINES.splitlines(True)
        assert Body(BytesIO(LINES), turns, "").begun(length).read() == LINES


def test_it_reads_a_short_body_before_its_turn() -> None:
    body = Body(BytesIO(b"short"), Turns(), "").begun(5)
    assert body.read() == b"short"


def free(turns: Turns) -> int:
    return turns._free.qsize()


def test_it_lets_others_work_while_it_waits_for_another_server() -> None:
    turns = Turns()
    with turns.one():
        assert free(turns) == WORKING - 1
        with turns.aside():
            assert free(turns) == WORKING
            with turns.aside():
                assert free(turns) == WORKING
        assert free(turns) == WORKING - 1
        with pytest.raises(ZeroDivisionError), turns.aside():
            raise ZeroDivisionError
        assert free(turns) == WORKING - 1
    assert free(turns) == WORKING


def test_it_has_no_turn_to_leave_in_a_job_or_a_command() -> None:
    turns = Turns()
    with turns.aside():
        assert free(turns) == WORKING


def test_it_refuses_to_wait_where_too_many_do() -> None:
    turns = Turns()
    waiting, done = threading.Barrier(ASIDE + 1), threading.Event()

    def wait() -> None:
        with turns.one(), turns.aside():
            waiting.wait()
            done.wait()

    threads = [threading.Thread(target=wait, daemon=True) for _ in range(ASIDE)]
    for thread in threads:
        thread.start()
    waiting.wait()
    with turns.one():
        with pytest.raises(RateLimited) as refused, turns.aside():
            pass
        assert free(turns) == WORKING - 1
    done.set()
    for thread in threads:
        thread.join()
    assert refused.value.headers == {"Retry-After": "10"}
    with turns.one(), turns.aside():
        assert free(turns) == WORKING


def test_it_takes_a_neighbourhood_for_one_caller() -> None:
    """Whoever has one IPv6 address has 2^64, and could wait as each of them."""
    turns = Turns()
    with ExitStack() as stack:
        for number in range(WAITING_EACH):
            assert not turns.are_crowded(f"2001:db8::{number + 100:x}")
            stack.enter_context(turns.waiting(f"2001:db8::{number:x}"))
        assert turns.are_crowded("2001:db8::ffff")
        assert not turns.are_crowded("2001:db8:0:1::1")
    assert not turns.are_crowded("2001:db8::ffff")
