"""The form of a Docker host, for API and pages alike."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import Any, ClassVar

from django import forms
from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from checks import host_keys, hosts
from checks.discovery import places
from checks.discovery.job import place_with
from checks.discovery.places import SSH, TCP, Place, scheme_of
from checks.models import Host, HostKey
from dockrev.authorities import MOST_CHARACTERS, BadAuthorities, normal
from dockrev.errors import Conflict
from dockrev.fields import MASK, UnreadableSecret
from dockrev.forms import RowForm

MOST = 50
MAX_KNOWN_HOSTS = 20_000

_OF_TLS = ("authorities", "certificate")
_OF_SSH = ("key_file", "known_hosts")


def _long(label: Any, most: int, placeholder: str) -> forms.CharField:
    attributes = {"rows": 4, "spellcheck": "false", "placeholder": placeholder}
    return forms.CharField(
        label=label,
        required=False,
        max_length=most,
        widget=forms.Textarea(attrs={**attributes, "autocomplete": "off"}),
    )


class HostForm(RowForm):
    """What does not belong to the address is forgotten: `tcp` has certificates, `ssh` a key and
    known hosts. The local host keeps its name, and may go without an address."""

    also: ClassVar[tuple[str, ...]] = tuple(hosts.OF_A_WAY)
    authorities = _long(
        gettext_lazy("CA certificates"),
        MOST_CHARACTERS,
        "-----BEGIN CERTIFICATE-----",
    )
    certificate = _long(
        gettext_lazy("Client certificate"),
        MOST_CHARACTERS,
        "-----BEGIN CERTIFICATE-----",
    )
    key = _long(gettext_lazy("Private key"), host_keys.MOST_CHARACTERS, "")
    known_hosts = _long(
        gettext_lazy("Known hosts"), MAX_KNOWN_HOSTS, "nas.example ssh-ed25519 AAAA…"
    )

    class Meta:
        model = Host
        fields = (
            "name",
            "docker_host",
            "enabled",
            "plain",
            "authorities",
            "certificate",
            "key_file",
            "known_hosts",
            "files_here",
        )
        error_messages: ClassVar = {
            "name": {"unique": gettext_lazy("There is a host of this name already.")}
        }

    def clean_name(self) -> str:
        name: str = self.cleaned_data["name"].strip()
        if not name or not name.isprintable() or any(mark in name for mark in ":/"):
            raise forms.ValidationError(_("A name has no colon, slash or control characters."))
        if self.instance.is_local and not self.instance._state.adding and name != self._was("name"):
            raise forms.ValidationError(_("This machine keeps its name."))
        return name

    def clean_authorities(self) -> str:
        return self._certificates("authorities")

    def clean_certificate(self) -> str:
        return self._certificates("certificate")

    def clean_key_file(self) -> str:
        path: str = self.cleaned_data["key_file"].strip()
        if path and (not PurePosixPath(path).is_absolute() or not path.isprintable()):
            raise forms.ValidationError(_("Name the file by its whole path."))
        if '"' in path or "\\" in path:
            raise forms.ValidationError(_("ssh takes no quotes and backslashes in this path."))
        return path

    def clean_known_hosts(self) -> str:
        text: str = self.cleaned_data["known_hosts"].strip()
        lines = [line.strip() for line in text.splitlines()]
        kept = [line for line in lines if line and not line.startswith("#")]
        if any(len(line.split()) < 3 or not line.isprintable() for line in kept):
            raise forms.ValidationError(
                _("Paste lines as ssh-keyscan prints them: the name, the kind of key, the key.")
            )
        return "".join(f"{line}\n" for line in kept)

    def clean(self) -> None:
        super().clean()  # which has the name looked up
        data = self.cleaned_data
        url = str(data.get("docker_host") or "").strip()
        if not url and not self.instance.is_local:
            self.add_error("docker_host", _("Where is it?"))
            return
        try:
            data["docker_host"] = places.normal(url, plain=bool(data.get("plain"))) if url else ""
        except places.BadPlace as error:
            self.add_error("docker_host", str(error))
            return
        self._forget_what_is_of_another_way(data)
        self._check_key(data)
        if self.instance._state.adding and Host.objects.kept().count() >= MOST:
            message = _("There are %(count)d hosts already; remove some.") % {"count": MOST}
            raise forms.ValidationError(message)

    def validate_unique(self) -> None:
        """The name of one that was removed is free: it comes back with what is archived of it."""
        if not self._removed():
            super().validate_unique()

    def place(self) -> Place:
        """The way that a valid form describes, whether it is kept or not."""
        row = self.instance
        key = self.cleaned_data["key"]
        return place_with(row, key or (self._stored() if self._may_have_key(row) else ""))

    def write(self) -> None:
        """Raises Conflict."""
        row, adding = self.instance, self.instance._state.adding
        removed = self._removed()
        if removed is not None:
            row.pk, row._state.adding, adding = removed.pk, False, False
        for name, value in hosts.OF_A_WAY.items():
            setattr(row, name, value)
        if not adding:
            hosts.refuse_while_changing(row)
        try:
            with transaction.atomic():
                fields = None if adding else [*self.Meta.fields, *self.also]
                row.save(force_insert=adding, update_fields=fields)
                self._write_key(row)
                if removed is not None:
                    hosts.take_back(removed)
        except IntegrityError:
            raise Conflict(_("There is a host of this name already.")) from None

    def _write_key(self, row: Host) -> None:
        key = self.cleaned_data["key"]
        if key:
            HostKey.objects.update_or_create(host=row, defaults={"key": key})
        elif not self._may_have_key(row):
            HostKey.objects.filter(host=row).delete()

    @staticmethod
    def _may_have_key(row: Host) -> bool:
        if scheme_of(row.docker_host) == SSH:
            return not row.key_file
        return bool(row.certificate)

    def _was(self, name: str) -> Any:
        return self.initial.get(name)

    def _removed(self) -> Host | None:
        """One that was removed and had the name."""
        if not self.instance._state.adding:
            return None
        name = self.cleaned_data.get("name", "")
        return Host.objects.filter(name=name, removed_at__isnull=False).first()

    def _certificates(self, name: str) -> str:
        text: str = self.cleaned_data[name]
        try:
            return normal(text) if text.strip() else ""
        except BadAuthorities as error:
            raise forms.ValidationError(str(error)) from None

    def _forget_what_is_of_another_way(self, data: dict[str, Any]) -> None:
        scheme = scheme_of(data["docker_host"])
        encrypted = scheme == TCP and not data.get("plain")
        if scheme != TCP:
            data["plain"] = False
        for name in _OF_TLS if not encrypted else ():
            data[name] = ""
        for name in _OF_SSH if scheme != SSH else ():
            data[name] = ""
        if scheme != SSH and not encrypted:
            data["key"] = ""
        if scheme not in (TCP, SSH):
            data["files_here"] = False

    def _check_key(self, data: dict[str, Any]) -> None:
        """The key that is there already stays where none is given."""
        given = str(data.get("key") or "")
        data["key"] = key = "" if given == MASK else given.strip()
        is_ssh, certificate = scheme_of(data["docker_host"]) == SSH, data.get("certificate", "")
        if is_ssh and key and data.get("key_file"):
            self.add_error("key_file", _("Give a file or a key, not both."))
        elif not is_ssh and key and not certificate:
            self.add_error("certificate", _("Whose key is it? Enter the client certificate."))
        elif not is_ssh and certificate and "certificate" not in self.errors:
            self._check_pair(key or self._stored(), certificate)
        elif is_ssh and key:
            self._keep(host_keys.of_ssh, key)

    def _check_pair(self, key: str, certificate: str) -> None:
        if not key:
            self.add_error("key", _("Enter the key of the client certificate."))
            return
        try:
            checked = host_keys.of_tls(key, certificate)
        except host_keys.BadKey as error:
            self.add_error("key", str(error))
            return
        if self.cleaned_data["key"]:
            self.cleaned_data["key"] = checked

    def _keep(self, check: Any, key: str) -> None:
        try:
            self.cleaned_data["key"] = check(key)
        except host_keys.BadKey as error:
            self.add_error("key", str(error))

    def _stored(self) -> str:
        if self.instance._state.adding:
            return ""
        try:
            secret = HostKey.objects.filter(host=self.instance).first()
        except UnreadableSecret:
            return ""
        return secret.key if secret else ""
