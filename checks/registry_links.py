"""What other apps have about registries, linked from their page. Each registers its own in
`AppConfig.ready()`."""

from __future__ import annotations

from dataclasses import dataclass

from django.utils.functional import Promise


@dataclass(frozen=True)
class Link:
    page: str  # the name of its URL
    title: str | Promise


LINKS: list[Link] = []


def register(link: Link) -> None:
    if link not in LINKS:
        LINKS.append(link)
