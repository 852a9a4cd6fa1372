"""A sender that proves itself by its path alone, and uses all that a receiver may say."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any, ClassVar

from django.test import Client

from checks.registry.reference import parse
from integrations.models import Receiver as Row
from integrations.receivers.base import (
    Example,
    ImageEvent,
    Incoming,
    NotAnObject,
    Option,
    Part,
    Reading,
    Setup,
    Verdict,
    json_object,
    member,
    text,
    verify_shared_secret,
    with_header,
)
from integrations.receivers.shared_secret import ByPathToken

TOKEN = "a-token_of.letters~that-need-no-escape"
OTHER = "another-token-of-the-same-length-or-so"


class StandIn(ByPathToken):
    """`{"id", "seconds", "images": [reference], "events": [{"id", "image"}]}`, all but one left out
    as one likes; `seconds` is how long the id means the same call."""

    kind: ClassVar[str] = "stand-in"
    label: ClassVar[str] = "Stand-in"
    proof: ClassVar[str] = "the token in the path"
    options: ClassVar[tuple[Option, ...]] = (
        Option("strict", "Strict", "Whether it is."),
        Option("words", "Words", "Which they are.", is_flag=False),
    )

    def read(self, incoming: Incoming, setup: Setup) -> Reading:
        try:
            body = json_object(incoming.body)
        except NotAnObject:
            return Reading(Verdict.INVALID_JSON, "")
        parts = tuple(_part(event) for event in member(body, "events") or ())
        images = [_image(name, setup) for name in member(body, "images") or ()]
        images += [part.image for part in parts if part.image]
        seconds = member(body, "seconds")
        return Reading(
            Verdict.IMAGES if images else Verdict.NOT_RELEVANT,
            text(body, "id"),
            images=tuple(images),
            parts=parts,
            same_for=timedelta(seconds=seconds) if seconds else None,
        )

    def examples(self, nonce: str) -> tuple[Example, ...]:
        push = {"id": nonce, "images": ["registry.example/acme/api:1.2.0"]}
        nothing = {"id": f"not-{nonce}", "images": []}
        return (
            Example("A push", push),
            Example("Nothing", nothing, "ignored", "event_not_relevant"),
        )


class Signing(StandIn):
    """The same of a kind that proves itself by a header."""

    kind: ClassVar[str] = "oci"
    token_in_path: ClassVar[bool] = False

    def verify(self, incoming: Incoming, secrets: tuple[str, ...], setup: Setup) -> int:
        return verify_shared_secret(secrets, incoming.headers.get("x-proof", ""))

    def prove(self, incoming: Incoming, secret: str) -> Incoming:
        return with_header(incoming, "x-proof", secret)


def call(client: Client, body: Any, *, token: str = TOKEN, path: str = "", **headers: str) -> Any:
    return client.post(
        path or f"/api/webhooks/stand-in/{token}",
        body if isinstance(body, bytes) else json.dumps(body).encode(),
        content_type="application/json",
        headers=headers,
    )


def receiver(*, token: str = TOKEN, enabled: bool = True, name: str = "Stand-in") -> Row:
    return Row.objects.create(kind=StandIn.kind, name=name, secret=token, enabled=enabled)


def _part(event: Any) -> Part:
    return Part(text(event, "id"), _image(event["image"], Setup()) if event.get("image") else None)


def _image(name: str, setup: Setup) -> ImageEvent:
    of = parse(name)
    return ImageEvent(setup.registry_host or of.registry, of.repository, of.tag, of.digest)
