"""The one way out: every HTTP request that Dockrev makes.

Proxies come from the environment (HTTP_PROXY, HTTPS_PROXY, NO_PROXY), authorities beside the
built-in ones from REQUESTS_CA_BUNDLE. No URL is logged: a path may hold a token.
"""

from __future__ import annotations

import logging
import os
import re
import time
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from functools import lru_cache, partial
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import requests
from requests.adapters import HTTPAdapter
from requests.auth import _basic_auth_str
from requests.structures import CaseInsensitiveDict
from requests.utils import (
    check_header_validity,
    get_auth_from_url,
    get_environ_proxies,
    select_proxy,
)
from urllib3 import HTTPResponse, Timeout, disable_warnings
from urllib3.exceptions import HTTPError, InsecureRequestWarning, ProtocolError

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
    "user-agent": ("User-Agent", f"Dockrev/{__version__}"),
    "accept": ("Accept", "*/*"),
    "accept-encoding": ("Accept-Encoding", "gzip, deflate"),
}
# A URL that nothing has to be done to: no library reads it in another way than it is written.
_PLAIN = re.compile(
    r"(https?://[a-z0-9][a-z0-9.-]*(?::[0-9]{1,5})?)((?!.*/[./])/[A-Za-z0-9._~!$&'()*+,;=:@/?-]*)"
)
_PROXY_VARIABLES = tuple(
    written
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy")
    for written in (name, name.upper())
)

# urllib3 writes paths into its debug lines and warnings.
logging.getLogger("urllib3").setLevel(logging.ERROR)
disable_warnings(InsecureRequestWarning)  # somebody chose so, and the page says it


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
    asked = _Asked(method, url, headers or {}, body)
    try:
        place = _place(url)
        proxies, verify = _way(place.server, verify, direct=direct)
        connections = _connections(trusted)
        if proxies:
            send = _through_proxy(connections, asked, timeout, proxies, verify)
        else:
            send = _straight(connections.pool(place.server.url, verify), asked, place, timeout)
        with deadlines.until(ends), closing(_answer(method, send)) as answer:
            content, truncated = _read(answer, max_bytes, ends)
    except (requests.RequestException, HTTPError, OSError, ValueError) as error:
        kind = UnknownAuthority if is_unknown_authority(error) else Unreachable
        raise kind(reason(error, url, timeout)) from None
    return Response(answer.status, answer.headers, content, url, truncated)


class _Asked(NamedTuple):
    method: str
    url: str
    headers: Mapping[str, str]
    body: bytes | None


class _Server(NamedTuple):
    url: str
    host: str


class _Place(NamedTuple):
    server: _Server
    target: str
    user: tuple[str, str] = ("", "")


def _place(url: str) -> _Place:
    """Where a URL leads. Raises ValueError where it is no address, or is read in another way by who
    connects."""
    if plain := _PLAIN.fullmatch(url):
        return _Place(_server(plain[1]), plain[2])
    if "\\" in url or not url.lower().startswith(("http://", "https://")):
        raise ValueError
    asked = requests.PreparedRequest()
    asked.prepare_url(url, None)
    parts = urlsplit(asked.url or "")
    server = _server(f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}")
    return _Place(server, asked.path_url, get_auth_from_url(asked.url or ""))


@lru_cache(maxsize=HOSTS)
def _server(url: str) -> _Server:
    """Raises ValueError."""
    asked = requests.PreparedRequest()
    asked.prepare_url(url, None)
    parts = urlsplit(asked.url or "")
    return _Server(f"{parts.scheme}://{parts.netloc}", parts.hostname or "")


def _straight(
    pool: Any, asked: _Asked, place: _Place, timeout: tuple[float, float]
) -> Callable[[], HTTPResponse]:
    """How to ask without a proxy: by urllib3 itself, for what is above it takes longer than all
    below. Raises InvalidHeader."""
    for header in asked.headers.items():
        check_header_validity(header)
    named = {name.lower(): (name, value) for name, value in asked.headers.items()}
    named = {**_HEADERS, **named}
    if place.user[0] and "authorization" not in named:
        named["authorization"] = ("Authorization", _basic_auth_str(*place.user))
    return partial(
        pool.urlopen,
        asked.method,
        place.target,
        body=asked.body,
        headers=dict(named.values()),
        timeout=Timeout(connect=timeout[0], read=timeout[1]),
        retries=False,
        redirect=False,
        preload_content=False,
    )


def _through_proxy(
    connections: HTTPAdapter,
    asked: _Asked,
    timeout: tuple[float, float],
    proxies: dict[str, str],
    verify: bool | str,
) -> Callable[[], HTTPResponse]:
    """How to ask by the library above urllib3, which knows the ways of proxies."""
    prepared = _prepared(asked)

    def send() -> HTTPResponse:
        answer: HTTPResponse = connections.send(
            prepared, stream=True, timeout=timeout, proxies=proxies, verify=verify
        ).raw
        return answer

    return send


def _answer(method: str, send: Callable[[], HTTPResponse]) -> HTTPResponse:
    """Send, and once more if the other side had closed the kept connection that was taken."""
    try:
        return send()
    except (requests.ConnectionError, ProtocolError) as error:
        is_cut = isinstance(error, ProtocolError) or isinstance(
            next(iter(error.args), None), ProtocolError
        )
        if not is_cut or method not in REPEATABLE:
            raise
    return send()


def _way(server: _Server, verify: bool | str, *, direct: bool) -> tuple[dict[str, str], bool | str]:
    """The proxies on the way, if any, and whose certificates count. Raises Forbidden."""
    environment = tuple(map(os.environ.get, _PROXY_VARIABLES))
    proxies = {} if direct else _proxies(server.url, environment)
    if proxies:
        addresses.refuse_literal(server.host)
    if verify is True:
        verify = authorities.bundle() or True
    return proxies, verify


@lru_cache(maxsize=HOSTS)
def _proxies(server: str, environment: tuple[str | None, ...]) -> dict[str, str]:
    """What the environment says. To look through all of it takes longer than many an answer."""
    proxies: dict[str, str] = get_environ_proxies(server)
    return proxies if select_proxy(server, proxies) else {}


def _prepared(asked: _Asked) -> requests.PreparedRequest:
    """The request with what a session of the library would add, but cookies and redirects."""
    prepared = requests.PreparedRequest()
    prepared.prepare_method(asked.method)
    prepared.prepare_url(asked.url, None)
    named = CaseInsensitiveDict({**dict(_HEADERS.values()), **asked.headers})
    prepared.prepare_headers(named)
    prepared.prepare_body(asked.body, None)
    user, password = get_auth_from_url(prepared.url or "")
    if user and "Authorization" not in prepared.headers:
        prepared.prepare_auth((user, password))
    return prepared


def _read(answer: HTTPResponse, max_bytes: int, deadline: float) -> tuple[bytes, bool]:
    """Read as it comes, so that neither an endless nor a dripping answer holds a thread."""
    content = bytearray()
    while len(content) <= max_bytes:
        wanted = min(CHUNK, max_bytes + 1 - len(content))
        part = answer.read1(wanted, decode_content=True)
        if not part:
            return bytes(content), False
        content += part
        if time.monotonic() > deadline:
            raise TimeoutError
    return bytes(content[:max_bytes]), True


class _Connections(HTTPAdapter):
    """Pools of connections that trust some certificates more. Threads share them."""

    def __init__(self, trusted: str) -> None:
        self._tls: dict[str, Any] = {}
        if trusted:
            self._tls["ssl_context"] = authorities.context(trusted)
        super().__init__(pool_connections=HOSTS, pool_maxsize=CONNECTIONS)
        self._pools: dict[tuple[str, bool | str], Any] = {}

    def pool(self, server: str, verify: bool | str) -> Any:
        """The connections to a server, without a proxy."""
        pool: Any = self._pools.get((server, verify))
        if pool is None:
            asked = requests.PreparedRequest()
            asked.url = server
            pool = self.get_connection_with_tls_context(asked, verify)
            self.cert_verify(pool, server, verify, None)  # type: ignore[no-untyped-call]  # the library's
            if len(self._pools) >= HOSTS:
                self._pools.clear()
            self._pools[server, verify] = pool
        return pool

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
