"""The one way out: every HTTP request that Dockrev makes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


class Unreachable(Exception):
    """No answer came; the text says why in words for people and names the host, never the path."""


@dataclass(frozen=True)
class Response:
    """An answer, whatever its status. `headers` ignore case."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    url: str = field(repr=False)
    elapsed: float = 0.0


def request(
    method: str,
    url: str,
    *,
    headers: Mapping[str, str] | None = None,
    body: bytes | None = None,
    timeout: tuple[float, float] = (5.0, 10.0),
    max_bytes: int = 1024 * 1024,
    verify: bool | str = True,
    session: Any = None,
) -> Response:
    """Send one request and read at most `max_bytes` of its answer. Redirects are not followed.

    `timeout` is seconds to connect and seconds between bytes. Raises Unreachable.
    """
    raise Unreachable("not built")
