from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from checks.registry.reference import (
    BadReference,
    Reference,
    is_digest,
    is_host_name,
    is_repository,
    is_tag,
    normal_host,
    parse,
)

HEX = "0123456789abcdef"
DIGEST = f"sha256:{HEX * 4}"
WORDS = st.from_regex(r"[a-z0-9]{1,8}(?:(?:\.|_|__|-{1,3})[a-z0-9]{1,8}){0,2}", fullmatch=True)
REPOSITORIES = st.lists(WORDS, min_size=2, max_size=4).map("/".join)
HOSTS = st.from_regex(r"[a-z0-9]{1,9}\.[a-z]{2,5}(?::[1-9][0-9]{0,3})?", fullmatch=True)
TAGS = st.from_regex(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,20}", fullmatch=True)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("nginx", ("docker.io", "library/nginx", "latest", "")),
        ("nginx:1.27", ("docker.io", "library/nginx", "1.27", "")),
        ("acme/api", ("docker.io", "acme/api", "latest", "")),
        ("docker.io/nginx", ("docker.io", "library/nginx", "latest", "")),
        ("index.docker.io/acme/api:1", ("docker.io", "acme/api", "1", "")),
        ("registry-1.docker.io/library/nginx", ("docker.io", "library/nginx", "latest", "")),
        ("localhost/api", ("localhost", "api", "latest", "")),
        ("localhost:5000/acme/api:1", ("localhost:5000", "acme/api", "1", "")),
        ("GHCR.io/acme/api", ("ghcr.io", "acme/api", "latest", "")),
        ("[::1]:5000/api", ("[::1]:5000", "api", "latest", "")),
        (f"nginx@{DIGEST}", ("docker.io", "library/nginx", "", DIGEST)),
        (f"nginx:1@{DIGEST}", ("docker.io", "library/nginx", "1", DIGEST)),
        ("a/b/c/d__e-f.g:x", ("docker.io", "a/b/c/d__e-f.g", "x", "")),
    ],
)
def test_it_reads_what_docker_reads(text: str, expected: tuple[str, str, str, str]) -> None:
    assert parse(text) == Reference(*expected)


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "nginx:",
        "nginx@",
        ":1",
        "/nginx",
        "nginx/",
        "acme//api",
        "Acme",
        "acme/API",
        "nginx:a b",
        "nginx:.1",
        f"nginx:{'x' * 129}",
        "nginx@sha256:abc",
        "nginx@md5:" + "a" * 32,
        f"nginx@{DIGEST}@{DIGEST}",
        f"nginx@{DIGEST.upper()}",
        "https://ghcr.io/acme/api",
        "ghcr.io/" + "a" * 256,
        "a" * 2000,
        "acme/api\n",
        "acme/../api",
        "acme/größe",
        "host.example:port/acme",
        "host.example:65536/acme",
        "host.example:0/acme",
        "[:::]/acme",
        "[127.0.0.1]:5000/acme",
        "-host.example/acme",
        "acme/\0",
    ],
)
def test_it_refuses_what_docker_refuses(text: str) -> None:
    with pytest.raises(BadReference):
        parse(text)


@given(st.text())
def test_it_reads_or_refuses_any_text(text: str) -> None:
    try:
        reference = parse(text)
    except BadReference:
        return
    assert is_repository(reference.repository)
    assert is_host_name(reference.registry)
    assert parse(str(reference)) == reference


@given(HOSTS, REPOSITORIES, TAGS | st.just(""), st.sampled_from(["", DIGEST]))
def test_it_reads_again_what_it_wrote(host: str, repository: str, tag: str, digest: str) -> None:
    if not tag and not digest:
        tag = "latest"
    reference = Reference(normal_host(host), repository, tag, digest)
    assert parse(str(reference)) == reference
    assert reference.target == tag or is_digest(reference.target)
    assert not tag or is_tag(tag)
