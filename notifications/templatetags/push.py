"""What a Web Push channel's page says of its browsers."""

from __future__ import annotations

from typing import Any

from django import template

from notifications import push_subscribing
from notifications.models import Channel
from notifications.push_models import PushSubscription

register = template.Library()

SHOWN = 50


@register.simple_tag
def push_facts(channel: Channel) -> dict[str, Any]:
    """How many browsers take messages, how many have other keys, and the newest; three queries."""
    key = push_subscribing.public_key(channel)
    known = PushSubscription.objects.listed().filter(channel_id=channel.pk)
    rows = list(known.select_related("user")[:SHOWN])
    return {
        "public_key": key,
        "count": known.filter(server_key=key).count(),
        "stale": known.exclude(server_key=key).count(),
        "most": SHOWN,
        "rows": [(row, row.server_key == key) for row in rows],
    }
