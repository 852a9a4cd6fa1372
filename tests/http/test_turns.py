"""Bodies that are read in parts, in and outside a turn."""

from __future__ import annotations

from io import BytesIO

import pytest

from dockrev.turns import FIRST, Body, Turns

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
