"""What an image says of itself, in its config: when it was built, and from what.

Followed: "Image Configuration" and "Pre-Defined Annotation Keys" of the OCI image specification.
All of it is written by whoever built the image, and is for people to read.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from django.utils import timezone
from django.utils.translation import gettext as _

from checks.registry.errors import BadAnswer

LABEL = "org.opencontainers.image."
MAX_VERSION, MAX_SOURCE, MAX_REVISION, MAX_PLATFORM = 128, 500, 100, 100
# Before it nobody built images: builds that are to be the same each time say 1970, or year 1.
_FIRST = datetime(2013, 1, 1, tzinfo=UTC)
_CLOCKS_AGREE = timedelta(days=1)


@dataclass(frozen=True)
class About:
    """`built_at` is None where the image does not say, or nothing that can be true."""

    built_at: datetime | None = None
    version: str = ""
    source: str = ""
    revision: str = ""
    platform: str = ""

    @property
    def says_anything(self) -> bool:
        """False where it could not be read."""
        return self != About()


def read_config(body: bytes, host: str) -> About:
    """Read an image's config, whose digest was compared already. Raises BadAnswer."""
    try:
        config = json.loads(body)
    except (ValueError, RecursionError):
        config = None
    if not isinstance(config, dict):
        text = _("%(host)s did not send an image's config that can be read.")
        raise BadAnswer(text % {"host": host})
    inner = config.get("config")
    labels = inner.get("Labels") if isinstance(inner, dict) else None
    platform = [_text(config.get(key), 30) for key in ("os", "architecture", "variant")]
    return about(labels, config.get("created"), "/".join(filter(None, platform)))


def about(labels: Any, created: Any, platform: str = "") -> About:
    """What labels and a time say, as far as they can be true and stay in bounds. Never raises."""
    said: Mapping[Any, Any] = labels if isinstance(labels, dict) else {}
    return About(
        built_at=_moment(created),
        version=_text(said.get(f"{LABEL}version"), MAX_VERSION),
        source=_text(said.get(f"{LABEL}source"), MAX_SOURCE),
        revision=_text(said.get(f"{LABEL}revision"), MAX_REVISION),
        platform=platform,
    )


def _text(value: Any, limit: int) -> str:
    """One line for people; nothing where it is none, or too long to be one."""
    text = value.strip() if isinstance(value, str) else ""
    return text if len(text) <= limit and text.isprintable() else ""


def _moment(value: Any) -> datetime | None:
    try:
        moment = datetime.fromisoformat(value)
        plausible = _FIRST <= moment <= timezone.now() + _CLOCKS_AGREE
    except (TypeError, ValueError, OverflowError):
        return None  # also one without a zone, which cannot be compared
    return moment.astimezone(UTC) if plausible else None
