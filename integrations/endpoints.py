"""Addresses that people give us for a provider: absolute, encrypted, and without extras."""

from __future__ import annotations

import ipaddress
from urllib.parse import urlsplit

from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _

MAX_URL = 500


def check_endpoint(url: str, *, may_be_plain: bool = False) -> str:
    """Return the URL without a trailing slash.

    Raises ValidationError unless it is absolute https; http will do for loopback, and anywhere
    where people know their own network.
    """
    try:
        parts = urlsplit(url)
        host, _port = parts.hostname or "", parts.port
    except ValueError:
        host, parts = "", urlsplit("")
    may_be_plain = may_be_plain or is_loopback(host)
    secure = parts.scheme == "https" or (parts.scheme == "http" and may_be_plain)
    plain = not (parts.username or parts.password or parts.query or parts.fragment)
    if not (secure and host and plain and url.isprintable() and not {" ", "\\"} & set(url)):
        if may_be_plain and not is_loopback(host):
            raise ValidationError(_("This must be an absolute URL, without user name or query."))
        raise ValidationError(_("This must be an absolute https URL (http only for loopback)."))
    return url.rstrip("/")


def is_plain(url: str) -> bool:
    """Whether what is sent there can be read on the way: over http, and not within this machine."""
    parts = urlsplit(url)
    return parts.scheme == "http" and not is_loopback(parts.hostname or "")


def is_loopback(host: str) -> bool:
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
