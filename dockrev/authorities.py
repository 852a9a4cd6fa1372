"""Certificates that are trusted besides those that everybody trusts: a private CA's, as PEM."""

from __future__ import annotations

import os
import re
import ssl
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib import import_module
from typing import TYPE_CHECKING, Any

from django.utils import timezone
from django.utils.translation import gettext as _

if TYPE_CHECKING:
    from cryptography.x509 import Certificate

MOST_CHARACTERS = 64 * 1024
MOST_CERTIFICATES = 20

# Private CAs write the end of all years for "never", which is in none in zones east of Greenwich.
_FIRST, _LAST = datetime(1900, 1, 1, tzinfo=UTC), datetime(9999, 1, 1, tzinfo=UTC)
_VARIABLES = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")
_BLOCK = re.compile(r"-----BEGIN ([A-Z0-9 ]{1,60})-----")


class BadAuthorities(ValueError):
    """The text is for people, and quotes nothing of what was given: that may be a private key."""


@dataclass(frozen=True)
class Authority:
    """One certificate: whose it is, and when it ends, as far as that can be told in any zone."""

    name: str
    ends_at: datetime


def bundle() -> str:
    """The file or folder of authorities that the environment names; empty where it names none."""
    return next(filter(None, map(os.environ.get, _VARIABLES)), "")


def normal(text: str) -> str:
    """The certificates of a text and nothing else of it. Raises BadAuthorities.

    At least one of them must still be good.
    """
    found = _certificates(text)
    last = max(_end(each) for each in found)
    if last <= timezone.now():
        text = _("This certificate ended on %(day)s.")
        raise BadAuthorities(text % {"day": timezone.localtime(last).strftime("%Y-%m-%d")})
    pem = _library("hazmat.primitives.serialization").Encoding.PEM
    # Lines that were longer are more now.
    return _short("".join(each.public_bytes(pem).decode() for each in found))


def read(text: str) -> list[Authority]:
    """Whose certificates a text holds, and when they end. Raises BadAuthorities."""
    return [Authority(_name(each), _end(each)) for each in _certificates(text)]


def context(pem: str) -> ssl.SSLContext:
    """Trusts these besides what the connection itself brings. ssl.SSLError if they are none."""
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    made.load_verify_locations(cadata=pem)
    # As Docker does: a certificate in the middle of a chain, or a server's own, can be trusted.
    made.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    return made


def _certificates(text: str) -> list[Certificate]:
    kinds = _BLOCK.findall(_short(text))
    if any("PRIVATE KEY" in kind for kind in kinds):
        raise BadAuthorities(
            _("There is a private key in this. Dockrev needs, and keeps, certificates alone.")
        )
    if not kinds or any(kind != "CERTIFICATE" for kind in kinds):
        raise BadAuthorities(
            _("Paste certificates as PEM: -----BEGIN CERTIFICATE-----, and what follows.")
        )
    if len(kinds) > MOST_CERTIFICATES:
        most = {"most": MOST_CERTIFICATES}
        raise BadAuthorities(_("There are more than %(most)d certificates in this.") % most)
    try:
        return list(_library("x509").load_pem_x509_certificates(text.encode()))
    except ValueError:
        raise BadAuthorities(_("One of these certificates cannot be read.")) from None


def _short(text: str) -> str:
    if len(text) > MOST_CHARACTERS:
        raise BadAuthorities(_("This is too long: paste the CA's certificate alone."))
    return text


def _end(certificate: Certificate) -> datetime:
    try:
        ends: datetime = certificate.not_valid_after_utc
    except ValueError:  # in the year 0
        raise BadAuthorities(_("One of these certificates cannot be read.")) from None
    return max(_FIRST, min(ends, _LAST))


def _library(part: str) -> Any:
    """Loaded when it is first needed: it takes 7 MB, and most people enter no certificate."""
    return import_module(f"cryptography.{part}")


def _name(certificate: Certificate) -> str:
    """The common name, or else the whole one."""
    try:
        kind = _library("x509").NameOID.COMMON_NAME
        common = certificate.subject.get_attributes_for_oid(kind)
        name = str(common[0].value) if common else certificate.subject.rfc4514_string()
    except ValueError:
        name = ""
    return name[:200] or _("without a name")
