"""Which proxies are believed, and what they say: who calls, from where, in which groups.

Anyone can send such headers. They count only where the connection itself comes from a network in
DOCKREV_TRUSTED_PROXIES, and only the one header that the proxy is known to set: a second name
that meant the same could be smuggled past a proxy that overwrites the first.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from django.conf import settings

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network
MAX_HEADER = 2000


def client_address(environ: Mapping[str, Any]) -> str:
    """The address that a call comes from: beyond the trusted proxies, and no further."""
    peer = str(environ.get("REMOTE_ADDR") or "")
    address = _address(peer)
    if address is None or not _is_trusted(address):
        return peer if address is None else str(address)
    # The end is what the proxy wrote; however much somebody put before it does not push it out.
    for hop in reversed(_header(environ, "X-Forwarded-For")[-MAX_HEADER:].split(",")):
        nearer = _address(hop.strip())
        if nearer is None:
            break
        address = nearer
        if not _is_trusted(address):
            break
    return str(address)


@lru_cache(maxsize=200)
def neighbourhood(address: str) -> str:
    """Whom to count a caller with: whoever has one IPv6 address has the 2^64 beside it."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return "unknown"
    if parsed.version == 4:
        return str(parsed)
    return str(ipaddress.ip_network((parsed, 64), strict=False).network_address)


def forwarded_name(environ: Mapping[str, Any]) -> str:
    """The user name that a trusted proxy vouches for; empty if there is none."""
    if not is_from_proxy(environ):
        return ""
    return _header(environ, settings.FORWARDED_USER_HEADER)[:MAX_HEADER].strip()


def forwarded_groups(environ: Mapping[str, Any]) -> set[str]:
    """The groups that a trusted proxy vouches for, in lower case."""
    if not settings.FORWARDED_GROUPS_HEADER or not is_from_proxy(environ):
        return set()
    text = _header(environ, settings.FORWARDED_GROUPS_HEADER)[:MAX_HEADER]
    text = text.replace(";", ",").replace("|", ",")
    return {name.strip().lower() for name in text.split(",") if name.strip()}


def is_from_proxy(environ: Mapping[str, Any]) -> bool:
    address = _address(str(environ.get("REMOTE_ADDR") or ""))
    return address is not None and _is_trusted(address)


@lru_cache(maxsize=8)
def networks(written: tuple[str, ...]) -> tuple[Network, ...]:
    """Read addresses and networks. Raises ValueError, which names the one that is wrong."""
    return tuple(ipaddress.ip_network(text.strip(), strict=False) for text in written)


def _is_trusted(address: Address) -> bool:
    return any(address in network for network in networks(tuple(settings.TRUSTED_PROXIES)))


@lru_cache(maxsize=200)
def _address(text: str) -> Address | None:
    """Read an address, also `[2001:db8::1]:443` and `192.0.2.1:443` as some proxies write it."""
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return None
    mapped = getattr(address, "ipv4_mapped", None)
    return mapped or address


def _header(environ: Mapping[str, Any], name: str) -> str:
    """A header's text. WSGI reads its bytes as Latin-1; proxies write UTF-8."""
    value = str(environ.get(f"HTTP_{name.upper().replace('-', '_')}") or "")
    try:
        return value.encode("latin-1").decode()
    except UnicodeError:
        return ""
