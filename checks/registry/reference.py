"""Image references, read as Docker reads them.

Followed: the grammar in `distribution/reference` and the OCI distribution specification.
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from urllib.parse import urlsplit

from django.utils.translation import gettext as _

DOCKER_HUB = "docker.io"
DEFAULT_TAG = "latest"
_HUB_NAMES = {"docker.io", "index.docker.io", "registry-1.docker.io", "registry.hub.docker.com"}
_MAX_REFERENCE, _MAX_REPOSITORY, _MAX_HOST = 1024, 255, 255

_COMPONENT = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_REPOSITORY = re.compile(rf"{_COMPONENT}(?:/{_COMPONENT})*")
_A_TAG = r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}+"
_TAG = re.compile(_A_TAG)
_TAGS = re.compile(rf"{_A_TAG}(?: {_A_TAG})*+")
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}|sha512:[0-9a-f]{128}")
_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?"
_HOST = re.compile(rf"(?:{_LABEL}(?:\.{_LABEL})*|\[[0-9a-fA-F:.]+\])(?::[0-9]{{1,5}})?")


class BadReference(ValueError):
    """The text is no image reference; the message says what is wrong with it."""


@dataclass(frozen=True)
class Reference:
    """registry/repository:tag@digest, normalised; `tag` is empty where a digest stands alone."""

    registry: str
    repository: str
    tag: str = ""
    digest: str = ""

    def __str__(self) -> str:
        tag = f":{self.tag}" if self.tag else ""
        digest = f"@{self.digest}" if self.digest else ""
        return f"{self.registry}/{self.repository}{tag}{digest}"

    @property
    def target(self) -> str:
        """What a registry is asked for: the tag, or the digest where there is none."""
        return self.tag or self.digest


def parse(text: str) -> Reference:
    """Read an image reference as written in a compose file. Raises BadReference."""
    if not text or len(text) > _MAX_REFERENCE:
        raise BadReference(_("The image reference is empty or too long."))
    rest, _at, digest = text.partition("@")
    if "@" in text and not is_digest(digest):
        raise BadReference(_("%(text)r has a malformed digest.") % {"text": text})
    first, slash, remainder = rest.partition("/")
    is_host = slash and ("." in first or ":" in first or first == "localhost" or _has_upper(first))
    host, path = (first, remainder) if is_host else (DOCKER_HUB, rest)
    repository, colon, tag = path.partition(":")
    if colon and not is_tag(tag):
        raise BadReference(_("%(text)r has a malformed tag.") % {"text": text})
    if not is_host_name(host) or not is_repository(repository):
        raise BadReference(_("%(text)r is not an image reference.") % {"text": text})
    registry = normal_host(host)
    if registry == DOCKER_HUB and "/" not in repository:
        repository = f"library/{repository}"
    return Reference(registry, repository, tag or ("" if digest else DEFAULT_TAG), digest)


def normal_host(host: str) -> str:
    """One spelling for each registry: lower case, and `docker.io` for Docker Hub's many names."""
    lower = host.lower()
    return DOCKER_HUB if lower in _HUB_NAMES else lower


def is_host_name(text: str) -> bool:
    """Whether it is a name or an address, with a port or without, that can be connected to."""
    if len(text) > _MAX_HOST or _HOST.fullmatch(text) is None:
        return False
    try:
        port = urlsplit(f"//{text}").port
        if text.startswith("["):
            ipaddress.IPv6Address(text[1:].partition("]")[0])
    except ValueError:
        return False
    return port != 0


def is_repository(text: str) -> bool:
    return len(text) <= _MAX_REPOSITORY and _REPOSITORY.fullmatch(text) is not None


def is_tag(text: str) -> bool:
    return _TAG.fullmatch(text) is not None


def are_tags(texts: list[str]) -> bool:
    """Whether all of many are tags: one look takes a tenth of the time of as many. TypeError where
    one is no text."""
    together = " ".join(texts)
    return together.count(" ") + 1 == len(texts) and _TAGS.fullmatch(together) is not None


def is_digest(text: str) -> bool:
    return _DIGEST.fullmatch(text) is not None


def _has_upper(text: str) -> bool:
    """A first part in upper case can only be a host: repositories are lower case."""
    return text.lower() != text
