"""Slows down who guesses passwords: so many failures per address and per name, then a pause.

Counts live in this process's cache: guessing is limited, not recorded, and a restart forgives.
"""

from __future__ import annotations

import hashlib
import time
from contextlib import suppress

from django.core.cache import cache
from django.http import HttpRequest

from dockrev.proxies import client_address, neighbourhood

WINDOW = 15 * 60  # seconds that a failure counts
PER_ADDRESS = 20
PER_NAME = 10


def sign_in_wait(request: HttpRequest, username: str) -> int:
    """Seconds until this address may try this name again; 0 if it may now.

    Ask before looking at the password, so that a right one tells nothing while the pause lasts.
    """
    now = time.time()
    waits = [
        cache.get(f"{key}:since", now) + WINDOW - now
        for key, limit in _limits(request, username)
        if cache.get(key, 0) >= limit
    ]
    return int(max(waits)) + 1 if waits else 0


def sign_in_failed(request: HttpRequest, username: str) -> None:
    for key, _ in _limits(request, username):
        cache.add(f"{key}:since", time.time(), timeout=WINDOW)
        cache.add(key, 0, timeout=WINDOW)
        with suppress(ValueError):  # it ran out in this very moment
            cache.incr(key)


def sign_in_succeeded(request: HttpRequest, username: str) -> None:
    """Forget the failures of this name; those of the address stay, others may share it."""
    cache.delete(_name_key(username))


def _limits(request: HttpRequest, username: str) -> list[tuple[str, int]]:
    address = neighbourhood(client_address(request.META))
    return [(f"sign-in:address:{address}", PER_ADDRESS), (_name_key(username), PER_NAME)]


def _name_key(username: str) -> str:
    digest = hashlib.sha256(username.strip().lower().encode("utf-8", "replace")).hexdigest()
    return f"sign-in:name:{digest}"
