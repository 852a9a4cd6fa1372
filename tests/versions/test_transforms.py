"""What of a tag is read as its version, where people say what."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from checks.versions.choice import Dropped, Policy, choose
from checks.versions.patterns import BadPattern
from checks.versions.transforms import MAX_TRANSFORM, transform

BUILD = r"^(\d+\.\d+\.\d+-\d+)-.*$ => \1"


@pytest.mark.parametrize(
    ("text", "tag", "part"),
    [
        (BUILD, "1.0.0-99-7b368146", "1.0.0-99"),
        (BUILD.replace("\\1", "$1"), "1.0.0-99-7b368146", "1.0.0-99"),
        (r"build_(\d+)_(\d+) => \1.\2", "x-build_7_12-y", "7.12"),
        (r"release(-)?(\d+)=>v\2\1", "release7", "v7"),
        (r"^\d => \0.0", "7", "7.0"),
        ("^a$ =>", "a", ""),
        (r"^b(.+) => \1", "a1", None),
    ],
)
def test_it_yields_the_part_that_counts(text: str, tag: str, part: str | None) -> None:
    assert transform(text)(tag) == part


def test_it_chooses_among_what_fits() -> None:
    policy = Policy(comparable=transform(r"^b(\d+)_(\d+)$ => \1.\2"))
    choice = choose("b1_2", ["b1_2", "b1_10", "b2_0", "1.9", "bx"], policy)
    assert choice is not None
    assert choice.newest == {"major": "b2_0", "minor": "b1_10"}
    assert choice.dropped == {Dropped.NO_MATCH: 2}
    assert choose("1.2", ["b1_3"], policy) is None


def test_it_makes_no_version_of_a_signature() -> None:
    policy = Policy(comparable=transform(r"^.*?(\d+)$ => \1"))
    signature = f"sha256-{'0' * 63}9"
    choice = choose("b-1", ["b-2", signature], policy)
    assert choice is not None
    assert choice.newest == {"major": "b-2"}
    assert choice.dropped == {Dropped.SIGNATURE: 1}


@pytest.mark.parametrize(
    ("text", "position"),
    [
        ("", 0),
        ("^v(.*)", 6),
        (" => 1", 0),
        (r"^v(.*) => \2", 10),
        (r"^v(.*) =>  x\q", 12),
        (r"  ^v(.* => \1", 4),
        ("^v(.*) => $", 10),
        ("a" * 257 + " => 1", 256),
        ("a" * MAX_TRANSFORM + " => 1", MAX_TRANSFORM),
    ],
)
def test_it_says_where_it_goes_wrong(text: str, position: int) -> None:
    with pytest.raises(BadPattern) as raised:
        transform(text)
    assert raised.value.position == position


@given(st.text(max_size=40), st.text(max_size=40))
def test_it_reads_anything_or_says_where(pattern: str, replacement: str) -> None:
    text = f"{pattern}=>{replacement}"
    try:
        transform(text)("1.2.3")
    except BadPattern as error:
        assert 0 <= error.position <= len(text)


TRANSFORMS = [transform(text) for text in (BUILD, r"(.*)(.*)(.*) => \1\2\3", r"(a*)*b => \1")]
WORDS = st.text() | st.text("0123456789.-_ab\ud800\0é", min_size=50)


@given(st.sampled_from(TRANSFORMS), WORDS, st.integers(1, 400))
def test_it_takes_any_tag(made: Callable[[str], str | None], text: str, times: int) -> None:
    tag = (text * times)[:10_000]
    part = made(tag)
    policy = Policy(comparable=made)
    assert part is None or re.fullmatch(r"[\w.-]{1,128}", tag, re.ASCII)
    choice = choose("1.0.0-99-a", [tag, tag * 2], policy)
    assert choice is None or sum(choice.dropped.values()) + len(choice.newest) <= 2


def test_it_looks_no_longer_at_a_long_tag_than_at_a_tag() -> None:
    """No more than a tag may have is given to the pattern, which itself takes linear time."""
    evil = transform(r"(a*)*(a*)*(a|aa)+$ => \1")
    assert evil("a" * 127 + "!") is None
    assert evil("a" * 128) is not None
    assert evil("a" * 10_000) is None
