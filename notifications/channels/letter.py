"""A message as a mail: HTML and text, in the thread of what it is about."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from hashlib import sha256
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.template.loader import render_to_string
from django.utils import timezone, translation

from notifications import links
from notifications.channels.base import Message
from notifications.channels.smtp_url import Mailbox, SmtpUrl

MAX_SUBJECT = 150
# Python writes a header with words of other alphabets in lines; none of them may be too long.
_POLICY = SMTP.clone(max_line_length=76)


_PART_OF_NAME = re.compile(r"[A-Za-z0-9_.-]")
_BETWEEN = ": \uff1a"  # the last is Chinese


@dataclass(frozen=True)
class Line:
    """A line of what it says. Of one that begins with the name of a service, `name` is that and
    `text` the rest; `old` and `new` are its versions where they are all that there is to say."""

    whole: str
    text: str = ""
    name: str = ""
    url: str = ""
    old: str = ""
    new: str = ""


def letter(message: Message, url: SmtpUrl, channel_id: str) -> EmailMessage:
    """The mail, ready to be sent; its own id is the same at every try."""
    mail = EmailMessage(policy=_POLICY)
    sender, domain = url.sender, url.sender.address.rpartition("@")[2]
    mail["From"] = _address(sender)
    mail["To"] = [_address(each) for each in url.to]
    mail["Subject"] = _subject(message.title)
    mail["Date"] = format_datetime(timezone.now())
    mail["Message-ID"] = f"<{message.id}@{domain}>"
    if message.topic:
        root = sha256(f"{channel_id} {message.topic}".encode()).hexdigest()[:32]
        mail["In-Reply-To"] = mail["References"] = f"<{root}.topic@{domain}>"
    mail["Auto-Submitted"] = "auto-generated"
    mail["List-Id"] = f"Dockrev <dockrev.{domain}>"
    mail["X-Dockrev-Event"] = message.kind
    mail["X-Dockrev-Delivery"] = message.id
    with translation.override(message.language):
        said = _said(message, channel_id)
        text = render_to_string("notifications/email.txt", said)
        html = render_to_string("notifications/email.html", said)
    # In lines of ASCII, so that every server can hand it on.
    mail.set_content(_plain(text), cte="quoted-printable")
    mail.add_alternative(_plain(html), subtype="html", cte="quoted-printable")
    mail["Content-Language"] = message.language  # before, it would be that of the first part
    return mail


def _said(message: Message, channel_id: str) -> dict[str, Any]:
    base = links.base()
    return {
        "title": message.title,
        "lines": list(_lines(message)),
        "excerpt": message.excerpt,
        "url": _absolute(message.url),
        "base": _absolute(f"{base}/"),
        "host": urlsplit(base).netloc,
        "channel": _absolute(f"{base}/settings/channels/{channel_id}") if channel_id else "",
        "language": message.language,
        "version": settings.VERSION,
        "is_urgent": message.urgent,
    }


def _lines(message: Message) -> Iterator[Line]:
    """What it says, with the services that it lists as links."""
    services = {f"{each['stackName']} / {each['serviceName']}": each for each in _services(message)}
    for whole in filter(None, message.text.splitlines()):
        name = next((name for name in services if _begins_with(whole, name)), "")
        yield _about(whole, name, services[name]) if name else Line(whole)


def _begins_with(text: str, name: str) -> bool:
    """So that `shop / api` is not taken for the beginning of `shop / api-2`."""
    return text.startswith(name) and not _PART_OF_NAME.match(text, len(name))


def _about(whole: str, name: str, service: dict[str, Any]) -> Line:
    old, new = service.get("currentDisplayTag") or "", service.get("candidateDisplayTag") or ""
    text = whole.removeprefix(name).lstrip(_BETWEEN)
    url = _absolute(service.get("url") or "")
    if "outcome" in service or old == new or not old or not new:
        return Line(whole, text, name, url)
    return Line(whole, text, name, url, old, new)


def _services(message: Message) -> list[dict[str, Any]]:
    listed: list[dict[str, Any]] = message.payload["links"].get("serviceUrls", [])
    return listed


def _subject(title: str) -> str:
    """One line, cut at a word where there is one."""
    subject = _plain(" ".join(f"[dockrev] {title}".split()))
    if len(subject) <= MAX_SUBJECT:
        return subject
    cut = subject[: MAX_SUBJECT - 1]
    at_word = cut.rpartition(" ")[0]
    return f"{at_word if len(at_word) > MAX_SUBJECT // 2 else cut}…"


def _address(box: Mailbox) -> Address:
    local, _at, domain = box.address.rpartition("@")
    return Address(box.name, local, domain)


def _absolute(url: str) -> str:
    """The link, where it leads somewhere from a mailbox; else nothing."""
    return url if url.startswith(("https://", "http://")) else ""


def _plain(text: str) -> str:
    """Without control characters, which mail knows none of, and halves of surrogate pairs."""
    kept = "".join(c for c in text if (c >= " " and c != "\x7f") or c in "\n\t")
    return kept.encode(errors="replace").decode()
