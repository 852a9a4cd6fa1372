"""Real registries that ask who we are, and what may stand in front of one."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.certificates import Authority
from tests.real.fixtures import short_directory
from tests.real.processes import free_port
from tests.real.registry import TIMEOUT, Registry
from tests.real.requirements import require
from tests.real.tokens import TokenServer
from tests.servers import Asked, Reply, Server

USER, PASSWORD = "ada", "lovelace"
# What `htpasswd -B` makes of it. Distribution takes no other kind.
HTPASSWD = "ada:$2y$05$rZjLki2Up3t2qwkv00iZH.LEHJYEDAecHXaI8sxeR/W1q5TStdHoy\n"
# Of a connection, and not of what it carries.
_HOP = {"host", "connection", "content-length", "transfer-encoding", "accept-encoding"}


@dataclass(frozen=True)
class Guarded:
    """A registry that lets nobody in without a proof, and an open one with the same images."""

    registry: Registry
    open: Registry
    authority: Authority
    tokens: TokenServer

    @property
    def address(self) -> str:
        return self.registry.address


@contextmanager
def _running(directory: Path, more: dict[str, Any]) -> Iterator[tuple[Registry, Registry]]:
    store = directory / "blobs"
    pair = (
        Registry(directory, free_port(), more, store=store),
        Registry(directory, free_port(), store=store),
    )
    try:
        for each in pair:
            each.start()
        yield pair
    finally:
        for each in pair:
            each.stop()


@pytest.fixture(scope="module")
def registry_folder() -> Iterator[Path]:
    require("registry")
    directory = short_directory()
    yield directory
    shutil.rmtree(directory, ignore_errors=True)


@pytest.fixture(scope="module")
def private_registry(registry_folder: Path) -> Iterator[Guarded]:
    """Basic authentication, and TLS with a certificate that only our own CA signed."""
    folder, authority = registry_folder, Authority()
    certificate, key = authority.sign_for("127.0.0.1", folder)
    htpasswd = folder / "htpasswd"
    htpasswd.write_text(HTPASSWD)
    more = {
        "auth": {"htpasswd": {"realm": "private", "path": str(htpasswd)}},
        "http": {"tls": {"certificate": str(certificate), "key": str(key)}},
    }
    with _running(folder, more) as (registry, other):
        yield Guarded(registry, other, authority, TokenServer())


@pytest.fixture
def guarded_registry(registry_folder: Path) -> Iterator[Guarded]:
    """Bearer tokens of a server of its own."""
    folder, tokens = registry_folder, TokenServer()
    with tokens.server.running(), _running(folder, tokens.settings(folder)) as (registry, other):
        yield Guarded(registry, other, Authority(), tokens)


@pytest.fixture
def quick_registry(registry_folder: Path) -> Iterator[Registry]:
    """One whose many small files cost little: in memory, where there is such a place."""
    memory = Path("/dev/shm")
    place = memory if os.access(memory, os.W_OK) else None
    with tempfile.TemporaryDirectory(prefix="dockrev-real-", dir=place) as store:
        made = Registry(registry_folder, free_port(), store=Path(store))
        try:
            made.start()
            yield made
        finally:
            made.stop()


class Front:
    """Stands in front of a real registry and passes everything on, unless `instead` answers."""

    def __init__(self, registry: Registry) -> None:
        self.registry = registry
        self.instead: Callable[[Asked], Reply | None] = lambda asked: None
        self.server = Server(self._answer)
        self._session = requests.Session()

    @property
    def address(self) -> str:
        return self.server.address

    @property
    def asked(self) -> list[Asked]:
        return self.server.asked

    def _answer(self, asked: Asked) -> Reply:
        return self.instead(asked) or self.pass_on(asked)

    def pass_on(self, asked: Asked) -> Reply:
        answer = self._session.request(
            asked.method,
            f"http://{self.registry.address}{asked.path}",
            headers={name: text for name, text in asked.headers.items() if name not in _HOP},
            allow_redirects=False,
            timeout=TIMEOUT,
        )
        headers = {name: text for name, text in answer.headers.items() if name.lower() not in _HOP}
        return Reply(answer.status_code, answer.content, headers)


@pytest.fixture
def front(registry: Registry) -> Iterator[Front]:
    made = Front(registry)
    with made.server.running():
        yield made
