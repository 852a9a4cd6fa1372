"""Hosts of source where an admin has an account, as upper apps know them.

An app that keeps such accounts registers a source of them in `AppConfig.ready()`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol


@dataclass(frozen=True)
class Account:
    """`host` is as in addresses of projects there, with a port where it has one of its own; `kind`
    is one of `places`. The admin has typed `api_url`."""

    kind: str
    host: str
    api_url: str
    token: str = field(default="", repr=False)


class Source(Protocol):
    def accounts(self) -> list[Account]:
        """One query at most."""

    def tracks(self, host: str, path: str) -> bool:
        """Whether a project is known to be there, because it is tracked. One query at most."""


SOURCES: list[Source] = []


def register(source: Source) -> None:
    SOURCES.append(source)


def known() -> dict[str, Account]:
    """By host. The first account of a host counts."""
    found = [account for source in SOURCES for account in source.accounts()]
    return {account.host: account for account in reversed(found)}


def tracks(host: str, path: str) -> bool:
    return any(source.tracks(host, path) for source in SOURCES)
