"""What should happen, as people set it: typed answers with defaults, over the Setting rows."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any, Literal, overload

from django.conf import settings

from dockrev.models import Setting


@dataclass(frozen=True)
class Preferences:
    """Every answer at once. A key without a row has its default; a row of another type too."""

    public_base_url: str = ""
    retention_days: int = 90
    deliveries_most: int = 100_000
    language: str = settings.LANGUAGE_CODE
    backups_keep: int = 3
    backup_days: int = 0
    backup_limit_mb: int = 1024
    backup_required: bool = True
    updates_at_once: int = 1


NAMES = tuple(field.name for field in fields(Preferences))


def load() -> Preferences:
    """Read all of them with one query."""
    stored = dict(Setting.objects.filter(key__in=NAMES).values_list("key", "value"))
    defaults = Preferences(public_base_url=settings.PUBLIC_URL)
    known = {name: getattr(defaults, name) for name in NAMES}
    known.update({key: value for key, value in stored.items() if _fits(key, value)})
    return Preferences(**known)


@overload
def get(key: Literal["public_base_url", "language"]) -> str: ...
@overload
def get(
    key: Literal[
        "retention_days",
        "deliveries_most",
        "updates_at_once",
        "backups_keep",
        "backup_days",
        "backup_limit_mb",
    ],
) -> int: ...
@overload
def get(key: Literal["backup_required"]) -> bool: ...
def get(key: str) -> Any:
    return getattr(load(), key)


def set(key: str, value: object) -> None:  # reads as preferences.set
    """Keep an answer. None goes back to the default; ValueError for a value of a wrong type."""
    if key not in NAMES:
        raise KeyError(key)
    if value is None:
        Setting.objects.filter(key=key).delete()
        return
    if not _fits(key, value):
        raise ValueError(f"{key} cannot be {value!r}")
    Setting.objects.update_or_create(key=key, defaults={"value": value})


def _fits(key: str, value: object) -> bool:
    return type(value) is type(getattr(Preferences, key))
