"""Every variable may be given as a file: NAME_FILE."""

from __future__ import annotations

from pathlib import Path

import pytest

from dockrev.environment import (
    BadEnvironment,
    Environment,
    Variables,
    data_directory,
    database,
    docker_certs,
    flag,
    http_address,
    webhook_secret,
)


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> Environment:
    class Fresh(Environment):
        ENVIRON = Variables()

    monkeypatch.delenv("DOCKREV_TRIED", raising=False)
    monkeypatch.setattr("dockrev.environment.env", Fresh())
    return Fresh()


def test_it_reads_a_file_without_its_line_end(
    read: Environment, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    tmp_path.joinpath("secret").write_text(" of two words \r\n")
    monkeypatch.setenv("DOCKREV_TRIED_FILE", str(tmp_path / "secret"))
    assert read.str("DOCKREV_TRIED") == " of two words "


def test_it_prefers_the_file(
    read: Environment, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    tmp_path.joinpath("secret").write_text("from the file\n")
    monkeypatch.setenv("DOCKREV_TRIED_FILE", str(tmp_path / "secret"))
    monkeypatch.setenv("DOCKREV_TRIED", "from the variable")
    assert read.str("DOCKREV_TRIED") == "from the file"


@pytest.mark.parametrize("content", [None, b"\xff\xfe"])
def test_it_says_which_file_cannot_be_read(
    read: Environment, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, content: bytes | None
) -> None:
    if content is not None:
        tmp_path.joinpath("secret").write_bytes(content)
    monkeypatch.setenv("DOCKREV_TRIED_FILE", str(tmp_path / "secret"))
    with pytest.raises(BadEnvironment, match="DOCKREV_TRIED_FILE"):
        read.str("DOCKREV_TRIED")


def test_it_reads_a_variable_as_it_is(read: Environment, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKREV_TRIED", " spaced ")
    assert read.str("DOCKREV_TRIED") == " spaced "
    assert read.str("DOCKREV_NEVER_SET", default="else") == "else"


@pytest.mark.usefixtures("read")
def test_it_takes_a_webhook_secret_from_a_file(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    tmp_path.joinpath("secret").write_text("a secret of the trigger \n")
    monkeypatch.setenv("DOCKREV_WEBHOOK_SECRET_FILE", str(tmp_path / "secret"))
    assert webhook_secret() == "a secret of the trigger"  # no header ends with a space


@pytest.mark.usefixtures("read")
@pytest.mark.parametrize(
    "secret", ["hunter2", "x" * 15, "sixteen and more\nof two lines", "Schlüssel" * 2]
)
def test_it_refuses_a_webhook_secret_that_is_none(
    monkeypatch: pytest.MonkeyPatch, secret: str
) -> None:
    monkeypatch.setenv("DOCKREV_WEBHOOK_SECRET", secret)
    with pytest.raises(BadEnvironment, match="WEBHOOK_SECRET") as caught:
        webhook_secret()
    assert secret not in str(caught.value)


@pytest.mark.parametrize(
    "value", ["$ecret", "$", "$$", r"\$ecret", r"a$b\$c", "$HOME", "$DOCKREV_TRIED"]
)
def test_it_takes_a_dollar_for_what_it_is(
    read: Environment, monkeypatch: pytest.MonkeyPatch, value: str
) -> None:
    monkeypatch.setenv("DOCKREV_TRIED", value)
    assert read.str("DOCKREV_TRIED", default="else") == value
    assert read.list("DOCKREV_TRIED") == [value]


@pytest.mark.usefixtures("read")
@pytest.mark.parametrize("name", ["a#b", "a?b=c", "a%41b", "a b", "a:b@c", "ä"])
def test_the_database_is_in_its_folder(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str
) -> None:
    monkeypatch.delenv("DATABASE_URL", raising=False)
    assert database(tmp_path / name)["NAME"] == str(tmp_path / name / "dockrev.sqlite3")


@pytest.mark.usefixtures("read")
def test_it_refuses_what_is_neither_on_nor_off(monkeypatch: pytest.MonkeyPatch) -> None:
    assert not flag("DOCKREV_TRIED")
    for text, is_on in {"true": True, " Yes ": True, "1": True, "off": False, "": False}.items():
        monkeypatch.setenv("DOCKREV_TRIED", text)
        assert flag("DOCKREV_TRIED") is is_on
    monkeypatch.setenv("DOCKREV_TRIED", "enabled")
    with pytest.raises(BadEnvironment, match="DOCKREV_TRIED"):
        flag("DOCKREV_TRIED")


@pytest.mark.usefixtures("read")
def test_it_takes_an_empty_variable_for_none(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("DOCKREV_DATA_DIR", "")
    monkeypatch.setenv("DOCKREV_HTTP_ADDR", "")
    monkeypatch.setenv("DOCKREV_DOCKER_CERTS", "")
    assert docker_certs() == Path("/etc/docker/certs.d")
    assert data_directory(tmp_path) == (tmp_path / "data").resolve()
    assert http_address() == ("127.0.0.1", 50883)
