"""Where an image is made, by the address that it names: its project's pages, and whose they are.

The address is a stranger's word. Only what is a plain web address comes out again.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import quote, urlsplit

from checks.versions.shapes import read

GITHUB, GITLAB, GITEA = "github", "gitlab", "gitea"
MAX_LENGTH = 500
MAX_TAGS = 4

_KNOWN = {"github.com": GITHUB, "gitlab.com": GITLAB, "codeberg.org": GITEA}
# What people call a server of their own.
_CALLED = {"gitlab": GITLAB, "gitea": GITEA, "forgejo": GITEA}
_HOST = re.compile(r"[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?")
_PART = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,99}")
_NUMBERS = re.compile(r"\d+(?:\.\d+)+(?:[-.]?(?:alpha|beta|rc|pre|preview)[-.]?\d*)?")


@dataclass(frozen=True)
class Project:
    """A repository of source. `kind` says how its host is asked, empty where nobody knows.

    `host` has its port, if the address names one.
    """

    kind: str
    scheme: str
    host: str
    path: str

    @property
    def url(self) -> str:
        return f"{self.scheme}://{self.host}/{quote(self.path)}"

    @property
    def place(self) -> str:
        return f"{self.host}/{self.path}"

    @property
    def releases_url(self) -> str:
        """The page that lists its releases; empty where nobody knows which that is."""
        below = {GITHUB: "/releases", GITLAB: "/-/releases", GITEA: "/releases"}
        return self.url + below[self.kind] if self.kind else ""

    def release_url(self, tag: str) -> str:
        """The page of one release, of a host whose kind is known."""
        name = quote(tag, safe="")
        return f"{self.releases_url}/{'' if self.kind == GITLAB else 'tag/'}{name}"


def project_at(source: str, kinds: dict[str, str] | None = None) -> Project | None:
    """Read an address as images name it in `org.opencontainers.image.source`; None if it is none.

    `kinds` are hosts of which it is known what they are, besides the public ones.
    """
    try:
        parts = urlsplit(source.removeprefix("git+"))
        host, port = parts.hostname or "", parts.port
    except ValueError:
        return None
    if parts.scheme not in {"http", "https"} or len(source) > MAX_LENGTH or "\\" in source:
        return None
    if not _HOST.fullmatch(host) or ".." in host:
        return None
    host = host.removeprefix("www.")
    place = f"{host}:{port}" if port else host
    kind = (kinds or {}).get(place) or _KNOWN.get(place) or _CALLED.get(host.partition(".")[0], "")
    path = _path(parts.path, kind)
    scheme = "https" if place in _KNOWN else parts.scheme
    return Project(kind, scheme, place, path) if path else None


def tags_of(version: str, tag: str) -> list[str]:
    """What the release of a version may be called, the likeliest first.

    `version` is what the image says, `tag` what it is published under.
    """
    names: list[str] = []
    for text in (version, tag):
        if not _PART.fullmatch(text) or read(text) is None:
            continue
        found = _NUMBERS.search(text)
        core = found[0] if found else text.removeprefix("v")
        names += [f"v{core}", core] if text.startswith("v") or found else [text]
        names.append(text)
    return list(dict.fromkeys(names))[:MAX_TAGS]


def _path(path: str, kind: str) -> str:
    """The repository's path without what leads to a file in it; empty if it is none."""
    parts = [part for part in path.split("/") if part]
    if kind == GITLAB and "-" in parts:
        parts = parts[: parts.index("-")]
    elif kind in (GITHUB, GITEA):
        parts = parts[:2]
    if parts:
        parts[-1] = parts[-1].removesuffix(".git")
    enough = 2 if kind else 1
    if not enough <= len(parts) <= 20 or not all(map(_PART.fullmatch, parts)):
        return ""
    return "/".join(parts)
