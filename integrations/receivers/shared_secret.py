"""Proof by the secret itself: at the end of the path, or as the `Authorization` header."""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from integrations.receivers.base import (
    Incoming,
    Receiver,
    Setup,
    verify_shared_secret,
    with_header,
)

SCHEME = "bearer "


class ByPathToken(Receiver):
    """The sender can prove nothing, so the address that it calls is the secret."""

    proof: ClassVar[str | Promise] = _("the token at the end of the URL")
    token_in_path: ClassVar[bool] = True

    def verify(self, incoming: Incoming, secrets: tuple[str, ...], setup: Setup) -> int:
        return verify_shared_secret(secrets, incoming.token)

    def prove(self, incoming: Incoming, secret: str) -> Incoming:
        return replace(incoming, token=secret)


class ByAuthorization(Receiver):
    """The sender adds a header that people give it. `Bearer` may stand before the secret in
    either place, or not: what counts is what follows."""

    proof: ClassVar[str | Promise] = _("Authorization: Bearer and the secret, or the secret alone")
    secret_in_header: ClassVar[bool] = True

    def verify(self, incoming: Incoming, secrets: tuple[str, ...], setup: Setup) -> int:
        given = incoming.headers.get("authorization", "")
        return verify_shared_secret(tuple(_bare(secret) for secret in secrets), _bare(given))

    def prove(self, incoming: Incoming, secret: str) -> Incoming:
        return with_header(incoming, "authorization", f"Bearer {_bare(secret)}")


def _bare(text: str) -> str:
    return text[len(SCHEME) :] if text[: len(SCHEME)].lower() == SCHEME else text
