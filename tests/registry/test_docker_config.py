from __future__ import annotations

import json
from base64 import b64encode
from pathlib import Path

import pytest

from checks.registry.docker_config import read_config


def encoded(text: str) -> str:
    return b64encode(text.encode()).decode()


def write(folder: Path, **members: object) -> str:
    (folder / "config.json").write_text(json.dumps(members))
    return str(folder)


def test_it_reads_what_docker_login_wrote(tmp_path: Path) -> None:
    auths = {
        "https://index.docker.io/v1/": {"auth": encoded("ada:pass:word")},
        "ghcr.io": {"auth": encoded("grace:hopper\0\0")},
        "registry.example:5000": {"username": "alan", "password": "turing"},
    }
    found = read_config(write(tmp_path, auths=auths)).accounts
    assert found == {
        "docker.io": ("ada", "pass:word"),
        "ghcr.io": ("grace", "hopper"),
        "registry.example:5000": ("alan", "turing"),
    }


def test_it_leaves_out_what_is_no_password(tmp_path: Path) -> None:
    auths = {
        "helped.example": {},
        "nobody.example": {"auth": encoded(":x")},
        "surrogate.example": {"username": "ada", "password": "\ud800"},
        "path.example/team": {"auth": encoded("a:b")},
    }
    assert read_config(write(tmp_path, auths=auths, credsStore="desktop")).accounts == {}


def test_it_prefers_an_identity_token_to_what_stands_beside_it(tmp_path: Path) -> None:
    beside = encoded("00000000-0000-0000-0000-000000000000:")
    auths = {
        "acme.azurecr.io": {"auth": beside, "identitytoken": "long-lived"},
        "token.example": {"auth": encoded("ada:lovelace"), "identitytoken": "another"},
    }
    assert read_config(write(tmp_path, auths=auths)).accounts == {
        "acme.azurecr.io": ("<token>", "long-lived"),
        "token.example": ("<token>", "another"),
    }


def test_it_looks_where_docker_looks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, auths={"ghcr.io": {"auth": encoded("a:b")}})
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    assert read_config().accounts == {"ghcr.io": ("a", "b")}
    monkeypatch.delenv("DOCKER_CONFIG")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert read_config().accounts == {}


def test_it_takes_the_file_itself(tmp_path: Path) -> None:
    write(tmp_path, auths={"ghcr.io": {"auth": encoded("a:b")}})
    assert read_config(str(tmp_path / "config.json")).accounts == {"ghcr.io": ("a", "b")}


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{",
        '{"auths": []}',
        '{"auths": {"x": 1}}',
        '{"auths": {"x": {"auth": "secret!"}}}',
        '{"auths": {"x": {"auth": 7}}}',
        "[" * 100_000,
    ],
)
def test_it_says_that_a_file_cannot_be_read_and_not_what_is_in_it(
    tmp_path: Path, text: str, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "config.json").write_text(text)
    assert read_config(str(tmp_path)).accounts == {}
    assert "cannot be read" in caplog.text
    assert "secret" not in caplog.text


def test_what_is_null_takes_nothing_else_with_it(tmp_path: Path) -> None:
    file = tmp_path / "config.json"
    file.write_text('{"auths": null, "credHelpers": null, "credsStore": "pass"}')
    assert read_config(str(file)).store == "pass"
    file.write_text('{"auths": {"quay.io": null, "ghcr.io": {"username": "u", "password": "p"}}}')
    assert list(read_config(str(file)).accounts) == ["ghcr.io"]
