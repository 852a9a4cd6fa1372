"""Starting: what a first start makes, what a second keeps, and what a start refuses."""

from __future__ import annotations

import http.cookiejar
import re
import socket
import stat
import subprocess
import threading
import urllib.parse
import urllib.request
from contextlib import closing
from pathlib import Path

import pytest

from tests.processes.instance import Instance
from tests.real.processes import free_port
from tests.waiting import PATIENCE, until


def sign_in(instance: Instance, name: str, password: str) -> bool:
    """Fill in the sign-in form, as a browser would."""
    jar = http.cookiejar.CookieJar()
    browser = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(jar))
    form = browser.open(instance.url("/sign-in"), timeout=PATIENCE).read().decode()
    token = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', form)
    assert token is not None
    fields = {"username": name, "password": password, "csrfmiddlewaretoken": token[1]}
    browser.open(
        instance.url("/sign-in"), urllib.parse.urlencode(fields).encode(), timeout=PATIENCE
    ).read()
    return any(cookie.name == "sessionid" for cookie in jar)


def end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    assert process.wait(PATIENCE) == 0


def test_it_makes_an_admin_once_and_keeps_everything(instance: Instance) -> None:
    process = instance.run()
    shown = re.search(r"Sign in as admin with the password (\S+)\.", instance.said())
    assert shown is not None
    assert sign_in(instance, "admin", shown[1])
    collected = Path(instance.environment["DOCKREV_STATIC_ROOT"]) / ".collected-from"
    first = collected.stat().st_mtime_ns
    end(process)

    instance.output.unlink()
    process = instance.run()
    assert "password" not in instance.said()
    assert collected.stat().st_mtime_ns == first
    assert instance.url("/") in instance.said()
    assert sign_in(instance, "admin", shown[1])
    end(process)


def test_it_takes_the_admin_from_the_environment(instance: Instance) -> None:
    process = instance.run(DOCKREV_ADMIN_USERNAME="root", DOCKREV_ADMIN_PASSWORD="chosen words")
    assert "chosen words" not in instance.said() + instance.complained()
    assert sign_in(instance, "root", "chosen words")
    assert instance.rows(
        "SELECT is_staff, is_superuser, auth_group.name FROM auth_user"
        " JOIN auth_user_groups ON user_id = auth_user.id"
        " JOIN auth_group ON group_id = auth_group.id"
    ) == [(1, 1, "admin")]
    end(process)


def test_it_keeps_its_keys_to_itself(instance: Instance) -> None:
    assert instance.command("check").returncode == 0
    for name in ("encryption.key", "secret.key"):
        assert stat.S_IMODE((instance.data / name).stat().st_mode) == 0o600
    assert stat.S_IMODE(instance.data.stat().st_mode) == 0o700


def test_it_waits_for_a_port_that_becomes_free(instance: Instance) -> None:
    with closing(socket.socket()) as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        other.bind(("127.0.0.1", instance.port))
        other.listen()
        process = instance.start("run")
        leaves = threading.Timer(2, other.close)
        leaves.start()
        until(instance.serves)
        leaves.join()
    end(process)


def refused(given: subprocess.CompletedProcess[str]) -> str:
    """The one line that a failed start says."""
    assert given.returncode not in (0, None)
    lines = given.stderr.splitlines()
    assert len(lines) == 1, given.stderr
    assert lines[0].startswith("dockrev: ")
    return lines[0]


def test_it_refuses_a_port_in_use(instance: Instance) -> None:
    with closing(socket.socket()) as other:
        other.bind(("127.0.0.1", instance.port))
        other.listen()
        line = refused(instance.command("run"))
    assert f"127.0.0.1:{instance.port}" in line
    assert "DOCKREV_HTTP_ADDR" in line


def test_it_refuses_a_data_directory_that_cannot_be(instance: Instance, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no directory")
    line = refused(instance.command("run", DOCKREV_DATA_DIR=str(tmp_path / "file" / "data")))
    assert "DOCKREV_DATA_DIR" in line


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("DOCKREV_ENCRYPTION_KEYS", "not-a-key"),
        ("DOCKREV_HTTP_ADDR", "somewhere"),
        ("DOCKREV_HTTP_ADDR", "127.0.0.1:99999"),
        ("DOCKREV_TIME_ZONE", "Europe/Nowhere"),
        ("DOCKREV_PUBLIC_URL", "dockrev.example.org"),
        ("DOCKREV_TRUSTED_PROXIES", "127.0.0.1"),  # of no address that it serves
        ("DOCKREV_PUBLIC_TARGETS_ONLY", "enabled"),
        ("DOCKREV_LOG_FORMAT", "xml"),
        ("DATABASE_URL", "mongodb://127.0.0.1/dockrev"),
        ("DATABASE_URL", "postgres://dockrev@127.0.0.1:port/dockrev"),
    ],
)
def test_it_refuses_a_variable_that_it_cannot_read(
    instance: Instance, variable: str, value: str
) -> None:
    assert variable in refused(instance.command("run", **{variable: value}))


def test_it_refuses_a_database_server_that_does_not_answer(instance: Instance) -> None:
    url = f"postgres://dockrev:pass-word@127.0.0.1:{free_port()}/dockrev"
    line = refused(instance.command("run", DATABASE_URL=url))
    assert "DATABASE_URL" in line
    assert "pass-word" not in line


def test_it_refuses_a_file_that_is_no_database(instance: Instance) -> None:
    instance.data.mkdir()
    (instance.data / "dockrev.sqlite3").write_bytes(b"a letter to my grandmother " * 50)
    assert "dockrev.sqlite3" in refused(instance.command("run"))


def test_it_refuses_another_key_and_a_newer_database(instance: Instance) -> None:
    process = instance.run()
    end(process)

    key = instance.data / "encryption.key"
    right = key.read_text()
    key.unlink()
    assert "encryption.key" in refused(instance.command("run"))
    assert "encryption.key" in refused(instance.command("run", "--only", "worker"))
    key.write_text(right)

    instance.rows(
        "INSERT INTO django_migrations (app, name, applied)"
        " VALUES ('checks', '9999_later', '2030-01-01 00:00:00')"
    )
    assert "checks.9999_later" in refused(instance.command("run"))


def test_it_lets_a_worker_wait_for_the_server_that_migrates(instance: Instance) -> None:
    worker = instance.start("run", "--only", "worker")
    until(lambda: "Waiting" in instance.said())
    assert not instance.workers()

    server = instance.start("run", "--only", "server")
    until(instance.serves)
    until(instance.workers)
    assert instance.serves("/api/health?require=worker") or until(
        lambda: instance.serves("/api/health?require=worker")
    )
    end(server)
    end(worker)
