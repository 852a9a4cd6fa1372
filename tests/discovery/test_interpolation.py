"""Variables, as Compose's own documentation says."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from checks.discovery.interpolation import BadVariable, interpolate

VARIABLES = {"SET": "value", "EMPTY": "", "TAG": "1.2"}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("nginx", "nginx"),
        ("nginx:$TAG", "nginx:1.2"),
        ("nginx:${TAG}-alpine", "nginx:1.2-alpine"),
        ("$$TAG and $${TAG}", "$TAG and ${TAG}"),
        ("${UNSET}", ""),
        ("${UNSET:-word}", "word"),
        ("${EMPTY:-word}", "word"),
        ("${EMPTY-word}", ""),
        ("${UNSET-word}", "word"),
        ("${SET:-word}", "value"),
        ("${SET:+word}", "word"),
        ("${EMPTY:+word}", ""),
        ("${EMPTY+word}", "word"),
        ("${UNSET+word}", ""),
        ("${SET:?is needed}", "value"),
        ("${EMPTY?is needed}", ""),
        ("${UNSET:-${TAG}-x}", "1.2-x"),
        ("${UNSET:-${ALSO:-a${TAG}b}}", "a1.2b"),
        ("${SET:-${UNSET:?not asked for}}", "value"),
        ("${UNSET:-a:b-c?d+e}", "a:b-c?d+e"),
        ("${UNSET-$$x}", "$x"),
    ],
)
def test_it_replaces(text: str, expected: str) -> None:
    assert interpolate(text, VARIABLES) == expected


@pytest.mark.parametrize("text", ["${UNSET:?say it}", "${UNSET?say it}", "${EMPTY:?say it}"])
def test_it_says_what_must_be_set(text: str) -> None:
    with pytest.raises(BadVariable, match=r"(UNSET|EMPTY) is not set: say it"):
        interpolate(text, VARIABLES)


@pytest.mark.parametrize("text", ["${", "${}", "$", "a$ b", "${1x}", "${A B}", "${A", "${A:x}"])
def test_it_refuses_a_form_that_it_cannot_read(text: str) -> None:
    with pytest.raises(BadVariable, match="cannot be read"):
        interpolate(text, VARIABLES)


def test_it_refuses_to_go_on_for_ever() -> None:
    with pytest.raises(BadVariable):
        interpolate("${A:-" * 5000 + "}" * 5000, {})


@given(st.text(alphabet="${}:-?+AB1 _", max_size=40))
def test_it_ends_with_text_or_a_reason(text: str) -> None:
    try:
        assert isinstance(interpolate(text, {"A": "$B", "B": "}"}), str)
    except BadVariable as error:
        assert str(error)


@pytest.mark.parametrize(
    "text", ["$A" * 2000, "${B:?" + "$A" * 2000 + "}", "${B:-" + "$A" * 2000 + "}"]
)
def test_what_comes_out_has_an_end(text: str) -> None:
    with pytest.raises(BadVariable, match="cannot be read"):
        interpolate(text, {"A": "x" * 1000})
