"""The stacks that a notification channel can be for."""

from __future__ import annotations

from collections.abc import Iterator

from checks.models import Stack
from notifications.stacks import StackChoice


def load() -> Iterator[StackChoice]:
    rows = Stack.objects.order_by("host__name", "name")
    for id_, name, host, archived_at in rows.values_list("pk", "name", "host__name", "archived_at"):
        yield StackChoice(id_, name, host, is_archived=archived_at is not None)
