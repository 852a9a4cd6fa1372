"""Examples of messages, as a channel would be sent them, said to be examples."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from dockrev.fields import HIDDEN
from notifications import announce, examples, messages
from notifications.channels import TRANSPORTS
from notifications.channels.base import Message
from notifications.models import Channel, Notification

SOURCE = "example"  # in the payload's `debug`, where real messages have another
SHOWN_AT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def message(kind: str, channel: Channel, now: datetime = SHOWN_AT) -> Message:
    """The example of a kind, worded as a real message to this channel is. KeyError if none."""
    content = examples.content(kind, now)
    row = Notification(pk=f"ntf_example_{kind}", channel=channel, kind=kind, content=content)
    made = messages.message(row, now)
    # Nothing is deployed by an example.
    image = messages.TEST_IMAGE if kind in announce.OF_IMAGES else None
    debug = {**made.payload["debug"], "source": SOURCE}
    return replace(made, payload={**made.payload, "debug": debug}, image=image, is_example=True)


@dataclass(frozen=True)
class Shown:
    """An example to look at. `headers` and `body` are empty where it is words alone."""

    message: Message
    headers: Mapping[str, str]
    body: str


def shown(kind: str, channel: Channel, config: Mapping[str, Any]) -> Shown:
    """The example with what is sent beside it; `config` is as it may be shown. KeyError if none."""
    made = message(kind, channel)
    transport = TRANSPORTS[channel.kind](config, channel.pk)
    posted = transport.posted(made)
    if posted is None:
        return Shown(made, {}, "")
    headers = {"Content-Type": "application/json", **posted.headers}
    if transport.signature and config.get("secret"):
        headers[transport.signature] = f"sha256={HIDDEN}"
    return Shown(made, headers, _pretty(posted.body))


def _pretty(body: bytes) -> str:
    return json.dumps(json.loads(body), ensure_ascii=False, indent=2)
