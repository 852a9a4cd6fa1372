"""A folder for DOCKER_CONFIG that a program of Docker's is given for one run, and no longer."""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.conf import settings

from checks.models import Registry
from checks.registry.access import Access
from checks.registry.docker_config import HUB_SERVER, Logins, config_file, read_config
from checks.registry.reference import DOCKER_HUB
from checks.remotes import access_of
from dockrev.private_folders import private_folder, write_private

PREFIX = "dockrev-login-"
LINKED = ("cli-plugins", "contexts")
# What of the operator's file matters to Compose besides who we are.
KEPT = ("HttpHeaders", "cliPluginsExtraDirs", "proxies")


@dataclass(frozen=True)
class PrivateConfig:
    """`secrets` are what must not be seen in what a program prints."""

    folder: Path
    secrets: frozenset[str]


@contextmanager
def private_config(hosts: Iterable[str]) -> Iterator[PrivateConfig]:
    """Who we are to these registries, in a folder that only we may read; removed in the end.

    Credential helpers are asked beforehand, with a limit of time, so the program needs none.
    Raises UnreadableSecret.
    """
    accesses = known(hosts)
    with private_folder(PREFIX) as folder:
        operators = config_file(settings.DOCKER_CONFIG)
        for name in LINKED:
            if (operators.parent / name).is_dir():
                (folder / name).symlink_to((operators.parent / name).resolve())
        auths = {_server(each.host): _entry(each) for each in accesses if each.is_named}
        write_private(folder / "config.json", json.dumps({**_kept(operators), "auths": auths}))
        yield PrivateConfig(folder, frozenset(_secrets(accesses)))


def known(hosts: Iterable[str]) -> list[Access]:
    """How the registries are reached, and as whom. Raises UnreadableSecret."""
    wanted = sorted(set(hosts))
    rows = {row.host: row for row in Registry.objects.filter(host__in=wanted)}
    logins = Logins(read_config(settings.DOCKER_CONFIG))
    return [access_of(host, rows.get(host), logins) for host in wanted]


def _server(host: str) -> str:
    return HUB_SERVER if host == DOCKER_HUB else host


def _entry(access: Access) -> dict[str, str]:
    if access.refresh_token:
        return {"identitytoken": access.refresh_token}
    return {"auth": _basic(access)}


def _basic(access: Access) -> str:
    return b64encode(f"{access.username}:{access.password}".encode()).decode()


def _secrets(accesses: list[Access]) -> Iterator[str]:
    for each in accesses:
        if each.is_named:
            yield from (each.password, _basic(each))


def _kept(operators: Path) -> dict[str, Any]:
    try:
        written = json.loads(operators.read_bytes())
    except (OSError, ValueError, RecursionError):
        return {}
    return {name: written[name] for name in KEPT if name in written}
