"""A sender of any kind of receiver, who calls through the server's own way in."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from io import BytesIO
from itertools import count
from typing import Any
from wsgiref.util import setup_testing_defaults

from integrations import proof
from integrations.models import Delivery, HookAccount, HookTarget
from integrations.models import Receiver as Row
from integrations.receivers import RECEIVERS
from integrations.receivers.base import Example, Incoming, Reading, Receiver, Setup
from integrations.wsgi import application

SECRET = "a-secret.that_fits~paths-and-headers"
HOST = "registry.example:5000"  # for which the receiver speaks
_addresses = count(1)


class Sender:
    """Knows a receiver's secret, and proves it unless told otherwise."""

    def __init__(self, row: Row) -> None:
        self.row, self.protocol = row, RECEIVERS[row.kind]
        self._nonces = count(1)

    def examples(self) -> tuple[Example, ...]:
        """Fresh ones: no call of them was seen before."""
        return self.protocol.examples(f"nonce{next(self._nonces)}")

    def push(self) -> Incoming:
        return self.examples()[0].incoming()

    def read(self, incoming: Incoming) -> Reading:
        return self.protocol.read(incoming, proof.entry_of(self.row).setup)

    def with_body(self, body: Any) -> Incoming:
        """A push of another body: bytes as they are, anything else as JSON."""
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        return replace(self.push(), body=raw)

    def send(self, incoming: Incoming, **how: Any) -> tuple[int, Any]:
        """Prove a call and make it."""
        return self.send_as_it_is(self.protocol.prove(incoming, SECRET), **how)

    def send_as_it_is(
        self, incoming: Incoming, *, end: str = "", **environ: Any
    ) -> tuple[int, Any]:
        """Make a call from an address of its own; the status and the JSON that it is answered."""
        path = f"/api/webhooks/{self.row.kind}"
        if incoming.token:
            path += f"/{incoming.token}"
        given: dict[str, Any] = {
            "REQUEST_METHOD": "POST",
            "PATH_INFO": path + end,
            "REMOTE_ADDR": f"2001:db8::{next(_addresses):x}",
            "CONTENT_LENGTH": str(len(incoming.body)),
            "wsgi.input": BytesIO(incoming.body),
            **_as_environ(incoming.headers),
            **environ,
        }
        setup_testing_defaults(given)
        sent: list[str] = []
        parts = application(given, lambda status, _headers, _error=None: sent.append(status))
        return int(sent[0][:3]), json.loads(b"".join(parts))


def sender_of(kind: str) -> Sender:
    """The sender of a kind's first receiver, which is on, and whose targets are selected."""
    row = Row.objects.filter(kind=kind).earliest("created_at")
    row.enabled, row.secret = True, SECRET
    row.registry_host = RECEIVERS[kind].registry_host or HOST
    row.save()
    sender = Sender(row)
    if sender.protocol.has_targets:
        account, _made = HookAccount.objects.get_or_create(
            receiver=row, defaults={"provider": "github", "name": "Account"}
        )
        for name in {sender.read(example.incoming()).repository for example in sender.examples()}:
            HookTarget.objects.create(account=account, full_name=name, selected=True)
    return sender


def call(body: Any, headers: Mapping[str, str] | None = None) -> Incoming:
    """A call without its proof."""
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Incoming(headers or {"content-type": "application/json"}, raw)


def read(receiver: Receiver, body: Any, *, host: str = "") -> Reading:
    return receiver.read(call(body), Setup(host))


def stored() -> int:
    return Delivery.objects.count()


def _as_environ(headers: Mapping[str, str]) -> dict[str, str]:
    plain = {"content-type": "CONTENT_TYPE", "content-length": "CONTENT_LENGTH"}
    return {
        plain.get(name, "HTTP_" + name.upper().replace("-", "_")): value
        for name, value in headers.items()
    }
