"""The pair of keys by which push services know who sends (VAPID, RFC 8292).

They are written as `web-push generate-vapid-keys --json` does: the raw numbers, in base64url.
"""

from __future__ import annotations

import binascii
import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from typing import NamedTuple

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from django.utils.translation import gettext as _

POINT, SCALAR = 65, 32  # bytes of an uncompressed point on P-256, and of a private key


class BadKey(ValueError):
    """What was given is no such key. The text is for people, and does not repeat it."""


class Pair(NamedTuple):
    public: str
    private: str


def generated() -> Pair:
    return _pair(ec.generate_private_key(ec.SECP256R1()))


def belonging(private: str) -> Pair:
    """The pair that a private key makes. Raises BadKey."""
    return _pair(private_key(private))


def pasted(text: str) -> Pair | None:
    """The two keys of the JSON that the tool prints; None where the text is no JSON."""
    if not text.lstrip().startswith("{"):
        return None
    try:
        found = json.loads(text)
        public, private = found["publicKey"], found["privateKey"]
    except (ValueError, KeyError, RecursionError):
        raise BadKey(_("This JSON has no publicKey and privateKey.")) from None
    if not isinstance(public, str) or not isinstance(private, str):
        raise BadKey(_("This JSON has no publicKey and privateKey."))
    return Pair(public, private)


def private_key(text: str) -> ec.EllipticCurvePrivateKey:
    """Raises BadKey."""
    raw = unpacked(text)
    wrong = _("This is no private key: it has 32 bytes, in base64url.")
    if len(raw) != SCALAR:
        raise BadKey(wrong)
    try:
        return ec.derive_private_key(int.from_bytes(raw, "big"), ec.SECP256R1())
    except ValueError:  # zero, or beyond the order of the curve
        raise BadKey(wrong) from None


def point(text: str) -> bytes:
    """The bytes of a public key. Raises BadKey where they are no point on the curve."""
    raw = unpacked(text)
    if len(raw) != POINT:
        raise BadKey(_("This is no public key: it has 65 bytes, in base64url."))
    try:
        ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), raw)
    except ValueError:
        raise BadKey(_("This is no public key: it is not on the curve P-256.")) from None
    return raw


def packed(raw: bytes) -> str:
    return urlsafe_b64encode(raw).rstrip(b"=").decode()


def unpacked(text: str) -> bytes:
    """Read base64url, with or without its padding. Raises BadKey."""
    bare = text.rstrip("=")
    try:
        raw = urlsafe_b64decode(bare + "=" * (-len(bare) % 4))
    except (binascii.Error, ValueError):
        raw = b""
    # The library leaves out what it does not know.
    if not raw or packed(raw) != bare:
        raise BadKey(_("This is not written in base64url."))
    return raw


def _pair(key: ec.EllipticCurvePrivateKey) -> Pair:
    raw = key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
    return Pair(packed(raw), packed(key.private_numbers().private_value.to_bytes(SCALAR, "big")))
