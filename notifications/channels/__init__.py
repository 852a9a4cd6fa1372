"""Ways to reach people. To add one, write its file and name it here."""

from __future__ import annotations

from notifications.channels.base import Transport
from notifications.channels.doco_cd import DocoCd
from notifications.channels.webhook import Webhook

TRANSPORTS: dict[str, type[Transport]] = {t.kind: t for t in (Webhook, DocoCd)}


def choices() -> list[tuple[str, str]]:
    return [(transport.kind, transport.label) for transport in TRANSPORTS.values()]
