"""The configuration of a channel: checked by its transport's form, shown without its secrets.

What is shown may come back: a value equal to what is shown for it stays as it was.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import urlsplit

from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _

from dockrev.fields import MASK
from notifications.channels import TRANSPORTS
from notifications.channels.base import Transport


def masked(kind: str, config: Mapping[str, Any]) -> dict[str, Any]:
    """The configuration as it may be shown: of a URL no more than where it leads."""
    transport = TRANSPORTS[kind]
    return {name: _shown(transport, name, value) for name, value in config.items()}


def cleaned(kind: str, given: Mapping[str, Any], stored: Mapping[str, Any]) -> dict[str, Any]:
    """Bring what was given over what is stored, and check the whole.

    A field that is absent, masked or, for a secret, empty stays; null clears it. But secrets
    are for one server: where the address leads to another they have to be given again, or
    cleared. Raises ValidationError with the message of each field.
    """
    transport = TRANSPORTS[kind]
    whole = dict(stored)
    for name in transport.form.base_fields:
        if name in given:
            whole[name] = _kept(transport, name, given[name], stored.get(name))
    for name in given:
        if name not in transport.form.base_fields:
            raise ValidationError({name: _("This channel has no such field.")})
    form = transport.form(_typed(transport.completed(whole, stored)))
    if not form.is_valid():
        raise ValidationError({name: messages[0] for name, messages in form.errors.items()})
    before = stored.get(transport.address)
    if before and _origin(before) != _origin(form.cleaned_data[transport.address]):
        _require_anew(transport.secret_fields, given, stored)
    return {name: value for name, value in form.cleaned_data.items() if value not in (None, "", {})}


def _shown(transport: type[Transport], name: str, value: Any) -> Any:
    if name in transport.shows_scheme and isinstance(value, str) and "://" in value:
        return f"{value.partition('://')[0]}://{MASK}"
    return _masked(value, secret=name in transport.secret_fields)


def _masked(value: Any, *, secret: bool) -> Any:
    if isinstance(value, dict):
        return {name: MASK if secret else part for name, part in value.items()}
    if secret:
        return MASK if value else None
    return _masked_url(value) if isinstance(value, str) and "://" in value else value


def _masked_url(url: str) -> str:
    """Chat services put their secret into the path, others into the query or before the host."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return MASK
    bare = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"
    rest = parts.path.strip("/") or parts.query or parts.fragment or "@" in parts.netloc
    return f"{bare}/{MASK}" if rest else url


def _kept(transport: type[Transport], name: str, given: Any, stored: Any) -> Any:
    if name in transport.secret_fields and given == "":
        return stored
    if isinstance(given, dict):
        before = stored if isinstance(stored, dict) else {}
        return {name: before.get(name) if part == MASK else part for name, part in given.items()}
    shown = _shown(transport, name, stored) if stored else None
    return stored if given is not None and given == shown else given


def _origin(url: str) -> tuple[str, str]:
    """Whose server an address leads to. It has been checked by its form."""
    parts = urlsplit(url)
    server = parts.netloc.rpartition("@")[2].lower()
    return parts.scheme, server.removesuffix(":443" if parts.scheme == "https" else ":80")


def _require_anew(
    secrets: Iterable[str], given: Mapping[str, Any], stored: Mapping[str, Any]
) -> None:
    wrong = _("The URL leads to another server now: enter this again, or have none.")
    kept = [name for name in sorted(secrets) if stored.get(name) and _is_kept(given, name)]
    if kept:
        raise ValidationError(dict.fromkeys(kept, wrong))


def _is_kept(given: Mapping[str, Any], name: str) -> bool:
    value = given.get(name, MASK)
    return value in ("", MASK) or (isinstance(value, dict) and MASK in value.values())


def _typed(config: Mapping[str, Any]) -> dict[str, Any]:
    """Django's forms make text of whatever they are given; a list is no URL."""
    for name, value in config.items():
        if value is not None and not isinstance(value, str | int | bool | dict):
            raise ValidationError({name: _("This has the wrong type.")})
        if isinstance(value, str) and MASK in value:
            raise ValidationError({name: _("Enter this anew; only its mask was given.")})
    return dict(config)
