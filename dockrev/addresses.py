"""Where Dockrev may connect to, whoever in this process asks: its own client or a library.

Held in urllib3's `create_connection`, through which every HTTP library here goes, also Apprise and
the Docker SDK. A name is resolved once, every address that it has is looked at, and the connection
goes to one of those addresses, so that a name cannot change its mind in between.

What holds with a proxy: one that the environment names (HTTP_PROXY, HTTPS_PROXY, ALL_PROXY) is the
operator's word, and it alone is connected to. It resolves the names, so that of a target only a
literal address can be judged here (`refuse_literal`); what else it reaches is the proxy's to say.
"""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from contextvars import ContextVar
from enum import Enum
from typing import Any
from urllib.parse import urlsplit
from urllib.request import getproxies

from django.conf import settings
from django.utils.translation import gettext as _
from urllib3.util import connection

from dockrev import deadlines

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
_connect_to = connection.create_connection

KNOWN = 1024  # hosts of which is kept where they answered from
TRIED = 6  # addresses of one name: a name may have thousands that do not answer

# Link-local, and where clouds answer with their machine's credentials.
_NEVER = [
    ipaddress.ip_network(text)
    for text in (
        "169.254.0.0/16",
        "100.100.100.200/32",
        "168.63.129.16/32",
        "192.0.0.192/32",
        "fe80::/10",
        "fd00:ec2::/32",
        "fd20:ce::254/128",
    )
]
_NAT64 = [ipaddress.IPv6Network(text) for text in ("64:ff9b::/96", "64:ff9b:1::/48")]
_IPV4_COMPATIBLE = ipaddress.IPv6Network("::/96")
_GLOBAL_UNICAST = ipaddress.IPv6Network("2000::/3")


class Forbidden(OSError):
    """The policy refuses this address; the text names the host as it was written."""


class Policy(Enum):
    """Who named the target: the environment, a person with a right to, or anybody."""

    TRUSTED = "trusted"
    TYPED = "typed"
    OUTSIDE = "outside"


_held: ContextVar[Policy] = ContextVar("policy", default=Policy.TYPED)
_outside: dict[str, bool] = {}  # by host: whether it ever answered from the Internet


def enforce() -> None:
    """Hold the policy for the rest of this process. Again is harmless."""
    connection.create_connection = _create_connection


def policy() -> Policy:
    """What holds now: without any context a person has typed the target."""
    held = _held.get()
    if held is Policy.TYPED and settings.PUBLIC_TARGETS_ONLY:
        return Policy.OUTSIDE
    return held


def from_outside() -> AbstractContextManager[None]:
    """Inside, a payload or a stranger has named the target: only global addresses are called.

    Like every context variable it does not reach threads that are started inside.
    """
    return _holding(Policy.OUTSIDE)


def from_the_environment() -> AbstractContextManager[None]:
    """Inside, the operator's environment has named the target, such as the Docker Engine."""
    return _holding(Policy.TRUSTED)


def named_by(host: str) -> AbstractContextManager[None]:
    """Inside, `host` has named the target, by a redirect or a token realm.

    A host on the home network may send us to its neighbours, one on the Internet may not. Where it
    answered from counts, not what its name says by now, or says beside that.
    """
    outside = _outside.get(_bare(host))
    if outside is None:
        outside = _is_public(host)
    return _holding(Policy.OUTSIDE if outside else _held.get())


def connect(host: str, port: int, timeout: float) -> socket.socket:
    """Connect as the policy has it, for protocols that no library of HTTP speaks. Raises OSError.

    No proxy is asked, and where `deadlines.until` holds, this ends by then.
    """
    return _create_connection((host, port), timeout)


def refuse_literal(host: str) -> None:
    """Raise Forbidden if `host` is written as an address, and one that may not be called."""
    address = _literal(host.rstrip("."))
    if address is not None:
        _refuse(address, host)


def _literal(host: str) -> Address | None:
    """The address that a host is written as, also where old libraries alone take it for one, such
    as 2852039166 or 0xa9.254.1: a proxy may use them."""
    for read in (ipaddress.ip_address, lambda text: ipaddress.IPv4Address(socket.inet_aton(text))):
        with suppress(ValueError, OSError):
            return read(host)
    return None


@contextmanager
def _holding(wanted: Policy) -> Iterator[None]:
    token = _held.set(wanted)
    try:
        yield
    finally:
        _held.reset(token)


def _is_public(host: str) -> bool:
    """Whether a name stands for the Internet; one that does not resolve here is not known to."""
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
        return any(_is_global(ipaddress.ip_address(info[4][0])) for info in found)
    except (OSError, UnicodeError):
        return False


def _create_connection(address: tuple[str, int], *args: Any, **kwargs: Any) -> socket.socket:
    """Take `urllib3.util.connection.create_connection`'s place."""
    host, port = address[0].strip("[]"), address[1]
    family = connection.allowed_gai_family()
    try:
        found = socket.getaddrinfo(host, port, family, socket.SOCK_STREAM)
    except UnicodeError as error:
        raise socket.gaierror(socket.EAI_NONAME, str(error)) from None
    targets = list(dict.fromkeys(str(info[4][0]) for info in found))
    try:
        targets = _allowed(targets, host)
    except Forbidden:
        if not _is_proxy(host, port):
            raise
    target, connected = _first_of(targets, port, args, kwargs)
    _remember(host, ipaddress.ip_address(target))
    return connected


def _allowed(targets: list[str], host: str) -> list[str]:
    """Those that may be called. A name at home often has a global IPv6 address beside a private
    IPv4 one: where only the Internet may be called, that one is. Raises Forbidden if none may."""
    for target in targets:
        _refuse_always(ipaddress.ip_address(target), host)
    if policy() is not Policy.OUTSIDE:
        return targets
    allowed = [target for target in targets if _is_global(ipaddress.ip_address(target))]
    if targets and not allowed:
        _refuse(ipaddress.ip_address(targets[0]), host)
    return allowed


def _remember(host: str, address: Address) -> None:
    """Note where a host answers from. One that was ever met on the Internet stays there: kept
    connections lead to it still."""
    known = _bare(host)
    was_outside = _outside.get(known, False)
    if known not in _outside and len(_outside) >= KNOWN:
        _outside.pop(next(iter(_outside)), None)
    _outside[known] = was_outside or _is_global(address)


def _bare(host: str) -> str:
    return host.lower().rstrip(".")


def _first_of(targets: list[str], port: int, args: Any, kwargs: Any) -> tuple[str, socket.socket]:
    """The first address that lets us connect, and the connection."""
    failure = OSError("the name has no address")
    for target in targets[:TRIED]:
        try:
            return target, _connect_to((target, port), *_in_time(args), **kwargs)
        except OSError as error:
            failure = error
        if deadlines.is_over():
            break
    raise failure


def _in_time(args: tuple[Any, ...]) -> tuple[Any, ...]:
    """The arguments after the address; the first is the timeout, a number where there is one."""
    if args and isinstance(args[0], int | float):
        return deadlines.at_most(args[0]), *args[1:]
    return args


def _refuse(address: Address, host: str) -> None:
    """Raise Forbidden if the address, which is what `host` stands for, may not be called."""
    _refuse_always(address, host)
    if policy() is Policy.OUTSIDE and not _is_global(address):
        text = _("%(host)s is not on the Internet; only global addresses may be called here.")
        raise Forbidden(text % {"host": host})


def _refuse_always(address: Address, host: str) -> None:
    meant = (address, *_carried(address))
    if any(each in network for each in meant for network in _NEVER):
        text = _("%(host)s is a link-local or cloud metadata address; Dockrev never calls those.")
        raise Forbidden(text % {"host": host})


def _carried(address: Address) -> list[ipaddress.IPv4Address]:
    """The IPv4 addresses inside an IPv6 one, for some gateway to take out again."""
    if isinstance(address, ipaddress.IPv4Address):
        return []
    inside = [address.ipv4_mapped, address.sixtofour, *(address.teredo or ())]
    if any(address in network for network in (*_NAT64, _IPV4_COMPATIBLE)):
        inside.append(ipaddress.IPv4Address(int(address) & 0xFFFFFFFF))
    return [each for each in inside if each is not None]


def _is_global(address: Address) -> bool:
    """Global unicast and nothing else inside; the library's `is_global` alone takes more."""
    if isinstance(address, ipaddress.IPv4Address):
        return address.is_global and not address.is_multicast
    inside_too = all(_is_global(each) for each in _carried(address))
    if address.ipv4_mapped or address in _NAT64[0]:
        return inside_too
    return address in _GLOBAL_UNICAST and address.is_global and inside_too


def _is_proxy(host: str, port: int) -> bool:
    for url in getproxies().values():
        parts = urlsplit(url if "//" in url else f"//{url}")
        try:
            if parts.hostname == host.lower() and port == (parts.port or _port_of(parts.scheme)):
                return True
        except ValueError:
            continue
    return False


def _port_of(scheme: str) -> int:
    return 443 if scheme == "https" else 80
