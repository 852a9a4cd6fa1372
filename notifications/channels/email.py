"""Mail, by a mail server that is given as a URL."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from typing import Any, ClassVar
from urllib.parse import urlsplit

from django import forms
from django.core.exceptions import ValidationError
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from dockrev.fields import MASK
from notifications.channels import smtp, smtp_url
from notifications.channels.base import Message, PageForm, PartlyTaken, SendError, Transport
from notifications.channels.email_form import EmailForm, EmailPage
from notifications.channels.letter import letter
from notifications.channels.smtp import Session, Step
from notifications.channels.smtp_url import BadUrl, Security, SmtpUrl
from notifications.channels.smtp_words import counted, explained

# A message waits so long for those who are refused for now, as by greylisting; then the others get
# it without them. It goes to all at once, or who had it would get it again at the next try.
PATIENCE = timedelta(hours=2)


class Email(Transport):
    kind: ClassVar[str] = "email"
    label: ClassVar[str] = "Email"
    about: ClassVar[str | Promise] = gettext_lazy(
        "Mails to people, by your mail server or that of your provider."
    )
    docs: ClassVar[str] = "email.md"
    form: ClassVar[type[forms.Form]] = EmailForm
    # The URL is shown as every URL is, without user, password and query; so it is no field whose
    # whole value is hidden, nor one that is asked for anew beside the address: it is the address.
    secret_fields: ClassVar[frozenset[str]] = frozenset()
    address: ClassVar[str] = "smtpUrl"
    page_form: ClassVar[type[PageForm] | None] = EmailPage
    seldom: ClassVar[frozenset[str]] = frozenset({"smtpUrl"})

    @classmethod
    def completed(cls, given: Mapping[str, Any], stored: Mapping[str, Any]) -> dict[str, Any]:
        """A masked password is the stored one, for the same user at the same server."""
        try:
            new, old = smtp_url.read(given["smtpUrl"]), smtp_url.read(stored["smtpUrl"])
        except (BadUrl, KeyError, TypeError):
            return dict(given)
        if new.password != MASK:
            return dict(given)
        if _whose(new) != _whose(old):
            words = _("This is for another server, port, user or encryption: enter the password.")
            raise ValidationError({"smtpUrl": words})
        return {**given, "smtpUrl": smtp_url.write(replace(new, password=old.password))}

    def send(self, message: Message) -> int:
        url = smtp_url.read(self.config["smtpUrl"])
        mail = letter(message, url, self.channel_id).as_bytes()
        may_wait = _is_young(message)
        try:
            with closing(Session(url, name=_own_name(message))) as session:
                return _hand_over(session, url, mail, may_wait=may_wait)
        except (smtp.Failed, OSError) as error:
            raise explained(error, url) from None


def _hand_over(session: Session, url: SmtpUrl, mail: bytes, *, may_wait: bool) -> int:
    replies = session.send(url.sender.address, [each.address for each in url.to])
    refused = [reply for reply in replies if not reply.is_taken]
    for_now = [reply for reply in refused if reply.is_for_now]
    if len(refused) == len(replies):
        raise smtp.Refused(Step.MAIL, (for_now or refused)[-1])
    if for_now and may_wait:
        words = ngettext(
            "%(host)s refuses %(count)d recipient for now, so that nobody has it yet. %(why)s",
            "%(host)s refuses %(count)d recipients for now, so that nobody has it yet. %(why)s",
            len(for_now),
        )
        raise SendError(counted(words, for_now, url), status=for_now[-1].code)
    status = session.data(mail).code
    if refused:
        words = ngettext(
            "It was sent, but not to %(count)d recipient, whom %(host)s refused. %(why)s",
            "It was sent, but not to %(count)d recipients, whom %(host)s refused. %(why)s",
            len(refused),
        )
        raise PartlyTaken(counted(words, refused, url), status=status)
    return status


def _whose(url: SmtpUrl) -> tuple[str, int, str, bool]:
    """For whom a password is; one that was given for an encrypted connection is for no other."""
    return url.host, url.port, url.user, url.security is Security.OFF


def _is_young(message: Message) -> bool:
    """Since the first try: until then it may have waited for the end of quiet hours."""
    since = message.tried_since
    return since is None or timezone.now() - since < PATIENCE


def _own_name(message: Message) -> str:
    """How to introduce ourselves: by our public name, where there is one."""
    host = urlsplit(message.url).hostname or ""
    try:
        name = smtp_url.host(host)
    except BadUrl:
        return ""
    return name if name.rpartition(".")[2].isalpha() else ""
