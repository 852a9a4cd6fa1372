"""Ways to reach people. To add one, write its file and name it here."""

from __future__ import annotations

from notifications.channels.apprise import Apprise
from notifications.channels.base import Transport
from notifications.channels.doco_cd import DocoCd
from notifications.channels.email import Email
from notifications.channels.telegram import Telegram
from notifications.channels.webhook import Webhook
from notifications.channels.webpush import WebPush

TRANSPORTS: dict[str, type[Transport]] = {
    each.kind: each for each in (Webhook, Telegram, Email, WebPush, Apprise, DocoCd)
}


def choices() -> list[tuple[str, str]]:
    return [(transport.kind, transport.label) for transport in TRANSPORTS.values()]
