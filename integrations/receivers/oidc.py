"""Tokens by which Google says who sends a call, in its name and to whom.

Followed: "Authentication for push subscriptions" in Google's documentation, RFC 7515 and RFC 7519.
One algorithm is known, whatever a token names.
"""

from __future__ import annotations

import binascii
import json
import math
from base64 import urlsafe_b64decode
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey, RSAPublicNumbers
from cryptography.hazmat.primitives.hashes import SHA256

from integrations.receivers.base import BadProof

ISSUERS = {"https://accounts.google.com", "accounts.google.com"}
LEEWAY = 30.0  # seconds that clocks may differ by
MAX_TOKEN = 8 * 1024
MIN_BITS, MAX_BITS = 2048, 8192


class UnknownKey(BadProof):
    """The token names a key that is not known here, or not yet."""


@dataclass(frozen=True)
class Wanted:
    """Who a token must be for and, where `email` is not empty, from. No token is for nobody."""

    audience: str
    email: str = ""


def verify(token: str, keys: Mapping[str, Any], wanted: Wanted, now: datetime) -> None:
    """Raise BadProof, or UnknownKey, unless Google gave the token, for this and for now.

    `keys` are those of `readable_keys`.
    """
    head, claims, signature, signed = _parts(token)
    kid = head.get("kid")
    if head.get("alg") != "RS256" or not isinstance(kid, str):
        raise BadProof
    if kid not in keys:
        raise UnknownKey
    try:
        _public(keys[kid]).verify(signature, signed, PKCS1v15(), SHA256())
    except (InvalidSignature, UnsupportedAlgorithm, ValueError):
        raise BadProof from None
    if not (_is_current(claims, now.timestamp()) and _is_for(claims, wanted)):
        raise BadProof


def readable_keys(body: bytes) -> dict[str, dict[str, str]]:
    """The RSA keys of a JSON Web Key Set, by their ids. Raises ValueError where there are none."""
    try:
        listed = json.loads(body)["keys"][:20]
    except (RecursionError, KeyError, TypeError):
        raise ValueError from None
    keys = {key["kid"]: {"n": key["n"], "e": key["e"]} for key in listed if _is_usable(key)}
    if not keys:
        raise ValueError
    return keys


def _is_usable(key: Any) -> bool:
    if not isinstance(key, dict) or key.get("kty") != "RSA" or key.get("use", "sig") != "sig":
        return False
    if not all(isinstance(key.get(name), str) for name in ("kid", "n", "e")):
        return False
    try:
        size = _public(key).key_size
    except ValueError:
        return False
    return MIN_BITS <= size <= MAX_BITS and len(key["kid"]) <= 200


def _public(key: Mapping[str, str]) -> RSAPublicKey:
    n, e = (int.from_bytes(_decoded(key[name])) for name in ("n", "e"))
    return RSAPublicNumbers(e, n).public_key()


def _parts(token: str) -> tuple[dict[str, Any], dict[str, Any], bytes, bytes]:
    """Head, claims, signature, and what is signed. Raises BadProof."""
    parts = token.split(".")
    if len(token) > MAX_TOKEN or len(parts) != 3 or not token.isascii():
        raise BadProof
    try:
        head, claims = (json.loads(_decoded(part)) for part in parts[:2])
        signature = _decoded(parts[2])
    except (ValueError, RecursionError):
        raise BadProof from None
    if not (isinstance(head, dict) and isinstance(claims, dict)):
        raise BadProof
    return head, claims, signature, f"{parts[0]}.{parts[1]}".encode()


def _decoded(part: str) -> bytes:
    """Base64 for URLs, without the filling at its end. Raises ValueError."""
    try:
        return urlsafe_b64decode(part + "=" * (-len(part) % 4))
    except binascii.Error as error:
        raise ValueError from error


def _is_current(claims: Mapping[str, Any], now: float) -> bool:
    try:
        begins, ends = float(claims.get("iat", 0)), float(claims["exp"])
    except (KeyError, TypeError, ValueError, OverflowError):
        return False
    return begins - LEEWAY <= now <= ends + LEEWAY < math.inf


def _is_for(claims: Mapping[str, Any], wanted: Wanted) -> bool:
    """Google says of every address whether it is proven; one that is not is nobody's."""
    issuer, audience = claims.get("iss"), claims.get("aud")
    if not isinstance(issuer, str) or issuer not in ISSUERS:
        return False
    if not wanted.audience or audience != wanted.audience:
        return False
    if wanted.email and claims.get("email") != wanted.email:
        return False
    return claims.get("email_verified", not wanted.email) is True
