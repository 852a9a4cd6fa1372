"""Images as bodies name them: nothing is taken that a registry could not have."""

from __future__ import annotations

import re
from collections.abc import Sequence

from checks.registry.reference import is_digest, is_host_name, is_repository, is_tag, normal_host
from integrations.receivers.base import ImageEvent

MOST = 100  # images of one call
_BESIDE = re.compile(r"sha256-[0-9a-f]{64}(\.[a-z0-9]+)?")


def image_at(host: str, repository: str, *, tag: str = "", digest: str = "") -> ImageEvent | None:
    """An image by its parts; None unless host, repository and tag are well formed.

    A digest that is not, such as a shortened one, counts as none; so does a tag that is a digest.
    """
    untagged = not tag or is_digest(tag)
    if not (is_host_name(host) and is_repository(repository) and (untagged or is_tag(tag))):
        return None
    return ImageEvent(
        normal_host(host),
        repository,
        "" if untagged else tag,
        digest if is_digest(digest) else "",
    )


def are_beside(images: Sequence[ImageEvent]) -> bool:
    """Whether these only sign or describe images: such is pushed beside an image, under its digest,
    and nobody runs it."""
    return all(_BESIDE.fullmatch(image.tag) for image in images)


def host_and_path(address: str) -> tuple[str, str]:
    """`host/path` of an address, with or without a scheme before it."""
    scheme, separator, rest = address.partition("://")
    if separator and scheme in {"http", "https"}:
        address = rest
    host, _slash, path = address.partition("/")
    return host, path


def path_parts(path: str) -> tuple[str, str, str]:
    """Repository, tag and digest of what follows a host: `a/b:tag`, `a/b@digest`, or both."""
    named, _at, digest = path.partition("@")
    repository, _colon, tag = named.partition(":")
    return repository, tag, digest
