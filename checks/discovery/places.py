"""Where a Docker Engine is, and what it takes to get there."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from ipaddress import IPv6Address
from pathlib import PurePosixPath
from urllib.parse import SplitResult, urlsplit

from django.utils.translation import gettext as _

UNIX, TCP, SSH = "unix", "tcp", "ssh"
PLAIN_PORT, TLS_PORT = 2375, 2376
LONGEST_NAME = 253

# Neither begins with a dash, so that no program takes it for an option.
_NAME = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9._-]*[A-Za-z0-9_])?", re.ASCII)
_USER = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,63}", re.ASCII)


class BadPlace(ValueError):
    """The address cannot be one of an engine; the text says why."""


class Unreachable(OSError):
    """The way to an engine could not be taken; the text says why, and how to mend it."""


@dataclass(frozen=True)
class Place:
    """One engine's. Without a `url` it is where Docker's own tools would look.

    `is_typed` says that a person named it, and not the environment. `has_files` says that compose
    files which its containers name are the same files here. `is_encrypted` is of `tcp`:
    `authorities` are trusted for it alone (else those that everybody trusts), `certificate` and
    `key` are ours. Of `ssh` the key is in `key` or in `key_file`, else it is the user's own, and
    `known_hosts` are the lines that stand for the user's own file. `trouble` is why it cannot be
    asked at all.
    """

    url: str = ""
    is_typed: bool = False
    has_files: bool = True
    is_encrypted: bool = False
    authorities: str = ""
    certificate: str = ""
    key: str = field(default="", repr=False)
    key_file: str = ""
    known_hosts: str = ""
    trouble: str = ""

    def __str__(self) -> str:
        return self.url


@dataclass(frozen=True)
class SshTarget:
    user: str
    host: str
    port: int | None


def scheme_of(url: str) -> str:
    return url.partition("://")[0] if "://" in url else ""


def normal(text: str, *, plain: bool) -> str:
    """The address as it is kept, with its port. Raises BadPlace."""
    if not text.isprintable() or any(each.isspace() for each in text):
        raise BadPlace(_("An address has no spaces and no control characters."))
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        raise BadPlace(_("This is no address.")) from None
    if parts.query or parts.fragment:
        raise BadPlace(_("An address ends with the port: no ? and no #."))
    if parts.scheme == UNIX:
        return _unix(text)
    if parts.scheme == TCP:
        return _tcp(parts, port or (PLAIN_PORT if plain else TLS_PORT))
    if parts.scheme == SSH:
        return _ssh(parts, port)
    raise BadPlace(_("Begin with unix://, tcp:// or ssh://, for example ssh://deploy@nas.example."))


def ssh_target(url: str) -> SshTarget:
    """Who and where, of an address that was normal."""
    parts = urlsplit(url)
    return SshTarget(parts.username or "", _host(parts), parts.port)


def _unix(text: str) -> str:
    path = text.removeprefix("unix://")
    if not path.startswith("/") or ".." in PurePosixPath(path).parts:
        raise BadPlace(_("Name the socket by its whole path: unix:///var/run/docker.sock."))
    return f"unix://{path}"


def _tcp(parts: SplitResult, port: int) -> str:
    if "@" in parts.netloc or parts.path not in ("", "/"):
        raise BadPlace(_("Name host and port alone: tcp://docker.example:2376."))
    return f"tcp://{_bracketed(_host(parts))}:{port}"


def _ssh(parts: SplitResult, port: int | None) -> str:
    if parts.password is not None:
        raise BadPlace(_("A password cannot be used here. Enter a key instead."))
    if parts.path not in ("", "/"):
        raise BadPlace(_("Name user, host and port alone: ssh://deploy@nas.example:22."))
    user = parts.username
    if user is not None and not _USER.fullmatch(user):
        raise BadPlace(_("This is no name of a user."))
    before, after = (f"{user}@" if user else ""), (f":{port}" if port else "")
    return f"ssh://{before}{_bracketed(_host(parts))}{after}"


def _host(parts: SplitResult) -> str:
    name = parts.hostname or ""
    if ":" in name:
        try:
            return str(IPv6Address(name))
        except ValueError:
            raise BadPlace(_("This is no name of a host.")) from None
    if len(name) > LONGEST_NAME or not _NAME.fullmatch(name):
        raise BadPlace(_("This is no name of a host."))
    return name


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host
