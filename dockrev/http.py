"""The one way out: every HTTP request that Dockrev makes.

Proxies come from the environment (HTTP_PROXY, HTTPS_PROXY, NO_PROXY), authorities beside the
built-in ones from REQUESTS_CA_BUNDLE. No URL is logged: a path may hold a token.
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.cookiejar import DefaultCookiePolicy
from typing import Any
from urllib.parse import urlsplit

import requests
from requests.adapters import HTTPAdapter
from requests.auth import HTTPBasicAuth
from requests.utils import get_auth_from_url, get_environ_proxies, select_proxy
from urllib3.exceptions import HTTPError, ProtocolError

from dockrev import __version__, addresses
from dockrev.unreachable import reason

HOSTS = 256  # pools kept
CONNECTIONS = 32  # kept open to each
CHUNK = 64 * 1024
# Seconds for one answer's body, however steadily it drips.
LONGEST_BODY = 60.0
REPEATABLE = {"GET", "HEAD"}

# urllib3 writes paths into its debug lines and warnings.
logging.getLogger("urllib3").setLevel(logging.ERROR)


class Unreachable(Exception):
    """No answer came; the text says why in words for people and names the host, never the path."""


@dataclass(frozen=True)
class Response:
    """An answer, whatever its status. `headers` ignore case; `truncated`: the body was longer."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    url: str = field(repr=False)
    truncated: bool = False


def request(
    method: str,
    url: str,
    *,
    headers: Mapping[str, str] | None = None,
    body: bytes | None = None,
    timeout: tuple[float, float] = (5.0, 10.0),
    max_bytes: int = 1024 * 1024,
    verify: bool | str = True,
    session: requests.Session | None = None,
) -> Response:
    """Send one request and read at most `max_bytes` of its answer. Redirects are not followed.

    `timeout` is seconds to connect and seconds between bytes. Raises Unreachable.
    """
    started = time.monotonic()
    try:
        if "\\" in url:
            raise ValueError  # the library ends the host there, Python does not
        if select_proxy(url, get_environ_proxies(url)):
            addresses.refuse_literal(urlsplit(url).hostname or "")
        asked = {"headers": headers, "data": body, "timeout": timeout, "verify": verify}
        with _send(session or _session(), method, url, asked) as answer:
            content, truncated = _read(answer, max_bytes, started + timeout[0] + LONGEST_BODY)
    except (requests.RequestException, HTTPError, OSError, ValueError) as error:
        raise Unreachable(reason(error, url, timeout)) from None
    return Response(answer.status_code, answer.headers, content, url, truncated)


def _send(
    session: requests.Session, method: str, url: str, asked: Mapping[str, Any]
) -> requests.Response:
    """Send, and once more if the other side had closed the kept connection that was taken."""
    try:
        return session.request(method, url, allow_redirects=False, stream=True, **asked)
    except requests.ConnectionError as error:
        was_cut = isinstance(next(iter(error.args), None), ProtocolError)
        if not was_cut or method not in REPEATABLE:
            raise
    return session.request(method, url, allow_redirects=False, stream=True, **asked)


def _read(answer: requests.Response, max_bytes: int, deadline: float) -> tuple[bytes, bool]:
    """Read as it comes, so that neither an endless nor a dripping answer holds a thread."""
    content = bytearray()
    while len(content) <= max_bytes:
        wanted = min(CHUNK, max_bytes + 1 - len(content))
        part = answer.raw.read1(wanted, decode_content=True)
        if not part:
            return bytes(content), False
        content += part
        if time.monotonic() > deadline:
            raise requests.ReadTimeout
    return bytes(content[:max_bytes]), True


class _Session(requests.Session):
    """Connections that are kept. Safe to use from many threads, for it keeps nothing else."""

    def __init__(self) -> None:
        super().__init__()
        adapter = HTTPAdapter(pool_connections=HOSTS, pool_maxsize=CONNECTIONS)
        self.mount("https://", adapter)
        self.mount("http://", adapter)
        self.headers["User-Agent"] = f"Dockrev/{__version__}"
        self.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
        self.auth = _only_what_is_given

    def get_redirect_target(self, resp: requests.Response) -> None:
        """Leave redirects alone: to look at one, the library reads the whole body first."""


def _only_what_is_given(request: requests.PreparedRequest) -> requests.PreparedRequest:
    """Take a user from the URL, never from a .netrc, whose entry would replace our own header."""
    user, password = get_auth_from_url(request.url or "")
    if user and "Authorization" not in request.headers:
        HTTPBasicAuth(user, password)(request)
    return request


# One for each policy: a connection that one may use must not serve another.
_sessions: dict[addresses.Policy, _Session] = {}


def _session() -> _Session:
    policy = addresses.policy()
    return _sessions.get(policy) or _sessions.setdefault(policy, _Session())


# A forked worker must not talk on its parent's connections.
os.register_at_fork(after_in_child=_sessions.clear)
