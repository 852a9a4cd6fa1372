"""What may be a target of an account, as its provider lists it, for a person to pick from."""

from __future__ import annotations

from dataclasses import dataclass

from integrations import targets
from integrations.hooks import setup
from integrations.models import HookAccount

MOST_SHOWN = 200


@dataclass(frozen=True)
class Possible:
    name: str
    visibility: str
    archived: bool
    tracked: bool
    selected: bool


@dataclass(frozen=True)
class Found:
    """`cut`: there are more than are shown."""

    targets: list[Possible]
    cut: bool
    warnings: tuple[str, ...]


def look(account: HookAccount, words: str) -> Found:
    """What has every word in its name. Raises what `setup.possible` does."""
    words = words.strip().lower()
    owned = setup.possible(account, words if " " not in words else "")
    named = [
        each
        for each in owned.repositories
        if all(word in each.full_name.lower() for word in words.split())
    ]
    shown = named[:MOST_SHOWN]
    keys = [each.full_name.lower() for each in shown]
    rows = targets.present(account).filter(name_key__in=keys)
    known = dict(rows.values_list("name_key", "selected"))
    found = [
        Possible(
            each.full_name,
            each.visibility,
            each.archived,
            tracked=each.full_name.lower() in known,
            selected=known.get(each.full_name.lower(), False),
        )
        for each in shown
    ]
    return Found(found, len(named) > len(shown), owned.warnings)
