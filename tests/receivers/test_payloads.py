"""Stored bodies as people read them."""

from __future__ import annotations

import json

import pytest

from dockrev.fields import HIDDEN
from integrations.payloads import LONGEST, MOST, readable


def test_it_sets_json_out_on_lines() -> None:
    assert readable(b'{"a":[1,{"b":"\xc3\xa9"}]}').text == json.dumps(
        {"a": [1, {"b": "é"}]}, indent=2, ensure_ascii=False
    )


@pytest.mark.parametrize("depth", [20, 100, 600])
def test_it_makes_no_page_of_blanks_of_what_is_nested_deep(depth: int) -> None:
    """Each of many lines would begin with as many blanks as it is deep, twice over."""
    many = (MOST - 2 * depth - 100) // 2
    raw = b'{"token":"private","a":%b%b1%b}' % (b"[" * depth, b"1," * many, b"]" * depth)
    shown = readable(raw)
    assert len(shown.text) <= LONGEST
    assert "private" not in shown.text and HIDDEN in shown.text
    assert not shown.cut
