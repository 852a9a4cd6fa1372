"""Telegram: a bot writes into a chat.

Followed: https://core.telegram.org/bots/api#sendmessage, "HTML style" and "ResponseParameters".
The token is part of the URL's path: what goes wrong is said without it, also where the other
side repeats it.
"""

from __future__ import annotations

import ipaddress
import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from html import escape
from typing import Any, ClassVar

from django import forms
from django.core.validators import RegexValidator
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from dockrev import addresses, http
from notifications.channels.base import Message, SendError, Transport
from notifications.channels.fitting import beginning, ending, readable, units
from notifications.channels.posting import LATER, retry_after

API_URL = "https://api.telegram.org"
MAX_UNITS = 4096  # of what is left when the markup is taken away
MAX_TITLE = 256
MIN_EXCERPT = 1500  # kept free for a log, if there is one
MAX_LINK = 500
MAX_ANSWER = 64 * 1024
MAX_DESCRIPTION = 200
# A message may need three calls, and all of them 25 seconds at most.
TIMEOUT = (3.0, 5.0)
_URL = re.compile(
    r"(?P<scheme>https?)://(?P<host>\[[0-9a-f:.]+\]|[a-z0-9](?:[a-z0-9_.-]*[a-z0-9])?)"
    r"(?::[0-9]{1,5})?(?P<path>/[a-z0-9._~/-]*)?",
    re.ASCII | re.IGNORECASE,
)
_HOME = (".local", ".lan", ".home", ".internal", ".home.arpa", ".localhost")


class TelegramForm(forms.Form):
    botToken = forms.CharField(
        label=_("Bot token"),
        max_length=200,
        validators=[
            RegexValidator(
                r"\A[0-9]{1,20}:[A-Za-z0-9_-]{10,150}\Z",
                _("A token is a number, a colon and letters, as @BotFather wrote it."),
            )
        ],
        help_text=_("@BotFather gives it: 123456789:AAE…"),
    )
    chatId = forms.CharField(
        label=_("Chat"),
        max_length=40,
        validators=[
            RegexValidator(
                r"\A(-?[1-9][0-9]{0,19}|@[A-Za-z][A-Za-z0-9_]{3,31})\Z",
                _("A chat is a number, with a minus for groups, or the @name of a public one."),
            )
        ],
        help_text=_("A number, negative for groups, or the @name of a public channel."),
    )
    threadId = forms.IntegerField(
        label=_("Topic"),
        required=False,
        min_value=1,
        max_value=2**31 - 1,
        help_text=_("The number of a topic, in groups that have topics."),
    )
    # No URLField: that one knows no host without a dot, as other containers are called.
    apiUrl = forms.CharField(
        label=_("Address of the Bot API"),
        required=False,
        max_length=500,
        help_text=_("Only for a Bot API server of your own."),
    )

    def clean_apiUrl(self) -> str:
        """The default is stored too, so that the token is asked for again where it changes."""
        url: str = self.cleaned_data["apiUrl"] or API_URL
        parts = _URL.fullmatch(url)
        if parts is None or "/." in url or "//" in (parts["path"] or ""):
            raise forms.ValidationError(_("This must be an https URL without user, ? and #."))
        host = parts["host"].strip("[]")
        if parts["scheme"] == "http" and not _is_near(host):
            raise forms.ValidationError(
                _("http is for servers on this machine or the home network; elsewhere, use https.")
            )
        try:
            addresses.refuse_literal(host)
        except addresses.Forbidden as error:
            raise forms.ValidationError(str(error)) from None
        return url.rstrip("/")


def _is_near(host: str) -> bool:
    """Whether a host is, as it is written, on this machine or the network around it."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return "." not in host or host.endswith(_HOME)
    return address.is_loopback or address.is_private


class Telegram(Transport):
    kind: ClassVar[str] = "telegram"
    label: ClassVar[str] = "Telegram"
    about: ClassVar[str | Promise] = _("A bot of yours writes into a chat, a group or a channel.")
    docs: ClassVar[str] = "telegram.md"
    form: ClassVar[type[forms.Form]] = TelegramForm
    secret_fields: ClassVar[frozenset[str]] = frozenset({"botToken"})
    address: ClassVar[str] = "apiUrl"
    seldom: ClassVar[frozenset[str]] = frozenset({"threadId", "apiUrl"})

    def send(self, message: Message) -> int:
        """Send with markup and, if that is refused, without. A group that became a supergroup has
        another id from then on: it is followed there."""
        pieces = _pieces(message)
        sent = {"text": _html(pieces), "parse_mode": "HTML"}
        chat: str | int = self.config["chatId"]
        for _call in range(3):
            answer = self._call(chat, sent)
            if answer.ok:
                return answer.status
            if answer.moved_to is not None and answer.moved_to != chat:
                chat = answer.moved_to
            elif answer.refuses_markup and "parse_mode" in sent:
                sent = {"text": _plain(pieces)}
            else:
                break
        raise self._error(answer)

    def _call(self, chat: str | int, sent: Mapping[str, str]) -> _Answer:
        body: dict[str, Any] = {
            "chat_id": chat,
            **sent,
            "link_preview_options": {"is_disabled": True},
        }
        if thread := self.config.get("threadId"):
            body["message_thread_id"] = thread
        api, token = self.config.get("apiUrl") or API_URL, self.config["botToken"]
        try:
            response = http.request(
                "POST",
                f"{api}/bot{token}/sendMessage",
                body=json.dumps(body).encode(),
                headers={"Content-Type": "application/json"},
                timeout=TIMEOUT,
                longest_body=TIMEOUT[1],
                max_bytes=MAX_ANSWER,
            )
        except http.Unreachable as error:
            raise SendError(str(error)) from None
        return _Answer.of(response)

    def _error(self, answer: _Answer) -> SendError:
        return SendError(
            self._words(answer),
            status=answer.status,
            final=not answer.is_passing,
            retry_after=answer.retry_after,
        )

    def _words(self, answer: _Answer) -> str:
        """What went wrong, and where somebody can mend it, how."""
        if not answer.is_known:
            text = gettext("It answered %(status)d, and not as Telegram's Bot API does.")
            return text % {"status": answer.status}
        known = next((words for words, fits in _MENDING if fits(answer)), None)
        if known is not None:
            return str(known)
        text = gettext("Telegram answered %(status)d: %(description)s")
        return text % {"status": answer.status, "description": self._description(answer)}

    def _description(self, answer: _Answer) -> str:
        told = readable(answer.description)
        token: str = self.config["botToken"]
        for secret in (token, token.partition(":")[2]):
            told = told.replace(secret, "…")
        return beginning(told.replace("\n", " "), MAX_DESCRIPTION)


@dataclass(frozen=True)
class _Answer:
    """What the Bot API said. `is_known`: it was really that."""

    status: int
    ok: bool = False
    is_known: bool = False
    description: str = ""
    moved_to: int | None = None
    retry_after: timedelta | None = None

    @classmethod
    def of(cls, response: http.Response) -> _Answer:
        try:
            content = json.loads(response.body)
        except (ValueError, RecursionError):
            content = None
        pause = retry_after(response.headers.get("Retry-After", ""), timezone.now())
        if not isinstance(content, dict) or not isinstance(content.get("ok"), bool):
            return cls(response.status, retry_after=pause)
        told = content.get("parameters")
        parameters = told if isinstance(told, dict) else {}
        moved_to = parameters.get("migrate_to_chat_id")
        return cls(
            response.status,
            ok=content["ok"] and 200 <= response.status < 300,
            is_known=True,
            description=str(content.get("description", "")),
            moved_to=moved_to if type(moved_to) is int else None,
            retry_after=_pause(parameters.get("retry_after")) or pause,
        )

    @property
    def is_passing(self) -> bool:
        """Whether another try may go better."""
        return self.status in LATER or self.status >= 500

    @property
    def refuses_markup(self) -> bool:
        return self.says(400, "parse entities", "text contains invalid")

    def says(self, status: int, *words: str) -> bool:
        told = self.description.lower()
        return self.status == status and (not words or any(word in told for word in words))


def _pause(seconds: Any) -> timedelta | None:
    """What a number of seconds in JSON says, as a header with it would."""
    return retry_after(str(seconds), timezone.now()) if type(seconds) is int else None


_MENDING: tuple[tuple[object, Callable[[_Answer], bool]], ...] = (
    (
        _(
            "Telegram does not know this bot token. Copy it again from @BotFather; after /revoke "
            "only the new one is valid."
        ),
        lambda answer: answer.says(401) or answer.says(404),
    ),
    (
        _(
            "Telegram does not know this chat, or not for this bot. Write to the bot once, or add "
            "it to the group, and look at the chat's number: those of groups begin with a minus."
        ),
        lambda answer: answer.says(400, "chat not found", "peer_id_invalid"),
    ),
    (
        _("There is no such topic in this chat. Look at the topic's number, or leave it empty."),
        lambda answer: answer.says(400, "thread not found", "topic_"),
    ),
    (
        _("The bot was blocked in this chat. Unblock it there, and write /start to it."),
        lambda answer: answer.says(403, "blocked"),
    ),
    (
        _("The bot is not in this chat any more, or must not write there. Add it again."),
        lambda answer: answer.says(403),
    ),
    (
        _("Telegram wants fewer messages for a while."),
        lambda answer: answer.says(429),
    ),
)


@dataclass(frozen=True)
class _Piece:
    """A part of what is read, and how it looks."""

    text: str
    link: str = ""
    tag: str = ""

    @property
    def html(self) -> str:
        inside = escape(self.text, quote=False)
        if self.link:
            inside = f'<a href="{escape(self.link)}">{inside}</a>'
        return f"<{self.tag}>{inside}</{self.tag}>" if self.tag else inside


def _html(pieces: list[_Piece]) -> str:
    return "".join(piece.html for piece in pieces)


def _plain(pieces: list[_Piece]) -> str:
    """The same as it is read; the first link is all that can be followed."""
    text = "".join(piece.text for piece in pieces)
    link = next((f"\n{piece.link}" for piece in pieces if piece.link), "")
    return f"{beginning(text, MAX_UNITS - units(link))}{link}"


def _pieces(message: Message) -> list[_Piece]:
    """Title, text and excerpt, cut so that together they fit."""
    title = readable(message.title).replace("\n", " ") or message.kind
    head = _Piece(beginning(title, MAX_TITLE), _link(message.url), "b")
    left = MAX_UNITS - units(head.text)
    excerpt = readable(message.excerpt, end=True)
    pieces = [head]
    for piece in _text(message):
        cut = beginning(piece.text, left - (min(units(excerpt), MIN_EXCERPT) + 1))
        if not cut:
            break
        pieces.append(_Piece(cut, piece.link))
        left -= units(cut)
        if cut != piece.text:
            break
    if excerpt:
        pieces += [_Piece("\n"), _Piece(ending(excerpt, left - 1), tag="pre")]
    return pieces


def _text(message: Message) -> Iterator[_Piece]:
    """The lines below the title. What names a service leads to it."""
    services = _services(message)
    unnamed = dict(services) if len(services) > 1 else {}  # to the only one the title leads
    for line in filter(None, readable(message.text).split("\n")):
        yield _Piece("\n")
        name = max((name for name in services if line.startswith(name)), key=len, default="")
        if name:
            unnamed.pop(name, None)
            yield _Piece(name, services[name])
        if rest := line.removeprefix(name):
            yield _Piece(rest)
    for name, link in unnamed.items():
        yield from (_Piece("\n"), _Piece(name, link))


def _services(message: Message) -> dict[str, str]:
    """Links to the services that a message is about, by their names."""
    links = message.payload["links"].get("serviceUrls", ())
    found = {
        readable(f"{one['stackName']} / {one['serviceName']}").replace("\n", " "): _link(one["url"])
        for one in links
    }
    return {name: link for name, link in found.items() if name and link}


def _link(url: str) -> str:
    """An address that can be followed from a phone; empty where it is a path alone, or odd."""
    plain = url.isascii() and url.isprintable() and len(url) <= MAX_LINK and " " not in url
    return url if plain and url.startswith(("https://", "http://")) else ""
