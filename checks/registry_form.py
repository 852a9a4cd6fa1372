"""The form of a registry, for API, pages and admin alike."""

from __future__ import annotations

from typing import Any, ClassVar

from django import forms
from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from checks.models import Registry
from checks.registry.reference import is_host_name, normal_host
from dockrev import authorities
from dockrev.errors import Conflict
from dockrev.fields import MASK, SecretInput, UnreadableSecret
from dockrev.forms import RowForm

MOST = 500
MAX_PASSWORD = 20_000  # Google's keys are whole JSON files

# What was known of a registry belongs to its name, and why it did not answer to how it was asked.
_OF_A_HOST: dict[str, Any] = {
    "cooldown_until": None,
    "rests_in_a_row": 0,
    "last_ok_at": None,
    "limit_most": None,
    "limit_remaining": None,
    "limit_window": None,
    "limit_seen_at": None,
    "unreachable_since": None,
    "unreachable_at": None,
    "reached_at": None,
    "outage_told_at": None,
}


class RegistryForm(RowForm):
    """A stored password goes to no other place than the one for which it was entered.

    It is not among the fields of the row that are read for the form.
    """

    also: ClassVar[tuple[str, ...]] = ("last_error", *_OF_A_HOST)
    password = SecretInput(label=gettext_lazy("Password or token"), max_length=MAX_PASSWORD)
    authorities = forms.CharField(
        label=gettext_lazy("CA certificates"),
        required=False,
        max_length=authorities.MOST_CHARACTERS,
        widget=forms.Textarea(
            attrs={
                "rows": 5,
                "spellcheck": "false",
                "placeholder": "-----BEGIN CERTIFICATE-----",
            }
        ),
        help_text=Registry._meta.get_field("authorities").help_text,
    )

    class Meta:
        model = Registry
        fields = (
            "host",
            "username",
            "insecure",
            "authorities",
            "token_host",
            "mirror_of",
            "asked_first",
        )
        error_messages: ClassVar = {
            "host": {"unique": gettext_lazy("There is an entry for this host already.")}
        }

    def clean_host(self) -> str:
        host = _bare(self.cleaned_data["host"])
        if not is_host_name(host):
            raise forms.ValidationError(
                _("Name the host as image references do: ghcr.io, registry.example:5000.")
            )
        return normal_host(host)

    def clean_username(self) -> str:
        name: str = self.cleaned_data["username"]
        if ":" in name or not name.isprintable():
            raise forms.ValidationError(_("A user name has no colon and no control characters."))
        return name

    def clean_password(self) -> str:
        password: str = self.cleaned_data["password"]
        try:
            password.encode()
        except UnicodeEncodeError:
            raise forms.ValidationError(_("This cannot be sent.")) from None
        return "" if password == MASK else password.strip("\r\n")

    def clean_authorities(self) -> str:
        text: str = self.cleaned_data["authorities"]
        try:
            return authorities.normal(text) if text.strip() else ""
        except authorities.BadAuthorities as error:
            raise forms.ValidationError(str(error)) from None

    def clean_token_host(self) -> str:
        host = _bare(self.cleaned_data["token_host"]).lower()
        # A token's address may have another port: its host alone is compared.
        if host and (not is_host_name(host) or ":" in host):
            raise forms.ValidationError(_("Name the host alone, without a port."))
        return host

    def clean_mirror_of(self) -> str:
        host = _bare(self.cleaned_data["mirror_of"])
        if host and not is_host_name(host):
            raise forms.ValidationError(_("This is not the name of a registry's host."))
        return normal_host(host) if host else ""

    def clean(self) -> None:
        super().clean()  # which has the host looked up
        data = self.cleaned_data
        if data.get("insecure") and data.get("authorities"):
            self.add_error("authorities", _("Over plain http there are no certificates."))
        if data.get("mirror_of") and data["mirror_of"] == data.get("host"):
            self.add_error("mirror_of", _("A registry is no mirror of itself."))
        if data.get("asked_first") and not data.get("mirror_of") and "mirror_of" not in self.errors:
            self.add_error("mirror_of", _("Name the registry for whose images it is asked first."))
        if "password" not in self.errors and "username" not in self.errors:
            self._check_password(data)
        if self.instance._state.adding and Registry.objects.count() >= MOST:
            message = _("There are %(count)d registries already; remove some.") % {"count": MOST}
            raise forms.ValidationError(message)

    def _check_password(self, data: dict[str, Any]) -> None:
        if data.get("password"):
            if not data.get("username"):
                self.add_error("username", _("Whose password is it?"))
            return
        if not data.get("username"):
            return  # and then no password is kept
        if not self._has_password():
            self.add_error("password", _("Enter the password of this user."))
        elif self._goes_elsewhere(data):
            self.add_error("password", _("Enter the password again: it would go elsewhere."))

    def _has_password(self) -> bool:
        if self.instance._state.adding:
            return False
        try:
            return bool(Registry.objects.only("password").get(pk=self.instance.pk).password)
        except UnreadableSecret:
            return False

    def _goes_elsewhere(self, data: dict[str, Any]) -> bool:
        """Whether who can read what is sent changes: another host, realm, or no encryption."""
        before = self.initial
        return (
            data.get("host", before["host"]) != before["host"]
            or data.get("token_host", "") not in {"", before["token_host"]}
            or (data.get("insecure", False) and not before["insecure"])
        )

    def _forgets(self) -> bool:
        """Whether a password that is nobody's any more goes: its user went, or it would."""
        is_new = self.instance._state.adding
        return is_new or bool(self.initial["username"]) or self._goes_elsewhere(self.cleaned_data)

    def write(self) -> None:
        row, adding = self.instance, self.instance._state.adding
        fields = {*self.fields, *self.also}
        given = self.cleaned_data["password"]
        if given or (not row.username and self._forgets()):
            row.password = given
        else:
            fields.discard("password")  # it is not read, and stays as it is
        row.last_error = ""
        if adding or row.host != self.initial["host"]:
            for name, value in _OF_A_HOST.items():
                setattr(row, name, value)
        else:
            fields -= _OF_A_HOST.keys()
        try:
            with transaction.atomic():
                row.save(force_insert=adding, update_fields=None if adding else fields)
        except IntegrityError:
            raise Conflict(_("There is an entry for this host already.")) from None


def _bare(text: str) -> str:
    """A host, of which people paste the address."""
    return text.strip().partition("://")[2 if "://" in text else 0].rstrip("/")
