"""What is asked for a mail server: the URL, or its parts on a page."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from dockrev.fields import MASK
from notifications.channels import smtp_url
from notifications.channels.base import PageForm
from notifications.channels.smtp_url import BadUrl, Security, SmtpUrl

MAX_URL = 8000
MAX_TO = 6000


class EmailForm(forms.Form):
    smtpUrl = forms.CharField(label=gettext_lazy("URL of the mail server"), max_length=MAX_URL)

    def clean_smtpUrl(self) -> str:
        """Written in one way, whatever way it was given in."""
        try:
            url = smtp_url.read(self.cleaned_data["smtpUrl"])
        except BadUrl as error:
            raise ValidationError(str(error)) from error
        if MASK in url.password:
            raise ValidationError(_("Enter the password; only its mask was given."))
        return smtp_url.write(url)


class EmailPage(PageForm):
    """The parts of the URL, each in a field, or the URL itself."""

    # Each part was looked at here, so that what is left is a password for another server.
    blamed: ClassVar[Mapping[str, str]] = {"smtpUrl": "password"}

    server = forms.CharField(
        label=gettext_lazy("Mail server"),
        max_length=255,
        widget=forms.TextInput(attrs={"placeholder": "mail.example.org"}),
    )
    encryption = forms.ChoiceField(
        label=gettext_lazy("Encryption"),
        required=False,
        choices=[
            (Security.ALWAYS.value, gettext_lazy("TLS from the first byte")),
            (Security.REQUIRED.value, gettext_lazy("STARTTLS, and nothing is sent without")),
            (Security.OPPORTUNISTIC.value, gettext_lazy("STARTTLS where the server offers it")),
            (Security.OFF.value, gettext_lazy("none: anybody between can read it")),
        ],
    )
    port = forms.IntegerField(
        label=gettext_lazy("Port"),
        required=False,
        help_text=gettext_lazy(
            "Empty: 465 for TLS from the first byte, else 587 with a user and 25 without."
        ),
    )
    user = forms.CharField(
        label=gettext_lazy("User"),
        required=False,
        max_length=smtp_url.MAX_CREDENTIAL,
        help_text=gettext_lazy("Empty where the server wants none; a password goes with it."),
    )
    password = forms.CharField(
        label=gettext_lazy("Password"),
        required=False,
        strip=False,
        max_length=smtp_url.MAX_CREDENTIAL,
        widget=forms.PasswordInput,
        help_text=gettext_lazy("Often one of its own for programs, called an app password."),
    )
    sender = forms.CharField(
        label=gettext_lazy("From"),
        required=False,
        max_length=500,
        widget=forms.TextInput(attrs={"placeholder": "Dockrev <dockrev@example.org>"}),
        help_text=gettext_lazy("Empty: the user, where that is an address."),
    )
    to = forms.CharField(
        label=gettext_lazy("To"),
        error_messages={"required": gettext_lazy("Say who to write to.")},
        max_length=MAX_TO,
        widget=forms.TextInput(attrs={"placeholder": "you@example.org, others@example.org"}),
        help_text=gettext_lazy("At most 20 addresses, with commas between."),
    )
    smtpUrl = forms.CharField(
        label=gettext_lazy("Or all of it as a URL"),
        required=False,
        max_length=MAX_URL,
        widget=forms.PasswordInput,
        help_text=gettext_lazy(
            "smtps://user:password@mail.example.org?to=you@example.org. It counts instead of the "
            "fields above."
        ),
    )

    def clean(self) -> None:
        if url := self.cleaned_data.get("smtpUrl"):
            self._take(url)
        elif not self.errors:
            self._compose(self.cleaned_data)

    def _take(self, url: str) -> None:
        """The URL alone, whatever is in the other fields."""
        self.errors.clear()
        try:
            self._url = smtp_url.read(url)
        except BadUrl as error:
            self.add_error("smtpUrl", str(error))

    def _compose(self, given: Mapping[str, Any]) -> None:
        try:
            self._url = _composed(given)
            smtp_url.read(smtp_url.write(self._url))
        except BadUrl as error:
            self.add_error(error.part, str(error))

    def config(self) -> dict[str, Any]:
        return {"smtpUrl": smtp_url.write(self._url)}

    @classmethod
    def filled(cls, config: Mapping[str, Any]) -> dict[str, Any]:
        url = smtp_url.read(config["smtpUrl"])
        return {
            "server": url.host,
            "encryption": url.security.value,
            "port": url.given_port,
            "user": url.user,
            "password": MASK if url.password else "",
            "sender": str(url.given_sender or ""),
            "to": ", ".join(map(str, url.to)),
        }


def _composed(given: Mapping[str, Any]) -> SmtpUrl:
    """The URL that the fields make; an empty password is the one that is stored. Raises BadUrl."""
    user = smtp_url.credential(given["user"], "user")
    password = smtp_url.credential(given["password"], "password")
    if password and not user:
        raise BadUrl(_("Enter the user, too."), "user")
    port, sender = given["port"], given["sender"]
    return SmtpUrl(
        host=smtp_url.host(given["server"]),
        to=smtp_url.mailboxes(given["to"]),
        given_port=None if port is None else smtp_url.port(port),
        security=Security(given["encryption"] or Security.ALWAYS),
        user=user,
        password=(password or MASK) if user else "",
        given_sender=smtp_url.mailbox(sender, "sender") if sender else None,
    )
