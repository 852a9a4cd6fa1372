"""Who we are to registries, as `docker login` has left it in Docker's `config.json`.

The Docker SDK reads that file too, but to load it costs the web process more memory than it has
for this, and it calls credential helpers without a limit of time.

A helper that fails is no reason not to ask: most images are there for everybody. Its trouble is
told where the registry wants to know who we are.
"""

from __future__ import annotations

import json
import logging
import os
from base64 import b64decode
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from checks.registry.access import IDENTITY_TOKEN
from checks.registry.credential_helpers import Account, HelperFailed, HelperHangs, ask_helper
from checks.registry.reference import DOCKER_HUB, normal_host

logger = logging.getLogger(__name__)

# What follows the host in the keys that old versions of Docker wrote.
_API_PATHS = {"", "v1", "v1/", "v2", "v2/"}


# Docker asks helpers for Docker Hub by this name.
HUB_SERVER = "https://index.docker.io/v1/"


class Login(NamedTuple):
    """Who we are to a registry; `trouble` says why that is not known where it should be."""

    account: Account = Account("", "")
    trouble: str = ""


@dataclass(frozen=True)
class DockerConfig:
    """What the file says by registry host: accounts, and programs that know more of them."""

    accounts: dict[str, Account] = field(default_factory=dict, repr=False)
    helpers: dict[str, str] = field(default_factory=dict)
    store: str = ""


class Logins:
    """Who we are to each registry, for one run: a helper is asked once for each."""

    def __init__(self, config: DockerConfig) -> None:
        self._config = config
        self._known: dict[str, Login] = {}
        self._hanging: dict[str, str] = {}

    def of(self, host: str) -> Login:
        """As Docker does, ask the host's helper, else the store; then look into the file."""
        if host not in self._known:
            self._known[host] = self._login(host)
        return self._known[host]

    def _login(self, host: str) -> Login:
        written = self._config.accounts.get(host, Account("", ""))
        helper = self._config.helpers.get(host, self._config.store)
        if not helper or not host:
            return Login(written)
        if helper in self._hanging:
            return Login(written, self._hanging[helper])
        try:
            server = HUB_SERVER if host == DOCKER_HUB else host
            return Login(ask_helper(helper, server) or written)
        except HelperFailed as error:
            logger.warning("no credentials: %s", error, extra={"host": host})
            if isinstance(error, HelperHangs):
                self._hanging[helper] = str(error)
            return Login(written, str(error))


def read_config(place: str = "") -> DockerConfig:
    """Read the file or folder `place`.

    Without one it is where Docker's own tools look. A file that is not there is an empty one; one
    that cannot be read is, too, and is logged.
    """
    path = config_file(place)
    try:
        written = json.loads(path.read_bytes())
        return DockerConfig(
            dict(_entries(_said(written.get("auths")))),
            dict(_helpers(_said(written.get("credHelpers")))),
            str(written.get("credsStore") or ""),
        )
    except (FileNotFoundError, NotADirectoryError):
        return DockerConfig()
    except (OSError, ValueError, TypeError, AttributeError, RecursionError) as error:
        # The error's text may quote the file: its kind says enough.
        kind = type(error).__name__
        logger.warning("Docker's config file cannot be read", extra={"path": path, "error": kind})
        return DockerConfig()


def config_file(place: str) -> Path:
    """Where the file is, or would be."""
    given = Path(place or os.environ.get("DOCKER_CONFIG", "") or "~/.docker").expanduser()
    return given / "config.json" if given.is_dir() else given


def _said(value: Any) -> Any:
    """What says null says nothing, to Docker as well."""
    return {} if value is None else value


def _entries(auths: dict[str, Any]) -> Iterator[tuple[str, Account]]:
    for key, entry in auths.items():
        host, account = _host(key), _account(_said(entry))
        if account and host:
            yield host, account


def _helpers(named: dict[str, Any]) -> Iterator[tuple[str, str]]:
    for key, helper in named.items():
        if helper and (host := _host(key)):
            yield host, str(helper)


def _host(key: str) -> str:
    """The registry that a key names; empty where it names a part of one."""
    host, _slash, path = key.partition("://")[2 if "://" in key else 0].partition("/")
    return normal_host(host) if path in _API_PATHS else ""


def _account(entry: dict[str, str]) -> Account | None:
    """None where the entry only stands for a credential helper. An identity token goes first."""
    if token := entry.get("identitytoken", ""):
        account = Account(IDENTITY_TOKEN, token.rstrip("\0"))
        return account if account.is_usable else None
    username, password = entry.get("username", ""), entry.get("password", "")
    if encoded := entry.get("auth", ""):
        username, _colon, password = b64decode(encoded).decode().partition(":")
    account = Account(username, password.rstrip("\0"))
    return account if account.is_usable else None
