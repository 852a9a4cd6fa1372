"""Patterns and ranges that people type, and which tags they hide."""

from __future__ import annotations

import re
import resource
from typing import Any

import pytest
import re2
from hypothesis import given
from hypothesis import strategies as st

from checks.versions.ignores import Ignores, Rule, read_rule
from checks.versions.patterns import BadPattern

DIGEST = "sha256:" + "a" * 64


@pytest.mark.parametrize(
    ("kind", "value", "hit", "miss"),
    [
        ("exact", "1.2.0", ["1.2.0"], ["1.2.0-alpine", "1.2"]),
        ("prefix", "1.2", ["1.2.0", "1.20"], ["v1.2"]),
        ("regex", "rc[0-9]+$", ["1.2-rc1"], ["1.2-rc1-slim"]),
        ("digest", DIGEST, [DIGEST], ["sha256:" + "b" * 64]),
        ("semver", ">=1.2 <2", ["1.2", "v1.9.9-alpine", "1.2.0"], ["1.1.9", "2.0.0", "latest"]),
        ("semver", "1.2", ["1.2", "1.2.7", "1.2.7.1"], ["1.3.0", "1.1"]),
        ("semver", ">1.2, <=2.0", ["1.3", "2.0.9"], ["1.2.9", "2.1"]),
        ("semver", "^0.3.1", ["0.3.1", "0.3.9"], ["0.3.0", "0.4.0"]),
        ("semver", "^1.4", ["1.4.0", "1.9"], ["1.3.9", "2.0"]),
        ("semver", "~1.4.2", ["1.4.2", "1.4.9"], ["1.4.1", "1.5.0"]),
        ("semver", "1.x || 3 - 4", ["1.9", "3.0", "4.9.9"], ["2.0", "5.0"]),
        ("semver", "*", ["1.0", "7"], ["latest"]),
    ],
)
def test_it_hides_what_matches(kind: str, value: str, hit: list[str], miss: list[str]) -> None:
    test = read_rule(kind, value)
    assert [tag for tag in hit + miss if test(tag)] == hit


@pytest.mark.parametrize(
    ("kind", "value", "position"),
    [
        ("regex", "[a", 0),
        ("regex", "1.2(a", 3),
        ("regex", "(a)b)", 4),
        ("regex", "a|*b", 2),
        ("regex", "a(?=b)", 1),
        ("regex", "(?:(?:a{1000}){1000}){1000}", 0),
        ("regex", "a" * 300, 256),
        ("semver", ">=1.2 <", 6),
        ("semver", "1.2-alpine", 0),
        ("semver", "1 || ", 5),
        ("semver", "", 0),
        ("semver", "1.9999999999", 0),
        ("digest", "sha256:abc", 0),
        ("exact", "1.2 beta", 3),
        ("prefix", "-1", 0),
    ],
)
def test_it_says_where_a_rule_goes_wrong(kind: str, value: str, position: int) -> None:
    with pytest.raises(BadPattern) as raised:
        read_rule(kind, value)
    assert raised.value.position == position


@given(st.sampled_from(["regex", "semver", "exact", "prefix", "digest"]), st.text(max_size=256))
def test_it_reads_anything_or_says_where(kind: str, value: str) -> None:
    try:
        read_rule(kind, value)("1.2.3-alpine")
    except BadPattern as error:
        assert 0 <= error.position <= len(value)


def test_it_takes_no_longer_for_an_evil_pattern() -> None:
    """A backtracking engine would not come back from this one."""
    assert not read_rule("regex", "^(a+)+$")("a" * 127 + "!")


def test_it_names_the_rule_that_hides_an_image() -> None:
    ignores = Ignores([Rule("a", "digest", DIGEST), Rule("b", "prefix", "1.")])
    assert ignores.image("2.0", DIGEST, rebuilt=True) == "a"
    assert ignores.image("1.0", "", rebuilt=False) == "b"


def test_it_hides_no_rebuilt_version_by_its_name() -> None:
    ignores = Ignores([Rule("a", "exact", "1.2.0"), Rule("b", "exact", "latest")])
    assert ignores.image("1.2.0", DIGEST, rebuilt=True) == ""
    assert ignores.image("latest", DIGEST, rebuilt=True) == "b"


def test_it_knows_the_rules_for_all_beyond_those_for_one() -> None:
    everything = Ignores([Rule("a", "digest", DIGEST), Rule("b", "exact", "1.0")])
    ours = Ignores([Rule("c", "prefix", "2.")], everything)
    assert [ours.tag(tag) for tag in ("1.0", "2.1", "3")] == ["b", "c", ""]
    assert ours.image("3", DIGEST, rebuilt=True) == "a"
    assert Ignores((), Ignores([Rule("a", "digest", DIGEST)])).test is None
    assert (test := Ignores((), everything).test) is not None
    assert test("1.0")


def test_it_hides_nothing_by_a_rule_that_cannot_be_read() -> None:
    assert Ignores([Rule("a", "regex", "(")]).tag("(") == ""


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (r"\pL{30}[a-z]{60}x.*y.*z", "This pattern is too large from character"),
        (r"\pL{99}\pN{99}", "This pattern is too large from character"),
        ("a\ud800", "There is a character here that no text has."),
        ("1.2(", "This pattern cannot be read from character 4 on: ("),
    ],
)
def test_it_says_what_is_wrong_with_a_pattern(value: str, words: str) -> None:
    with pytest.raises(BadPattern, match=re.escape(words)) as raised:
        read_rule("regex", value)
    assert 0 < raised.value.position < len(value)


def test_it_looks_once_for_where_a_pattern_goes_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    """It takes up to a second, and a compose label is read wherever its service is shown."""
    tried: list[str] = []
    real = re2.compile

    def compile_and_count(text: str, **options: Any) -> Any:
        tried.append(text)
        return real(text, **options)

    monkeypatch.setattr(re2, "compile", compile_and_count)
    for _again in range(10):
        with pytest.raises(BadPattern):
            read_rule("regex", r"\pL" * 60 + "(")
    assert tried.count(r"\pL" * 60) == 1


@pytest.mark.parametrize(
    "value",
    [
        r"^v?(\d+)\.(\d+)\.(\d+)-(alpine|slim|bookworm)(\d+\.\d+)?$",
        r"(?i)-(alpha|beta|rc|dev|nightly|snapshot|preview)[.-]?\d*$",
        "^[A-Za-z0-9_][A-Za-z0-9._-]{0,127}$",
        "|".join(f"^1\\.{number}\\." for number in range(24)),
        "a" * 256,
    ],
)
def test_it_has_room_for_ordinary_patterns(value: str) -> None:
    read_rule("regex", value)("1.2.3")


def test_it_bounds_what_a_thousand_of_the_worst_patterns_take() -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    rules = [
        Rule(str(n), "regex", f"(?:[a-z]{{{n % 99 + 1}}}|.*x{n}.*y.*z){{9}}") for n in range(999)
    ]
    ignores = Ignores(rules)
    for length in range(1, 128, 8):
        ignores.tag("y" * length)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 200_000  # KiB
