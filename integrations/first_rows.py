"""The rows that are there from the first start: a receiver of every kind, off, and what belongs
to it. Called after every migrate, so a receiver added later needs no migration of its own."""

from __future__ import annotations

from typing import Any

from django.apps import apps as registry

from integrations.receivers import CALLERS
from integrations.receivers.github import GitHubPackages


def make_first_rows(sender: Any, using: str, apps: Any = registry, **_: Any) -> None:
    # A flush sends the signal, too, without `apps`.
    try:
        receivers = apps.get_model("integrations", "Receiver").objects.using(using)
        accounts = apps.get_model("integrations", "HookAccount").objects.using(using)
    except LookupError:
        return  # migrated back to before there were any
    for caller in CALLERS.values():
        if not receivers.filter(kind=caller.kind).exists():
            receivers.create(kind=caller.kind, name=caller.label)
    if not accounts.filter(provider="github").exists():
        first = receivers.filter(kind=GitHubPackages.kind).order_by("created_at", "pk").first()
        accounts.create(provider="github", name="GitHub", receiver=first)
