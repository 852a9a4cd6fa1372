"""Secrets of hooks as they may be kept and shown, and those that are the last part of a URL."""

from __future__ import annotations

from hashlib import sha256

from dockrev.fields import HIDDEN


def fingerprint(secret: str) -> str:
    """Tells secrets apart without telling them: they are too long to be guessed from it."""
    return sha256(f"dockrev hook secret:{secret}".encode()).hexdigest()


def with_token(url: str, token: str) -> str:
    return f"{url.rstrip('/')}/{token}"


def masked(url: str) -> str:
    """A URL without the secret that is its last part."""
    return with_token(url.rstrip("/").rpartition("/")[0], HIDDEN)


def token_of(url: str) -> str:
    """The last part of a URL."""
    return url.rstrip("/").rpartition("/")[2]
