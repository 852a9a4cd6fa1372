"""Image names and digests, as short as they stay clear."""

from __future__ import annotations

from django import template

register = template.Library()

DIGITS = 12  # of a digest: what Docker shows of an id
DOCKER_HUB, OFFICIAL = "docker.io", "library/"


@register.filter
def short_digest(digest: str) -> str:
    """`sha256:` and the first digits."""
    algorithm, _, value = digest.partition(":")
    return f"{algorithm}:{value[:DIGITS]}" if value else digest[:DIGITS]


@register.filter
def short_repository(repository: str, registry: str) -> str:
    """A repository as people write it: Docker Hub's own images without `library/`."""
    return repository.removeprefix(OFFICIAL) if registry == DOCKER_HUB else repository
