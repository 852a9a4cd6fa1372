"""Whether what people paste is a certificate and the key of it, or a key for ssh.

No text quotes anything of what was given.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

from django.utils.translation import gettext as _

MOST_CHARACTERS = 20_000


class BadKey(ValueError):
    """The text is for people."""


def of_tls(key: str, certificate: str) -> str:
    """The key, if it is that of the certificate. Raises BadKey."""
    found = _private(key, _library("serialization").load_pem_private_key)
    try:
        first = import_module("cryptography.x509").load_pem_x509_certificate(certificate.encode())
        belongs = first.public_key() == found.public_key()
    except ValueError:
        raise BadKey(_("The certificate cannot be read.")) from None
    if not belongs:
        raise BadKey(_("This key does not belong to the client certificate."))
    return _ended(key)


def of_ssh(key: str) -> str:
    """A private key as ssh reads it. Raises BadKey."""
    read = _library("serialization")
    is_ours = "BEGIN OPENSSH PRIVATE KEY" in key
    _private(key, read.load_ssh_private_key if is_ours else read.load_pem_private_key)
    return _ended(key)


def _private(key: str, load: Any) -> Any:
    if "PRIVATE KEY-----" not in key:
        raise BadKey(_("Paste a private key as PEM: -----BEGIN … PRIVATE KEY-----."))
    try:
        return load(_ended(key).encode(), None)
    except TypeError:
        raise BadKey(_("This key has a passphrase, for which nobody could be asked.")) from None
    except ValueError as error:
        if "password" in str(error).lower():
            raise BadKey(_("This key has a passphrase, for which nobody could be asked.")) from None
        raise BadKey(_("This key cannot be read.")) from None
    except import_module("cryptography.exceptions").UnsupportedAlgorithm:
        raise BadKey(_("Keys of this kind cannot be used.")) from None


def _ended(key: str) -> str:
    """With the line ends that ssh wants, also after the last."""
    return "\n".join(line.rstrip() for line in key.strip().splitlines()) + "\n"


def _library(name: str) -> Any:
    return import_module(f"cryptography.hazmat.primitives.{name}")
