"""A push service, and browsers that it knows.

It follows RFC 8030 (what it answers), 8291 (a browser reads what was encrypted for it) and 8292 (it
takes a message only from whom the browser subscribed to). It is a TLS server on loopback; to
whoever resolves its names it is at `addresses`, and a connection to any of those comes to it.
"""

from __future__ import annotations

import json
import secrets
import socket
import time
from base64 import urlsafe_b64decode
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import http_ece
import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from dockrev import addresses
from notifications.push_keys import packed
from tests.certificates import Authority
from tests.servers import Asked, Reply, Server

HOST, OTHER_HOST = "push.vendor.example", "push.other.example"
GLOBAL = ["93.184.215.14"]
MOST = 4096  # bytes of a message, which every push service takes


@dataclass
class Browser:
    """One that subscribed: its keys, and what it was shown. `answers` come first, in order."""

    server_key: str
    host: str = HOST
    path: str = field(default_factory=lambda: f"/send/{secrets.token_urlsafe(24)}")
    key: ec.EllipticCurvePrivateKey = field(
        default_factory=lambda: ec.generate_private_key(ec.SECP256R1())
    )
    secret: bytes = field(default_factory=lambda: secrets.token_bytes(16))
    shown: list[dict[str, Any]] = field(default_factory=list)
    asked: list[Asked] = field(default_factory=list)
    answers: list[Reply] = field(default_factory=list)
    gone: int = 0  # the status that says so

    @property
    def subscription(self) -> dict[str, Any]:
        """As `PushSubscription.toJSON()` writes it."""
        point = self.key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
        return {
            "endpoint": f"https://{self.host}{self.path}",
            "expirationTime": None,
            "keys": {"p256dh": packed(point), "auth": packed(self.secret)},
        }

    def read(self, body: bytes) -> dict[str, Any]:
        content = http_ece.decrypt(body, private_key=self.key, auth_secret=self.secret)
        found: dict[str, Any] = json.loads(content)
        return found


class PushService:
    """`most` is how many bytes it takes."""

    def __init__(self) -> None:
        self.server = Server(self._answer)
        self.browsers: dict[str, Browser] = {}
        self.dialled: list[tuple[str, int]] = []
        self.addresses = list(GLOBAL)
        self.most = MOST

    def browser(self, server_key: str, host: str = HOST) -> Browser:
        made = Browser(server_key, host)
        self.browsers[made.path] = made
        return made

    def _answer(self, asked: Asked) -> Reply:
        browser = self.browsers.get(asked.path)
        if browser is None or asked.method != "POST":
            return Reply(404)
        browser.asked.append(asked)
        if browser.answers:
            return browser.answers.pop(0)
        if browser.gone:
            return Reply(browser.gone)
        if not _is_proven(asked.authorization, browser):
            return Reply(403)
        if len(asked.body) > self.most:
            return Reply(413)
        if asked.headers.get("content-encoding") != "aes128gcm" or "ttl" not in asked.headers:
            return Reply(400)
        browser.shown.append(browser.read(asked.body))
        return Reply(201, headers={"Location": f"https://{browser.host}/message/1"})


def claims(authorization: str) -> dict[str, Any]:
    """What a token says, whoever signed it."""
    token = authorization.removeprefix("vapid ").split(",")[0].strip().removeprefix("t=")
    found: dict[str, Any] = json.loads(_unpacked(token.split(".")[1]))
    return found


def _is_proven(authorization: str, browser: Browser) -> bool:
    scheme, _space, given = authorization.partition(" ")
    parts = dict(part.strip().split("=", 1) for part in given.split(",") if "=" in part)
    if scheme != "vapid" or parts.get("k") != browser.server_key or "t" not in parts:
        return False
    signed, _dot, signature = parts["t"].rpartition(".")
    raw = _unpacked(signature)
    key = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), _unpacked(parts["k"]))
    numbers = (int.from_bytes(raw[:32], "big"), int.from_bytes(raw[32:], "big"))
    try:
        key.verify(encode_dss_signature(*numbers), signed.encode(), ec.ECDSA(hashes.SHA256()))
    except InvalidSignature:
        return False
    said = claims(authorization)
    lasts = said["exp"] - time.time()
    return bool(said["aud"] == f"https://{browser.host}" and 0 < lasts <= 24 * 3600)


def _unpacked(text: str) -> bytes:
    return urlsafe_b64decode(text + "=" * (-len(text) % 4))


@contextmanager
def at_global_addresses(
    server: Server, known: list[str], dialled: list[tuple[str, int]], folder: Path
) -> Iterator[None]:
    """Let a server be whom the names of push services lead to, by TLS and a certificate."""
    authority, bundle = Authority(), folder / "authority.pem"
    bundle.write_text(authority.pem)
    resolve, connect = socket.getaddrinfo, addresses._connect_to

    def resolve_it(host: Any, port: Any, *args: Any, **kwargs: Any) -> Any:
        if host not in (HOST, OTHER_HOST):
            return resolve(host, port, *args, **kwargs)
        found = [resolve(each, port, type=socket.SOCK_STREAM) for each in known]
        return [info for infos in found for info in infos]

    def connect_it(address: tuple[str, int], *args: Any, **kwargs: Any) -> socket.socket:
        dialled.append(address)
        there = address[0] in known and address[1] == 443
        return connect(("127.0.0.1", server.port) if there else address, *args, **kwargs)

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("REQUESTS_CA_BUNDLE", str(bundle))
        patch.setattr(socket, "getaddrinfo", resolve_it)
        patch.setattr(addresses, "_connect_to", connect_it)
        server.speak_tls(*authority.sign_for("127.0.0.1", folder, HOST, OTHER_HOST))
        with server.running():
            yield
