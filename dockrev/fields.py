"""Model fields: prefixed ids, and secrets that the database never sees in clear."""

from __future__ import annotations

from functools import lru_cache, partial
from typing import TYPE_CHECKING, Any

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from django import forms
from django.conf import settings
from django.core.exceptions import FieldError
from django.db import models
from django.utils.translation import gettext as _

from dockrev.ids import new_id

if TYPE_CHECKING:
    TextFieldBase = models.TextField[str, str]
    CharFieldBase = models.CharField[str, str]
else:
    TextFieldBase = models.TextField
    CharFieldBase = models.CharField

MASK = "••••••••"  # a secret that is set, in a field of its own
HIDDEN = "••••"  # a secret within what is shown otherwise


class UnreadableSecret(Exception):
    """A stored secret does not decrypt with the keys at hand; it has to be entered again."""


@lru_cache(maxsize=4)
def _cipher(keys: tuple[str, ...]) -> MultiFernet:
    return MultiFernet([Fernet(key) for key in keys])


def encrypt(value: str) -> str:
    return _cipher(tuple(settings.ENCRYPTION_KEYS)).encrypt(value.encode()).decode()


def decrypt(token: str) -> str:
    """Return the clear text. Raises UnreadableSecret if no key fits."""
    return _decrypted(token, tuple(settings.ENCRYPTION_KEYS))


@lru_cache(maxsize=64)
def _decrypted(token: str, keys: tuple[str, ...]) -> str:
    """Remembered, in memory only: every call of a registry needs its receiver's secret."""
    try:
        return _cipher(keys).decrypt(token.encode()).decode()
    except InvalidToken:
        raise UnreadableSecret(_("This secret cannot be read with the present key.")) from None


class SecretInput(forms.CharField):
    """Takes a secret and never shows one. Empty, or the mask, means: as it was."""

    def __init__(self, **kwargs: Any) -> None:
        widget = forms.PasswordInput(attrs={"autocomplete": "new-password"})
        super().__init__(**{**kwargs, "widget": widget, "required": False, "strip": False})

    def has_changed(self, initial: Any, data: Any) -> bool:
        return bool(data) and data != MASK


class SecretField(TextFieldBase):
    """Text encrypted at rest. An empty value stays empty; nothing but `isnull` can look it up."""

    def get_prep_value(self, value: Any) -> Any:
        value = super().get_prep_value(value)
        return encrypt(value) if value else value

    def from_db_value(self, value: str | None, *_given: object) -> str | None:
        return decrypt(value) if value else value

    def get_lookup(self, lookup_name: str) -> Any:
        if lookup_name == "isnull":
            return super().get_lookup(lookup_name)
        raise FieldError(f"A secret cannot be looked up by {lookup_name}.")

    def formfield(self, **kwargs: Any) -> Any:
        return super().formfield(**{**kwargs, "form_class": SecretInput})

    def save_form_data(self, instance: models.Model, data: Any) -> None:
        """Keep what is stored when the form came back empty or with the mask."""
        if data and data != MASK:
            super().save_form_data(instance, data)


class IdField(CharFieldBase):
    """A primary key such as `svc_01k9…`, made when the row is made."""

    def __init__(self, prefix: str = "", **kwargs: Any) -> None:
        self.prefix = prefix
        kwargs.update(
            max_length=32, primary_key=True, editable=False, default=partial(new_id, prefix)
        )
        super().__init__(**kwargs)

    def deconstruct(self) -> tuple[str, str, Any, Any]:
        name, path, args, kwargs = super().deconstruct()
        for fixed in ("max_length", "primary_key", "editable", "default"):
            kwargs.pop(fixed, None)
        return name, path, args, {**kwargs, "prefix": self.prefix}
