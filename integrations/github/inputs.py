"""What a person may type for a repository or an owner, read without asking GitHub."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal
from urllib.parse import urlsplit

from django.utils.translation import gettext as _

MAX_INPUT = 500
GITHUB = "github.com"
_OWNER = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,99}")
_REPOSITORY = re.compile(r"[A-Za-z0-9._-]{1,100}")
_SSH = re.compile(r"(?:ssh://)?git@(?P<host>[A-Za-z0-9.-]+)(?::\d+/|[:/])(?P<path>.+)")
# First parts of GitHub's own pages, which are nobody's name.
_PAGES = {"settings", "marketplace", "topics", "explore", "features", "login", "apps", "sponsors"}

Kind = Literal["repo", "owner"]


class BadInput(ValueError):
    """The text names neither a repository nor an owner; the message says why."""


@dataclass(frozen=True)
class Named:
    """An owner, or one repository of theirs."""

    owner: str
    repository: str = ""

    @property
    def kind(self) -> Kind:
        return "repo" if self.repository else "owner"

    @property
    def full_name(self) -> str:
        return f"{self.owner}/{self.repository}" if self.repository else self.owner


def read(text: str, *, api_url: str = "") -> Named:
    """Read `owner/repo`, `owner`, `orgs/owner`, or an address, deeper paths included.

    Addresses may be of github.com, or of the host that `api_url` is of. Raises BadInput.
    """
    text = text.strip()
    if not text or len(text) > MAX_INPUT or not text.isprintable():
        raise BadInput(_("Type a repository as owner/name, or its address."))
    host, path = _split(text)
    if host and host not in _hosts(api_url):
        raise BadInput(_("%(host)s is not the GitHub that is configured.") % {"host": host})
    parts = [part for part in path.split("/") if part]
    if parts[:1] == ["orgs"]:
        parts = parts[1:2] if host or len(parts) == 2 else []
    if not parts or (host and parts[0].lower() in _PAGES) or (not host and len(parts) > 2):
        raise BadInput(_("This names neither a repository nor an owner."))
    return _named(parts)


def _split(text: str) -> tuple[str, str]:
    """Host and path; no host where only the names were typed."""
    if ssh := _SSH.fullmatch(text):
        return ssh["host"].lower(), ssh["path"]
    if "://" not in text:
        first, slash, rest = text.partition("/")
        is_address = slash and "." in first
        return (_bare(first), re.split("[?#]", rest)[0]) if is_address else ("", text)
    try:
        parts = urlsplit(text)
        host = parts.hostname or ""
    except ValueError:
        raise BadInput(_("This is not an address.")) from None
    if parts.scheme not in {"http", "https"} or not host:
        raise BadInput(_("This is not an address."))
    return _bare(host), parts.path


def _bare(host: str) -> str:
    return host.lower().removeprefix("www.")


def _hosts(api_url: str) -> set[str]:
    host = urlsplit(api_url).hostname or ""
    return {GITHUB, host, host.removeprefix("api.")} - {""}


def _named(parts: list[str]) -> Named:
    owner, repository = parts[0], parts[1].removesuffix(".git") if len(parts) > 1 else ""
    if not _OWNER.fullmatch(owner):
        raise BadInput(_("This is not the name of an owner on GitHub."))
    if len(parts) > 1 and (not _REPOSITORY.fullmatch(repository) or repository in {".", ".."}):
        raise BadInput(_("This is not the name of a repository on GitHub."))
    return Named(owner, repository)
