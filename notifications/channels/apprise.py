"""Apprise: its library knows more than a hundred services, each by a URL.

Of the library no more is used than how each service wants to be asked. It is loaded when a channel
is saved or sends (31 MB), reads no files, writes no log, and asks by way of `supervised`.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from html import escape
from importlib import import_module
from threading import Lock
from typing import Any, ClassVar
from urllib.parse import parse_qsl, unquote, urlsplit

from django import forms
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from dockrev import http
from notifications.channels.apprise_page import ApprisePage
from notifications.channels.apprise_schemes import ALLOWED, NAMES_FILES, TEMPLATES_ARE_FILES
from notifications.channels.base import Message, PageForm, SendError, Transport
from notifications.channels.fitting import CUT, beginning, ending, readable, units
from notifications.channels.posting import SHORTEST_SECRET, excerpt, refusal
from notifications.channels.supervised import Conversation, conversation

MAX_URL = 2000
MAX_TEXT = 30_000  # of services that say no less
MAX_TITLE = 250
SEPARATORS = 24  # what the library may put between title and body, and between parts
NATIVE = ("http", "https")  # addresses as services show them, some of which the library knows
# What calls everybody: it may stand in a label of an image, which anybody writes.
_CALLS = re.compile(r"(@(?=(?:everyone|here|channel|all|room)\b|_?\*\*)|<(?=[!@#]))")
_SEVERAL = re.compile(r"[\s,][a-z0-9]+://", re.IGNORECASE)


class AppriseForm(forms.Form):
    url = forms.CharField(label=_("URL"), max_length=MAX_URL)

    def clean_url(self) -> str:
        """One URL of a service that is reached by HTTP alone, and that the library understands."""
        url: str = self.cleaned_data["url"]
        if not url.isprintable() or " " in url or _SEVERAL.search(url):
            raise forms.ValidationError(_("This must be one URL, without spaces."))
        try:
            _refuse_files(url)
            _plugin(url)
        except _Unusable as error:
            raise forms.ValidationError(str(error)) from None
        return url


class Apprise(Transport):
    kind: ClassVar[str] = "apprise"
    label: ClassVar[str] = "Apprise"
    about: ClassVar[str | Promise] = _(
        "Discord, Slack, ntfy, Gotify, Matrix, Pushover, Signal and a hundred others."
    )
    docs: ClassVar[str] = "apprise.md"
    form: ClassVar[type[forms.Form]] = AppriseForm
    page_form: ClassVar[type[PageForm] | None] = ApprisePage
    secret_fields: ClassVar[frozenset[str]] = frozenset({"url"})
    shows_scheme: ClassVar[frozenset[str]] = frozenset({"url"})
    address: ClassVar[str] = "url"

    def send(self, message: Message) -> int | None:
        try:
            plugin = _plugin(self.config["url"])
        except _Unusable as error:
            raise SendError(str(error), final=True) from None
        with conversation() as held:
            if _notify(plugin, message):
                return held.last.status if held.last else None
        raise _error(str(plugin.service_name), held, self.config["url"])


class _Unusable(Exception):
    """A URL cannot be a channel; the text says why, without it."""


def _refuse_files(url: str) -> None:
    """Raise _Unusable where a parameter names a file. The library could read no file anyway."""
    scheme = url.partition("://")[0].lower()
    named = {name.lower() for name, _value in parse_qsl(url.partition("?")[2], True)}
    wrong = named & NAMES_FILES | {name for name in named if name.startswith("attach")}
    if scheme in TEMPLATES_ARE_FILES:
        wrong |= named & {"template"}
    if wrong:
        text = gettext("The parameter “%(name)s” names a file; a channel reads no files.")
        raise _Unusable(text % {"name": min(wrong)})


def _plugin(url: str) -> Any:  # Any: the library is loaded late
    """The library's object for a URL, with what a URL could ask for but must not. Raises
    _Unusable."""
    scheme = url.partition("://")[0].lower() if "://" in url else ""
    if scheme not in ALLOWED and scheme not in NATIVE:
        raise _Unusable(
            gettext("URLs of this kind cannot be used; docs/apprise.md says which can.")
        )
    library = _library()
    try:
        urlsplit(url)
        parsed = library.plugins.url_to_dict(url)
        known = parsed is not None and parsed["schema"] in ALLOWED
        plugin = library.Apprise.instantiate(parsed, asset=_asset()) if known else None
    except Exception:  # whatever a plugin trips over; its text may hold the URL
        plugin = None
    if plugin is None:
        raise _Unusable(
            gettext("Apprise does not understand this URL: something is missing or wrong in it.")
        )
    plugin.overflow_mode = library.OverflowMode.TRUNCATE
    plugin.redirects = False
    # It would sleep between its requests; who is asked too often says so.
    plugin.throttle = lambda *_args, **_named: None
    return plugin


def _library() -> Any:
    with _loading:
        return _loaded()


_loading = Lock()  # several threads may send their first message at once


@lru_cache(maxsize=1)
def _loaded() -> Any:
    """The library, mute, since it logs URLs, and without any way to open a file."""
    logging.getLogger("apprise").disabled = True
    library = import_module("apprise")
    attachments = import_module("apprise.manager_attachment").AttachmentManager()
    attachments.remove(*attachments.schemas())
    return library


def _asset() -> Any:
    """What the library says of us: no images of its own, nothing kept on disk."""
    return _library().AppriseAsset(
        app_id="Dockrev",
        app_desc="Dockrev",
        app_url="",
        async_mode=False,
        http_redirects=False,
        storage_mode="memory",
        image_url_mask="",
        image_url_logo="",
        image_path_mask=False,
    )


def _notify(plugin: Any, message: Message) -> bool:
    """Whether the service took it. Plain text is sent wherever that is taken."""
    library = _library()
    form = plugin.resolve_format(library.NotifyFormat.TEXT)
    title, body = _words(plugin, message, _WRITERS[form.value])
    kind = library.NotifyType(_type(message))
    try:
        return bool(plugin.notify(body=body, title=title, notify_type=kind, body_format=form))
    except Exception as error:  # whatever a plugin trips over; its text may hold the URL
        text = gettext("The library for %(service)s failed (%(error)s).")
        said = {"service": plugin.service_name, "error": type(error).__name__}
        raise SendError(text % said) from None


def _type(message: Message) -> str:
    """One of the library's four kinds of message, which many services show by a colour."""
    status = message.payload.get("job", {}).get("status")
    if message.kind == "job_finished" and status != "success":
        return "failure"
    if message.urgent:
        return "warning"
    return "success" if message.kind == "job_finished" else "info"


def _words(plugin: Any, message: Message, writer: _Writer) -> tuple[str, str]:
    """Title and body, cut so that with the title they fit into one message of the service."""
    most = min(int(plugin.body_maxlen), MAX_TEXT)
    title = _harmless(readable(message.title).replace("\n", " ")) or message.kind
    title = beginning(title, min(int(plugin.title_maxlen) or MAX_TITLE, MAX_TITLE, most // 2))
    if not plugin.title_maxlen:  # it becomes a part of the body
        title = writer.escape(title)
    text = _harmless(readable(message.text)) or message.kind
    log = _harmless(readable(message.excerpt, end=True))
    most -= units(title) + SEPARATORS + int(plugin.overflow_buffer)
    for room in range(most, 0, -max(1, most // 50)):
        body = writer.write(*_parts(text, log, message.url, room))
        if units(body) <= most:
            return title, body
    return title, CUT


def _parts(text: str, log: str, url: str, room: int) -> tuple[str, str, str]:
    """Text, log and link that take so many units together; the link is kept, if it is one."""
    is_link = url.startswith(("https://", "http://"))
    link = url if is_link and units(url) < room // 2 else ""
    left = room - units(link) - 2
    text = beginning(text, left - min(units(log), left // 2))
    return text, ending(log, left - units(text)), link


def _text(text: str, log: str, link: str) -> str:
    return "\n".join(filter(None, (text, log, link)))


def _html(text: str, log: str, link: str) -> str:
    lines = "<br/>".join(escape(line) for line in text.split("\n"))
    shown = f"<pre>{escape(log)}</pre>" if log else ""
    followed = f'<p><a href="{escape(link)}">{escape(link)}</a></p>' if link else ""
    return f"<p>{lines}</p>{shown}{followed}"


def _markdown(text: str, log: str, link: str) -> str:
    """Every line ends with two spaces, or the next would be joined to it."""
    lines = "  \n".join(_markdown_escaped(line) for line in text.split("\n"))
    inside = log.replace("```", "'''")
    fenced = f"```\n{inside}\n```" if log else ""
    return "\n\n".join(filter(None, (lines, fenced, link)))


def _markdown_escaped(line: str) -> str:
    """What would be markup; an underscore within a word is none, and is read better alone."""
    escaped = re.sub(r"[\\`*\[\]<>~|]|(?<![^\W_])_|_(?![^\W_])", r"\\\g<0>", line)
    return re.sub(r"^(\s*)([0-9]{0,9})([#+.)-])", r"\1\2\\\3", escaped)


@dataclass(frozen=True)
class _Writer:
    """How text, log and link are written, and what is escaped in a title."""

    write: Callable[[str, str, str], str]
    escape: Callable[[str], str]


_WRITERS = {
    "text": _Writer(_text, str),
    "html": _Writer(_html, escape),
    "markdown": _Writer(_markdown, _markdown_escaped),
}


def _harmless(text: str) -> str:
    return _CALLS.sub("\\1\u200b", text)


def _error(service: str, held: Conversation, url: str) -> SendError:
    """Why it was not taken. The library knows no more than that it was not; the answer does."""
    if held.refused is not None:
        return _refusal(service, held.refused, url)
    if held.trouble:
        return SendError(held.trouble)
    said = {"service": service}
    if held.last is None:
        return SendError(
            gettext("%(service)s was not asked: something is missing in the URL.") % said,
            final=True,
        )
    text = gettext("%(service)s answered, but did not take the message.") % said
    return SendError(text, status=held.last.status, excerpt=excerpt(held.last.body, _secrets(url)))


def _refusal(service: str, answer: http.Response, url: str) -> SendError:
    meant = refusal(answer, _secrets(url), timezone.now())
    text = gettext("%(service)s answered %(status)d.")
    if 300 <= answer.status < 400:
        text = gettext("%(service)s answered %(status)d, a redirect; those are not followed.")
    return SendError(
        text % {"service": service, "status": answer.status},
        status=meant.status,
        final=meant.final,
        gone=meant.gone,
        retry_after=meant.retry_after,
        excerpt=meant.excerpt,
    )


def _secrets(url: str) -> set[str]:
    """What of a URL an answer may repeat: any part of it, as it is written or as it is meant."""
    return {
        word
        for written in (url, unquote(url))
        for word in re.split(r"[/@:?&=#,\s]+", written.partition("://")[2])
        if len(word) >= SHORTEST_SECRET
    }
