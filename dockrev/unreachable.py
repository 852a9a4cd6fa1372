"""Why no answer came, in words for people. The host is named, never path, query or user."""

from __future__ import annotations

import errno
import socket
import ssl
from collections.abc import Callable, Iterator
from http.client import HTTPException
from urllib.parse import urlsplit

from django.utils.translation import gettext_lazy as _
from requests import exceptions as requests_errors
from urllib3 import exceptions as urllib3_errors

from dockrev.addresses import Forbidden

Words = Callable[[BaseException], object]

NO_ROUTE = {errno.ENETUNREACH, errno.EHOSTUNREACH, errno.ENETDOWN, errno.EHOSTDOWN}
# What OpenSSL calls a server that answers in clear text.
NOT_TLS = {"WRONG_VERSION_NUMBER", "HTTP_REQUEST", "RECORD_LAYER_FAILURE", "PACKET_LENGTH_TOO_LONG"}
# X509_V_ERR_…: signed by itself, by one that signs itself, or by one that is not there.
UNKNOWN_AUTHORITY = {18, 19, 20, 21}
MALFORMED = (
    requests_errors.InvalidURL,
    requests_errors.MissingSchema,
    requests_errors.InvalidSchema,
    urllib3_errors.LocationParseError,
)


def reason(error: Exception, url: str, timeout: tuple[float, float]) -> str:
    """Say what went wrong. The first of the causes that a person can do something about counts."""
    causes = list(_causes(error))
    named = {"host": host_of(url), "connect": timeout[0], "read": timeout[1]}
    for kinds, words in _WORDS:
        for cause in causes:
            if isinstance(cause, kinds) and (text := str(words(cause))):
                return text % named
    return str(_("%(host)s could not be asked.") % named)


def is_unknown_authority(error: Exception) -> bool:
    """Whether all that is wrong with a certificate is that nobody here trusts who signed it."""
    codes = {getattr(cause, "verify_code", None) for cause in _causes(error)}
    return bool(codes & UNKNOWN_AUTHORITY)


def host_of(url: str) -> str:
    """The host, with its port where one is written."""
    try:
        parts = urlsplit(url)
        host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
        return f"{host}:{parts.port}" if parts.port else host or str(_("The address"))
    except ValueError:
        return str(_("The address"))


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def _forbidden(error: BaseException) -> str:
    return str(error).replace("%", "%%")


def _unknown_name(error: BaseException) -> object:
    if isinstance(error, OSError) and error.errno == socket.EAI_AGAIN:
        return _("The name of %(host)s could not be looked up: no name server answered.")
    return _("The name of %(host)s is not known.")


def _untrusted(error: BaseException) -> str:
    why = getattr(error, "verify_message", "") or ""
    text = _("The certificate of %(host)s is not trusted")
    return f"{text}: {why.replace('%', '%%')}." if why else f"{text}."


def _insecure(error: BaseException) -> object:
    if isinstance(error, ssl.SSLError) and error.reason in NOT_TLS:
        return _("%(host)s does not answer with TLS; it may have to be asked with plain http.")
    return _("No secure connection to %(host)s could be made.")


def _no_route(error: BaseException) -> object:
    if isinstance(error, OSError) and error.errno in NO_ROUTE:
        return _("There is no way from here to %(host)s.")
    return ""


def _always(text: object) -> Words:
    return lambda _error: text


_WORDS: list[tuple[type[BaseException] | tuple[type[BaseException], ...], Words]] = [
    (Forbidden, _forbidden),
    (MALFORMED, _always(_("%(host)s is not part of a valid http or https address."))),
    (
        requests_errors.InvalidHeader,
        _always(_("A header for %(host)s holds forbidden characters.")),
    ),
    (UnicodeError, _always(_("A header for %(host)s holds forbidden characters."))),
    (
        requests_errors.ProxyError,
        _always(_("The proxy did not let a request to %(host)s through.")),
    ),
    (socket.gaierror, _unknown_name),
    (ssl.SSLCertVerificationError, _untrusted),
    (ssl.SSLError, _insecure),
    (requests_errors.SSLError, _insecure),
    (ConnectionRefusedError, _always(_("%(host)s refused the connection."))),
    (OSError, _no_route),
    (
        (requests_errors.ConnectTimeout, urllib3_errors.ConnectTimeoutError),
        _always(_("%(host)s could not be reached within %(connect)g s.")),
    ),
    (
        (requests_errors.ReadTimeout, urllib3_errors.ReadTimeoutError, TimeoutError),
        _always(_("%(host)s did not answer within %(read)g s.")),
    ),
    (
        (urllib3_errors.DecodeError, requests_errors.ContentDecodingError),
        _always(_("%(host)s sent an answer that cannot be unpacked.")),
    ),
    (
        (urllib3_errors.ProtocolError, HTTPException, ConnectionError),
        _always(_("%(host)s broke off before its answer was whole.")),
    ),
    (ValueError, _always(_("%(host)s is not part of a valid http or https address."))),
]
