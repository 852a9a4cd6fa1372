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
from functools import lru_cache
from typing import Any
from urllib.parse import urlsplit

import requests
from requests.adapters import HTTPAdapter
from requests.structures import CaseInsensitiveDict
from requests.utils import get_auth_from_url, get_environ_proxies, select_proxy
from urllib3.exceptions import HTTPError, ProtocolError

from dockrev import __version__, addresses, authorities, deadlines
from dockrev.unreachable import is_unknown_authority, reason

HOSTS = 256  # pools kept
KEPT = 256  # sets of pools; one that a registry's old certificates were for is of no more use
CONNECTIONS = 32  # kept open to each
CHUNK = 64 * 1024
# Seconds for one answer, head and body, however steadily it drips.
LONGEST_BODY = 60.0
REPEATABLE = {"GET", "HEAD"}

_HEADERS = {
    "User-Agent": f"Dockrev/{__version__}",
    "Accept": "*/*",
    "Accept-Encoding": "gzip, deflate",
}
_AUTHORITIES = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")
_PROXY_VARIABLES = tuple(
    written
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy")
    for written in (name, name.upper())
)

# urllib3 writes paths into its debug lines and warnings.
logging.getLogger("urllib3").setLevel(logging.ERROR)


class Unreachable(Exception):
    """No answer came; the text says why in words for people and names the host, never the path."""


class UnknownAuthority(Unreachable):
    """Who signed the certificate is trusted by nobody here."""


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
    longest_body: float = LONGEST_BODY,
    verify: bool | str = True,
    trusted: str = "",
    direct: bool = False,
) -> Response:
    """Send one request and read at most `max_bytes` of its answer. Redirects are not followed.

    `timeout` is seconds to connect and seconds between bytes, `longest_body` seconds for all of
    the answer's body. `trusted` are certificates, as PEM, that may sign the server's besides those
    that everybody trusts. `direct` takes no proxy, so that the address that is connected to is one
    that was looked at here. Raises Unreachable.
    """
    ends = time.monotonic() + timeout[0] + longest_body
    try:
        asked = _prepared(method, url, headers or {}, body)
        way = {"timeout": timeout, **_way(url, verify, direct=direct)}
        with deadlines.until(ends), _send(_connections(trusted), asked, way) as answer:
            content, truncated = _read(answer, max_bytes, ends)
    except (requests.RequestException, HTTPError, OSError, ValueError) as error:
        kind = UnknownAuthority if is_unknown_authority(error) else Unreachable
        raise kind(reason(error, url, timeout)) from None
    return Response(answer.status_code, answer.headers, content, url, truncated)


def _prepared(
    method: str, url: str, headers: Mapping[str, str], body: bytes | None
) -> requests.PreparedRequest:
    """The request with what a session of the library would add, but cookies and redirects.

    Raises ValueError where the URL is no address, or is read in another way by who connects.
    """
    if "\\" in url or not url.lower().startswith(("http://", "https://")):
        raise ValueError
    asked = requests.PreparedRequest()
    asked.prepare_method(method)
    asked.prepare_url(url, None)
    asked.prepare_headers(CaseInsensitiveDict({**_HEADERS, **headers}))
    asked.prepare_body(body, None)
    user, password = get_auth_from_url(asked.url or "")
    if user and "Authorization" not in asked.headers:
        asked.prepare_auth((user, password))
    return asked


def _send(
    connections: HTTPAdapter, asked: requests.PreparedRequest, way: Mapping[str, Any]
) -> requests.Response:
    """Send, and once more if the other side had closed the kept connection that was taken."""
    try:
        return connections.send(asked, stream=True, **way)
    except requests.ConnectionError as error:
        was_cut = isinstance(next(iter(error.args), None), ProtocolError)
        if not was_cut or asked.method not in REPEATABLE:
            raise
    return connections.send(asked, stream=True, **way)


def _way(url: str, verify: bool | str, *, direct: bool) -> dict[str, Any]:
    """The proxies on the way, and whose certificates count. Raises Forbidden."""
    parts = urlsplit(url)
    environment = tuple(map(os.environ.get, _PROXY_VARIABLES))
    proxies = {} if direct else _proxies(f"{parts.scheme}://{parts.netloc}", environment)
    if select_proxy(url, proxies):
        addresses.refuse_literal(parts.hostname or "")
    if verify is True:
        verify = next(filter(None, map(os.environ.get, _AUTHORITIES)), True)
    return {"proxies": proxies, "verify": verify}


@lru_cache(maxsize=HOSTS)
def _proxies(server: str, environment: tuple[str | None, ...]) -> dict[str, str]:
    """What the environment says. To look through all of it takes longer than many an answer."""
    return get_environ_proxies(server)


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


class _Connections(HTTPAdapter):
    """Pools of connections that trust some certificates more. Threads share them."""

    def __init__(self, trusted: str) -> None:
        self._tls: dict[str, Any] = {}
        if trusted:
            self._tls["ssl_context"] = authorities.context(trusted)
        super().__init__(pool_connections=HOSTS, pool_maxsize=CONNECTIONS)

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **{**kwargs, **self._tls})
        self.poolmanager.pool_classes_by_scheme = deadlines.POOLS

    def proxy_manager_for(self, proxy: str, **kwargs: Any) -> Any:
        manager = super().proxy_manager_for(proxy, **{**kwargs, **self._tls})
        if not proxy.lower().startswith("socks"):  # which connects in a way of its own
            manager.pool_classes_by_scheme = deadlines.POOLS
        return manager


# One for each policy, and for whom it trusts: a connection that one may use must not serve another.
_kept: dict[tuple[addresses.Policy, str], _Connections] = {}


def _connections(trusted: str) -> _Connections:
    key = addresses.policy(), trusted
    if len(_kept) >= KEPT:
        _kept.clear()
    return _kept.get(key) or _kept.setdefault(key, _Connections(trusted))


# A forked worker must not talk on its parent's connections.
os.register_at_fork(after_in_child=_kept.clear)
