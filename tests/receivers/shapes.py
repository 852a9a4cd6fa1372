"""JSON that a sender's bodies could be bent into, and what must hold of any of it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from copy import deepcopy
from typing import Any

from hypothesis import strategies as st

from checks.registry.reference import is_digest, is_host_name, is_repository, is_tag
from integrations.receivers.base import Incoming, Reading, Receiver, Setup, Verdict

LEAVES = (
    st.none()
    | st.booleans()
    | st.integers(-(10**30), 10**30)
    | st.floats()
    | st.text(max_size=300)
    | st.sampled_from(["a/../b", "A/b", "a b", "u:p@h.example/a", "x" * 300, "sha256:0", "\x1b[0m"])
)
ANY_JSON = st.recursive(
    LEAVES,
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner, max_size=4)
    ),
    max_leaves=12,
)
Path = tuple[str | int, ...]


def paths(value: Any, at: Path = ()) -> list[Path]:
    """Where something can be exchanged or left out."""
    found = [at] if at else []
    members = value.items() if isinstance(value, dict) else ()
    items = enumerate(value) if isinstance(value, list) else ()
    for key, inner in [*members, *items]:
        found += paths(inner, (*at, key))
    return found


@st.composite
def bent(draw: st.DrawFn, body: Any) -> Any:
    """The body with some of its parts exchanged for anything, or left out."""
    result = deepcopy(body)
    for _ in range(draw(st.integers(1, 3))):
        if places := paths(result):
            *way, last = draw(st.sampled_from(places))
            holder = result
            for key in way:
                holder = holder[key]
            if draw(st.booleans()):
                holder[last] = draw(ANY_JSON)
            else:
                del holder[last]
    return result


def call(body: Any, headers: Mapping[str, str] | None = None) -> Incoming:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Incoming(headers or {"content-type": "application/json"}, raw)


def read(receiver: Receiver, body: Any, *, host: str = "") -> Reading:
    return receiver.read(call(body), Setup(host))


def assert_fit_to_keep(reading: Reading) -> None:
    """What it names could be at a registry, and its columns hold it."""
    assert (reading.verdict is Verdict.IMAGES) <= bool(reading.images)
    for image in [*reading.images, *(finding.image for finding in reading.findings)]:
        assert is_host_name(image.registry)
        assert is_repository(image.repository)
        assert not image.tag or is_tag(image.tag)
        assert not image.digest or is_digest(image.digest)
    for finding in reading.findings:
        assert finding.image.tag or finding.image.digest
        assert all(0 <= n < 2**31 for n in (finding.critical, finding.high, finding.other))
        assert len(finding.scanner) <= 100
    assert len(reading.event) <= 60
    assert len(reading.action) <= 60
    assert len(reading.repository) <= 300
    assert len(reading.sender_id) <= 200
    assert 0 < len(reading.dedupe_key) <= 200
