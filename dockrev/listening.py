"""The address that the server listens at: how it is shown, and whether it is free."""

from __future__ import annotations

import errno
import time
from socket import AF_INET, AF_INET6, SO_REUSEADDR, SOCK_STREAM, SOL_SOCKET, socket

from django.conf import settings

from dockrev.environment import CannotStart

PATIENCE_SECONDS = 10.0
_POLL_SECONDS = 0.2


def reserve() -> socket:
    """Bind the address; a program that is about to leave it has a while to do so.

    The caller closes the socket just before the server binds. Raises CannotStart.
    """
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            return _bind()
        except OSError as error:
            if error.errno == errno.EADDRINUSE and time.monotonic() < deadline:
                time.sleep(_POLL_SECONDS)
                continue
            raise CannotStart(
                f"The address {written()} cannot be used ({error.strerror}). Stop the program "
                "that listens there, or set DOCKREV_HTTP_ADDR to another address and port."
            ) from error


def url() -> str:
    """Where a person on this machine finds the pages, unless DOCKREV_PUBLIC_URL says where."""
    if settings.PUBLIC_URL:
        return f"{settings.PUBLIC_URL}/"
    everywhere = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}  # noqa: S104 - read, not bound
    return f"http://{everywhere.get(settings.HTTP_HOST) or _bracketed()}:{settings.HTTP_PORT}/"


def written() -> str:
    return f"{_bracketed()}:{settings.HTTP_PORT}"


def _bracketed() -> str:
    host: str = settings.HTTP_HOST
    return f"[{host}]" if ":" in host else host


def _bind() -> socket:
    bound = socket(AF_INET6 if ":" in settings.HTTP_HOST else AF_INET, SOCK_STREAM)
    try:
        # The server that ended a moment ago left connections behind.
        bound.setsockopt(SOL_SOCKET, SO_REUSEADDR, 1)
        bound.bind((settings.HTTP_HOST, settings.HTTP_PORT))
    except OSError:
        bound.close()
        raise
    return bound
