"""Bodies that nobody should send, and what may be read of them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from hypothesis import strategies as st

from checks.registry.reference import is_digest, is_host_name, is_repository, is_tag
from integrations.receivers.base import ImageEvent, Reading, Verdict

NO_OBJECT = [
    b"",
    b"{",
    b"[]",
    b'"text"',
    b"null",
    b"17",
    b"\xff\xfe{}",
    b'{"a": "\xff"}',
    b'{"a":' * 10_000 + b"1" + b"}" * 10_000,
    b"[" * 10_000 + b"]" * 10_000,
]
GONE = object()
ODD: tuple[Any, ...] = (
    GONE, None, "", "x", " ", "../../etc", "Aa B", "a\x00b", "ünïcode", "\ud800", "x" * 5000,
    "https://user:pass@registry.example/x", "registry.example/" + "x" * 300,
    0, -1, 1.5, 10**30, float("inf"), True, [], {}, [None], ["x"], {"a": None},
)  # fmt: skip
FEW: tuple[Any, ...] = (GONE, None, "\ud800", 7, ["x"])
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-(10**30), 10**30)
    | st.floats()
    | st.text(max_size=300)
    | st.sampled_from(["a/../b", "A/b", "a b", "u:p@h.example/a", "sha256:0", "\x1b[0m"])
)
ANY_JSON = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner, max_size=4)
    ),
    max_leaves=8,
)


def places(node: Any, before: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The path of every member and item."""
    items = (
        node.items()
        if isinstance(node, dict)
        else enumerate(node)
        if isinstance(node, list)
        else ()
    )
    for name, value in items:
        yield (*before, name)
        yield from places(value, (*before, name))


def changed(node: Any, path: tuple[Any, ...], value: Any) -> Any:
    """A copy with another value at a path, or without it."""
    copy = dict(node) if isinstance(node, dict) else list(node)
    if len(path) > 1:
        copy[path[0]] = changed(copy[path[0]], path[1:], value)
    elif value is GONE:
        del copy[path[0]]
    else:
        copy[path[0]] = value
    return copy


@st.composite
def bent(draw: st.DrawFn, body: Any) -> Any:
    """The body with some of its parts exchanged for anything, or left out."""
    for _change in range(draw(st.integers(1, 4))):
        if known := list(places(body)):
            body = changed(body, draw(st.sampled_from(known)), draw(st.just(GONE) | ANY_JSON))
    return body


def sound(reading: Reading) -> None:
    """Whatever was read can be stored, shown and asked for."""
    parts = reading.parts
    limits = {
        "dedupe_key": 200, "sender_id": 200, "event": 60, "action": 60, "hook_id": 60,
        "repository": 300, "owner": 300,
    }  # fmt: skip
    for name, most in limits.items():
        storable(getattr(reading, name), most)
    assert reading.dedupe_key
    assert len(reading.callback_url) <= 2000
    assert all(storable(part.key, 200) and part.key for part in parts)
    images = [*reading.images, *reading.also, *(part.image for part in parts if part.image)]
    for image in [*images, *(finding.image for finding in reading.findings)]:
        usable(image)
    assert reading.images or reading.verdict is not Verdict.IMAGES
    for finding in reading.findings:
        assert finding.image.tag or finding.image.digest
        assert all(
            type(number) is int and 0 <= number < 2**31
            for number in (finding.critical, finding.high, finding.other)
        )
        storable(finding.scanner, 100)


def storable(text: Any, most: int) -> bool:
    assert isinstance(text, str) and len(text) <= most
    assert "\x00" not in text
    text.encode()
    return True


def usable(image: ImageEvent) -> None:
    assert is_host_name(image.registry) and len(image.registry) <= 255, image
    assert is_repository(image.repository) and len(image.repository) <= 255, image
    assert not image.tag or is_tag(image.tag), image
    assert not image.digest or is_digest(image.digest), image
