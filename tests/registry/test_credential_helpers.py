"""Credential helpers as programs on the path."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from pytest_django import Settings

from checks.models import Registry
from checks.registry import credential_helpers
from checks.registry.client import Unauthorized
from checks.registry.docker_config import Logins, read_config
from checks.registry.reference import parse
from checks.remotes import remotes
from tests.servers import TokenRegistry

GOOD = """read server; echo "$server" >> "$0.asked"
echo '{"ServerURL": "x", "Username": "ada", "Secret": "lovelace"}'"""
NOTHING = "echo credentials not found in native keychain; exit 1"

Helper = Callable[..., Path]


@pytest.fixture
def helper(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Helper:
    """Put a helper on the path; the file beside it says what it was asked for."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")

    def write(name: str, script: str = GOOD) -> Path:
        program = folder / f"docker-credential-{name}"
        program.write_text(f"#!/bin/sh\n{script}\n")
        program.chmod(0o755)
        return program.with_name(f"{program.name}.asked")

    return write


def logins(folder: Path, **members: object) -> Logins:
    (folder / "config.json").write_text(json.dumps(members))
    return Logins(read_config(str(folder)))


def test_it_asks_the_helper_of_a_host_and_else_the_store(tmp_path: Path, helper: Helper) -> None:
    of_host, of_all = helper("ours"), helper("all")
    known = logins(tmp_path, credHelpers={"ghcr.io": "ours"}, credsStore="all")
    for host in ("ghcr.io", "docker.io", "registry.example:5000", "ghcr.io"):
        assert known.of(host) == (("ada", "lovelace"), "")
    assert of_host.read_text().split() == ["ghcr.io"]
    assert of_all.read_text().split() == ["https://index.docker.io/v1/", "registry.example:5000"]


def test_it_takes_what_the_file_says_where_a_helper_has_nothing(
    tmp_path: Path, helper: Helper
) -> None:
    helper("empty", NOTHING)
    auths = {"ghcr.io": {"username": "alan", "password": "turing"}}
    known = logins(tmp_path, auths=auths, credsStore="empty")
    assert known.of("ghcr.io") == (("alan", "turing"), "")
    assert known.of("docker.io") == (("", ""), "")


def test_it_takes_an_identity_token_as_such(tmp_path: Path, helper: Helper) -> None:
    helper("azure", """echo '{"Username": "<token>", "Secret": "long-lived"}'""")
    login = logins(tmp_path, credsStore="azure").of("acme.azurecr.io")
    assert login == (("<token>", "long-lived"), "")


@pytest.mark.parametrize(
    ("script", "trouble"),
    [
        ("echo secret; exit 1", "failed"),
        ("echo secret", "gave no user and password"),
        ("""echo '{"Username": "", "Secret": "secret"}'""", "gave no user and password"),
        (r"""echo '{"Username": "ada", "Secret": "secret\ud800"}'""", "gave no user and password"),
        ("""echo '{"Username": 7, "Secret": "secret"}'""", "gave no user and password"),
        ("echo '[\"secret\"]'", "gave no user and password"),
        ("yes secret", "did not answer within"),
        ("sleep 60 & sleep 60", "did not answer within"),
        ("exec >&-; sleep 60", "did not answer within"),
    ],
)
def test_it_says_what_is_wrong_with_a_helper_and_not_what_it_said(
    tmp_path: Path,
    helper: Helper,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    script: str,
    trouble: str,
) -> None:
    monkeypatch.setattr(credential_helpers, "LIMIT", 0.3)
    helper("bad", script)
    login = logins(tmp_path, credsStore="bad").of("ghcr.io")
    assert login.account == ("", "")
    assert f"docker-credential-bad {trouble}" in login.trouble
    assert "secret" not in caplog.text + login.trouble


@pytest.mark.parametrize(
    "name", ["none", "/../bin/docker-credential-ours", "ours;true", "o" * 65, ""]
)
def test_it_calls_nothing_but_a_helper(
    tmp_path: Path, helper: Helper, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = helper("ours")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "docker-credential-").mkdir()
    login = logins(tmp_path, credHelpers={"ghcr.io": name or 7}).of("ghcr.io")
    assert "is not there" in login.trouble
    assert not asked.exists()


def test_it_waits_once_for_a_helper_that_hangs(
    tmp_path: Path, helper: Helper, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(credential_helpers, "LIMIT", 0.3)
    asked = helper("slow", f"{GOOD.splitlines()[0]}\nsleep 60")
    known = logins(tmp_path, credsStore="slow")
    assert known.of("ghcr.io").trouble == known.of("quay.io").trouble != ""
    assert asked.read_text().split() == ["ghcr.io"]


def test_it_keeps_its_own_secrets_from_helpers(
    tmp_path: Path, helper: Helper, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOCKREV_SECRET_KEY", "private")
    monkeypatch.setenv("AWS_PROFILE", "shop")
    asked = helper("nosy", f'env >> "$0.asked"\n{GOOD}')
    logins(tmp_path, credsStore="nosy").of("ghcr.io")
    assert "private" not in asked.read_text()
    assert "AWS_PROFILE=shop" in asked.read_text()


@pytest.mark.django_db
class TestARegistry:
    @pytest.fixture(autouse=True)
    def config(self, tmp_path: Path, settings: Settings, token_registry: TokenRegistry) -> None:
        settings.DOCKER_CONFIG = str(tmp_path)
        logins(tmp_path, credHelpers={token_registry.server.address: "ours"})

    def head(self, address: str) -> str:
        return remotes([address])[address].head(parse(f"{address}/acme/api:1"))

    def test_it_signs_in_as_the_helper_says(
        self, helper: Helper, token_registry: TokenRegistry
    ) -> None:
        helper("ours")
        assert self.head(token_registry.server.address) == token_registry.digest

    def test_it_asks_no_helper_where_a_row_says_who_we_are(
        self, helper: Helper, token_registry: TokenRegistry
    ) -> None:
        asked = helper("ours")
        address = token_registry.server.address
        Registry.objects.create(host=address, username="ada", password="lovelace")
        assert self.head(address) == token_registry.digest
        assert not asked.exists()

    def test_it_names_the_helper_where_it_is_not_let_in(
        self, token_registry: TokenRegistry
    ) -> None:
        with pytest.raises(Unauthorized, match="docker-credential-ours' is not there"):
            self.head(token_registry.server.address)

    def test_it_reads_what_everybody_may_without_the_helper(
        self, token_registry: TokenRegistry
    ) -> None:
        token_registry.user = ""
        assert self.head(token_registry.server.address) == token_registry.digest
