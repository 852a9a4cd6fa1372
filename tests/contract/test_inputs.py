"""What a person may type for a repository or an owner."""

from __future__ import annotations

import pytest

from integrations.github.inputs import BadInput, read

GHE = "https://ghe.example/api/v3"


@pytest.mark.parametrize(
    "text",
    [
        "acme/api",
        " acme/api ",
        "acme/api.git",
        "acme/api/",
        "https://github.com/acme/api",
        "http://www.github.com/acme/api",
        "https://github.com/acme/api.git",
        "https://github.com/acme/api/tree/main/deep?tab=readme#top",
        "https://GitHub.com/acme/api/pkgs/container/api",
        "github.com/acme/api",
        "git@github.com:acme/api.git",
        "ssh://git@github.com/acme/api.git",
        "https://ghe.example/acme/api",
    ],
)
def test_it_reads_a_repository(text: str) -> None:
    named = read(text, api_url=GHE)
    assert (named.kind, named.full_name) == ("repo", "acme/api")


@pytest.mark.parametrize(
    "text",
    [
        "acme",
        "https://github.com/acme",
        "https://github.com/acme/",
        "https://github.com/orgs/acme",
        "https://github.com/orgs/acme/repositories",
        "github.com/orgs/acme/packages",
        "orgs/acme",
        "git@github.com:acme",
    ],
)
def test_it_reads_an_owner(text: str) -> None:
    named = read(text)
    assert (named.kind, named.full_name) == ("owner", "acme")


@pytest.mark.parametrize("name", ["dot.ted/a", "a/..", "a/.", "a b/c", "-a/b", "a/b c", "a/ü"])
def test_it_refuses_a_name_that_github_has_not(name: str) -> None:
    with pytest.raises(BadInput):
        read(name)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "/",
        "//",
        "https://github.com",
        "https://github.com/",
        "https://github.com/orgs",
        "orgs",
        "orgs/acme/api",
        "https://github.com/settings/tokens",
        "https://ghe.example/acme/api",
        "https://gitlab.com/acme/api",
        "git@gitlab.com:acme/api.git",
        "ftp://github.com/acme/api",
        "https://[::1",
        "https://github.com@evil.example/acme/api",
        "javascript://github.com/acme/api",
        "acme/api/tree",
        "acme/api\x00",
        "acme/api\nother/one",
        "a" * 501,
    ],
)
def test_it_refuses_what_names_neither(text: str) -> None:
    with pytest.raises(BadInput) as caught:
        read(text)
    assert str(caught.value)
