from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from checks.registry.errors import BadAnswer
from checks.registry.manifests import digest_of, read_manifest

HOST = "registry.example"
DIGEST = "sha256:" + "b" * 64
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=12,
)
MEMBERS = st.fixed_dictionaries(
    {},
    optional={
        "schemaVersion": st.just(2) | ANYTHING,
        "manifests": st.lists(
            st.fixed_dictionaries(
                {},
                optional={"digest": st.just(DIGEST) | ANYTHING, "platform": ANYTHING},
            )
        )
        | ANYTHING,
        "config": ANYTHING,
        "layers": ANYTHING,
    },
)


def index(*platforms: object) -> bytes:
    entries = [{"digest": DIGEST, "platform": platform} for platform in platforms]
    return json.dumps({"schemaVersion": 2, "manifests": entries}).encode()


@given(MEMBERS | ANYTHING)
def test_it_reads_any_json_or_says_that_it_cannot(document: object) -> None:
    body = json.dumps(document).encode()
    try:
        manifest = read_manifest(body, "", HOST)
    except BadAnswer as error:
        assert HOST in str(error)
    else:
        assert manifest.digest == digest_of(body)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\xff",
        b"[" * 100_000,
        b"9" * 10_000,
        b'{"schemaVersion": 1, "config": {}}',
        b'{"schemaVersion": 2, "config": {}, "manifests": []}',
        b'{"schemaVersion": 2, "manifests": [{"digest": "md5:1"}]}',
        b'{"schemaVersion": 2, "manifests": ["x"]}',
    ],
)
def test_it_refuses_what_is_no_manifest(body: bytes) -> None:
    with pytest.raises(BadAnswer):
        read_manifest(body, "", HOST)


def test_it_names_platforms_with_their_variants() -> None:
    body = index(
        {"os": "linux", "architecture": "arm", "variant": "v7"},
        {"os": "windows", "architecture": "amd64", "os.version": "10.0"},
    )
    children = read_manifest(body, "", HOST).children or ()
    assert [child.platform for child in children] == ["linux/arm/v7", "windows/amd64"]


@pytest.mark.parametrize(
    "platform",
    [
        None,
        {"os": "unknown", "architecture": "unknown"},
        {"os": "", "architecture": "amd64"},
        {"os": "linux"},
        {"os": "linux", "architecture": 64},
        {"os": "linux", "architecture": "a\x1b[31m"},
    ],
)
def test_it_leaves_out_what_names_no_platform(platform: object) -> None:
    body = index(platform, {"os": "linux", "architecture": "amd64"})
    children = read_manifest(body, "", HOST).children or ()
    assert [child.platform for child in children] == ["linux/amd64"]


def test_it_knows_no_platforms_of_an_index_that_names_none() -> None:
    assert read_manifest(index(None), "", HOST).children is None


def test_it_refuses_an_index_of_more_platforms_than_anybody_builds() -> None:
    many = [{"os": "linux", "architecture": f"a{number}"} for number in range(1001)]
    assert len(read_manifest(index(*many[1:]), "", HOST).children or ()) == 1000
    with pytest.raises(BadAnswer, match="can be read"):
        read_manifest(index(*many), "", HOST)


def test_it_compares_with_a_digest_of_another_kind() -> None:
    body = index(None)
    longer = digest_of(body, "sha512:")
    assert read_manifest(body, longer, HOST).digest == longer
