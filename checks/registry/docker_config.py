"""The accounts that `docker login` has written into Docker's `config.json`.

The Docker SDK reads that file too, but to load it costs the web process more memory than it has
for this, and it calls credential helpers without a limit of time.
"""

from __future__ import annotations

import json
import logging
import os
from base64 import b64decode
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from checks.registry.reference import normal_host

logger = logging.getLogger(__name__)

# What follows the host in the keys that old versions of Docker wrote.
_API_PATHS = {"", "v1", "v1/", "v2", "v2/"}


class Account(NamedTuple):
    username: str
    password: str


def accounts(place: str = "") -> dict[str, Account]:
    """Return who we are to each registry host, by the file or folder `place`.

    Without one it is where Docker's own tools look. A file that is not there is an empty one; one
    that cannot be read is, too, and is logged.
    """
    path = _config_file(place)
    try:
        auths = json.loads(path.read_bytes())["auths"]
        return dict(_entries(auths))
    except (FileNotFoundError, NotADirectoryError, KeyError):
        return {}
    except (OSError, ValueError, TypeError, AttributeError, RecursionError) as error:
        # The error's text may quote the file: its kind says enough.
        kind = type(error).__name__
        logger.warning("Docker's config file cannot be read", extra={"path": path, "error": kind})
        return {}


def _config_file(place: str) -> Path:
    given = Path(place or os.environ.get("DOCKER_CONFIG", "") or "~/.docker").expanduser()
    return given / "config.json" if given.is_dir() else given


def _entries(auths: dict[str, Any]) -> Iterator[tuple[str, Account]]:
    for key, entry in auths.items():
        host, _slash, path = key.partition("://")[2 if "://" in key else 0].partition("/")
        account = _account(entry)
        if account and path in _API_PATHS:
            yield normal_host(host), account


def _account(entry: dict[str, str]) -> Account | None:
    """None where the entry stands for a credential helper or an identity token."""
    username, password = entry.get("username", ""), entry.get("password", "")
    if encoded := entry.get("auth", ""):
        username, _colon, password = b64decode(encoded).decode().partition(":")
    password = password.rstrip("\0")
    if not username or not password or username == "<token>":
        return None
    return Account(username, password)
