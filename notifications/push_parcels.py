"""A message as a push service takes it: short, encrypted for one browser, and signed.

RFC 8291 and RFC 8292. The libraries are loaded when the first message is sent: most people have no
such channel.
"""

from __future__ import annotations

import json
import time
from base64 import urlsafe_b64encode
from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from importlib import import_module
from typing import Any
from urllib.parse import urlsplit

from cryptography.hazmat.primitives.asymmetric import ec

from dockrev import preferences
from notifications import push_keys
from notifications.channels.base import Message
from notifications.push_endpoints import Given

DAY = 24 * 3600
TTL = DAY  # seconds that a push service keeps what it cannot deliver
TOKEN_LIFE = 12 * 3600  # of at most a day
# Bytes of the payload before it is encrypted: what all take, and where that was too much.
SIZES = (3000, 900)
MAX_TITLE, MAX_URL = 200, 500  # characters
MAX_TOPIC = 32
NOBODY = "mailto:web-push@dockrev.invalid"


@dataclass(frozen=True)
class Sender:
    """Whose messages they are: the keys, and whom a push service may turn to."""

    public: str
    private: str
    subject: str

    def authorization(self, endpoint: str) -> str:
        """What proves to the push service of an endpoint who sends."""
        parts = urlsplit(endpoint)
        vapid: Any = import_module("py_vapid")
        # Not strict: it takes no https subject with a path, and ours were checked when saved.
        signer = vapid.Vapid02(push_keys.private_key(self.private), conf={"no-strict": True})
        claims = {
            "aud": f"{parts.scheme}://{parts.hostname}",
            "exp": int(time.time()) + TOKEN_LIFE,
            "sub": self.subject,
        }
        return str(signer.sign(claims)["Authorization"])


def sender(config: Mapping[str, Any]) -> Sender:
    """The sender that a channel is configured with."""
    subject = config.get("subject") or default_subject()
    return Sender(config["vapidPublicKey"], config["vapidPrivateKey"], subject)


def default_subject() -> str:
    """Our own address where it is one that others know; some services refuse a local one."""
    base = preferences.get("public_base_url")
    return base if base.startswith("https://") else NOBODY


def payload(message: Message, size: int) -> bytes:
    """What the service worker reads, cut to so many bytes: the text goes first."""
    told = {
        "id": message.id,
        "kind": message.kind,
        "title": message.title[:MAX_TITLE],
        "body": message.text,
        "url": _path(message.url),
        "tag": message.topic[:MAX_TITLE] or message.id,
        "urgent": message.urgent,
    }
    whole, text = _written(told), message.text
    if len(whole) <= size:
        return whole
    # How many characters are too many: what is written of one takes up to six bytes.
    most = bisect_right(range(len(text)), size, key=lambda n: len(_written(_cut(told, text, n))))
    return _written(_cut(told, text, max(0, most - 1)))


def headers(message: Message) -> dict[str, str]:
    """What the push service is told of a message. One that is newer replaces, by its topic, one
    that was not delivered yet; a hash says no more than that they are about the same."""
    found = {
        "TTL": str(TTL),
        "Urgency": "high" if message.urgent else "normal",
        "Content-Encoding": "aes128gcm",
        "Content-Type": "application/octet-stream",
    }
    if message.topic:
        digest = urlsafe_b64encode(sha256(message.topic.encode()).digest()).decode()
        found["Topic"] = digest[:MAX_TOPIC]
    return found


def encrypted(content: bytes, whom: Given) -> bytes:
    """What only the browser can read, by a key that is used this once."""
    ece: Any = import_module("http_ece")
    sealed: bytes = ece.encrypt(
        content,
        private_key=ec.generate_private_key(ec.SECP256R1()),
        dh=push_keys.unpacked(whom.p256dh),
        auth_secret=push_keys.unpacked(whom.auth),
        version="aes128gcm",
    )
    return sealed


def _path(url: str) -> str:
    """The browser opens it where it knows us, which need not be the public address."""
    parts = urlsplit(url)
    path = parts.path + (f"?{parts.query}" if parts.query else "")
    return path if path.startswith("/") and len(path) <= MAX_URL else "/"


def _cut(told: Mapping[str, object], text: str, most: int) -> dict[str, object]:
    return {**told, "body": f"{text[:most].rstrip()}…"}


def _written(told: Mapping[str, object]) -> bytes:
    return json.dumps(told, ensure_ascii=False, separators=(",", ":")).encode()
