"""Which project an image's address is of, and what its release may be called."""

from __future__ import annotations

import pytest

from checks.releases.places import project_at, tags_of


@pytest.mark.parametrize(
    ("source", "url", "releases"),
    [
        ("https://github.com/acme/api", "https://github.com/acme/api", "/releases"),
        ("https://github.com/acme/api.git", "https://github.com/acme/api", "/releases"),
        ("git+https://github.com/acme/api", "https://github.com/acme/api", "/releases"),
        ("https://www.github.com/acme/api/", "https://github.com/acme/api", "/releases"),
        ("http://github.com/acme/api/tree/main/x", "https://github.com/acme/api", "/releases"),
        ("https://GitHub.com/Acme/API?a=1#b", "https://github.com/Acme/API", "/releases"),
        ("https://ada:pw@github.com/acme/api", "https://github.com/acme/api", "/releases"),
        ("https://gitlab.com/a/b/c", "https://gitlab.com/a/b/c", "/-/releases"),
        ("https://gitlab.com/a/b/-/tree/main", "https://gitlab.com/a/b", "/-/releases"),
        ("https://codeberg.org/a/b", "https://codeberg.org/a/b", "/releases"),
        ("https://gitlab.acme.example/a/b", "https://gitlab.acme.example/a/b", "/-/releases"),
        ("http://gitea.lan:3000/a/b", "http://gitea.lan:3000/a/b", "/releases"),
        ("https://forgejo.acme.example/a/b", "https://forgejo.acme.example/a/b", "/releases"),
    ],
)
def test_it_reads_an_address(source: str, url: str, releases: str) -> None:
    project = project_at(source)
    assert project is not None
    assert (project.url, project.releases_url) == (url, url + releases)


def test_it_knows_no_releases_of_a_host_that_may_be_anything() -> None:
    project = project_at("https://git.acme.example/api")
    assert project is not None
    assert (project.url, project.releases_url) == ("https://git.acme.example/api", "")


@pytest.mark.parametrize(
    "source",
    [
        "",
        "acme/api",
        "javascript:alert(1)//github.com/a/b",
        "data:text/html,<b>",
        "ftp://github.com/a/b",
        "file:///etc/passwd",
        "git@github.com:acme/api",
        "https://",
        "https:///a/b",
        "https://github.com",
        "https://github.com/acme",
        "https://github.com/acme/..",
        "https://github.com/acme/%2e%2e",
        "https://github.com/acme/a%2fb%2fc%00",
        "https://github.com/acme/<script>",
        "https://github.com\\@evil.example/a/b",
        "https://github.com:port/a/b",
        "https://[::1/a/b",
        "https://gitlab.com/-/admin",
        "https://github..com/a/b",
        "https://github.com/a/b" + "c" * 500,
    ],
)
def test_it_takes_nothing_else(source: str) -> None:
    assert project_at(source) is None


def test_it_escapes_what_a_release_is_called() -> None:
    project = project_at("https://github.com/acme/api")
    assert project is not None
    assert project.release_url("a/b?c#d").endswith("/releases/tag/a%2Fb%3Fc%23d")


@pytest.mark.parametrize(
    ("version", "tag", "names"),
    [
        ("", "1.2.3", ["v1.2.3", "1.2.3"]),
        ("", "v1.2.3", ["v1.2.3", "1.2.3"]),
        ("", "1.2.3-alpine3.19", ["v1.2.3", "1.2.3", "1.2.3-alpine3.19"]),
        ("1.27.4", "latest", ["v1.27.4", "1.27.4"]),
        ("1.27.4", "1.27", ["v1.27.4", "1.27.4", "v1.27", "1.27"]),
        ("", "release-2024.1.0", ["v2024.1.0", "2024.1.0", "release-2024.1.0"]),
        ("", "1.3.0-rc.1", ["v1.3.0-rc.1", "1.3.0-rc.1"]),
        ("", "16", ["16"]),
        ("", "latest", []),
        ("../../x", "latest", []),
        ("4f5e6d7", "latest", []),
    ],
)
def test_it_knows_what_a_release_may_be_called(version: str, tag: str, names: list[str]) -> None:
    assert tags_of(version, tag) == names
