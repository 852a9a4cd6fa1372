"""The sections of the settings page. Each app registers its own in `AppConfig.ready()`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest
from django.utils.functional import Promise


@dataclass(frozen=True)
class Section:
    """`load` gives the template its `state`, in a fixed number of queries."""

    slug: str
    title: str | Promise
    template: str
    load: Callable[[HttpRequest], dict[str, Any]]
    place: int  # low ones come first


SECTIONS: dict[str, Section] = {}


def register(section: Section) -> None:
    SECTIONS[section.slug] = section


def ordered() -> list[Section]:
    return sorted(SECTIONS.values(), key=lambda section: section.place)
