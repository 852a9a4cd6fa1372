"""Links in messages: paths, until the public address goes before all of one message at once."""

from __future__ import annotations

from typing import Any

from dockrev import preferences


def base() -> str:
    """What goes before a path, without a slash at its end; empty where nobody knows it."""
    return preferences.get("public_base_url").rstrip("/")


def absolute(value: Any, base: str) -> Any:
    """A part of a payload, with `base` before each path that is a link by its name."""
    if isinstance(value, list):
        return [absolute(each, base) for each in value]
    if not isinstance(value, dict):
        return value
    return {
        name: f"{base}{part}" if _is_link(name, part) else absolute(part, base)
        for name, part in value.items()
    }


def _is_link(name: str, part: Any) -> bool:
    return isinstance(part, str) and part.startswith("/") and name.lower().endswith("url")
