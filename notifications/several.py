"""What is done to several channels at once."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from notifications.models import Channel

MOST = 200


def switch_on(ids: Sequence[str]) -> int:
    """Switch these on, forget why they were off, and try them at once, whatever they were told
    before. Returns how many there are."""
    changes = {"enabled": True, "disabled_reason": "", "paused_until": None}
    return Channel.objects.filter(pk__in=ids).update(**changes)


def switch_off(ids: Sequence[str]) -> int:
    return Channel.objects.filter(pk__in=ids).update(enabled=False)


def delete(ids: Sequence[str]) -> int:
    """Delete these, with what they are configured with and every message to them."""
    _all, counts = Channel.objects.filter(pk__in=ids).delete()
    return counts.get(Channel._meta.label, 0)


ACTIONS: dict[str, Callable[[Sequence[str]], int]] = {
    "enable": switch_on,
    "disable": switch_off,
    "delete": delete,
}
