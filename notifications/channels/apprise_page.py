"""The page's form of an Apprise channel: values of a service, of which the URL is made.

Which values those are follows from the service, which is chosen first: it is the form's variant.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, TypeAlias
from urllib.parse import quote, urlsplit

from django import forms
from django.utils.translation import gettext_lazy as _

from notifications.channels.base import PageForm

if TYPE_CHECKING:
    from django.utils.functional import _StrPromise  # the stubs' own name

Words: TypeAlias = "str | _StrPromise"
_SERVER = re.compile(
    r"(https?)://((?:\[[0-9a-f:.]+\]|[a-z0-9](?:[a-z0-9_.-]*[a-z0-9])?)(?::[0-9]{1,5})?)"
    r"((?:/[a-z0-9._~-]+)*)/?",
    re.ASCII | re.IGNORECASE,
)


class Wrong(Exception):
    """No URL can be made of a value; the text says why."""

    def __init__(self, name: str, text: Words) -> None:
        super().__init__(text)
        self.name = name
        self.text = text


@dataclass(frozen=True)
class Value:
    """One field. `secret`: not to be read over a shoulder."""

    label: Words
    help: Words = ""
    secret: bool = False
    required: bool = True


@dataclass(frozen=True)
class Service:
    label: Words
    values: Mapping[str, Value]
    make: Callable[[Mapping[str, str]], str]
    schemes: frozenset[str]
    hosts: tuple[str, ...] = ()  # of addresses that the service shows itself


def _server(scheme: str, values: Mapping[str, str], user: str = "") -> str:
    """The beginning of a URL at a server: of https the scheme has an s."""
    parts = _SERVER.fullmatch(values["server"])
    if parts is None:
        raise Wrong("server", _("This must be the address of a server, https://chat.example."))
    secure = "s" if parts[1].lower() == "https" else ""
    return f"{scheme}{secure}://{f'{user}@' if user else ''}{parts[2]}{parts[3]}"


def _hooked(scheme: str, values: Mapping[str, str]) -> tuple[str, str, list[str]]:
    """Scheme, host and what follows /hooks/ of a webhook's address as a server shows it."""
    address = values["webhook"]
    before, found, after = address.partition("/hooks/")
    parts = _SERVER.fullmatch(before)
    if not found or parts is None or not re.fullmatch(r"[A-Za-z0-9_-]+(/[A-Za-z0-9_-]+)*/?", after):
        raise Wrong("webhook", _("This must be the address of a webhook, with /hooks/ in it."))
    secure = "s" if parts[1].lower() == "https" else ""
    return f"{scheme}{secure}", f"{parts[2]}{parts[3]}", after.strip("/").split("/")


def _shown(*hosts: str) -> Callable[[Mapping[str, str]], str]:
    """The address of a webhook as the service shows it, which the library understands."""

    def make(values: Mapping[str, str]) -> str:
        address = urlsplit(values["webhook"])
        host = address.hostname or ""
        if address.scheme != "https" or not any(f".{host}".endswith(f".{own}") for own in hosts):
            raise Wrong("webhook", _("This is not the address of a webhook of this service."))
        return values["webhook"]

    return make


def _path(values: Mapping[str, str], *names: str) -> str:
    return "".join(f"/{quote(values[name], safe='')}" for name in names if values.get(name))


def _mattermost(values: Mapping[str, str]) -> str:
    scheme, host, rest = _hooked("mmost", values)
    return f"{scheme}://{host}/{'/'.join(rest)}"


def _rocket_chat(values: Mapping[str, str]) -> str:
    scheme, host, rest = _hooked("rocket", values)
    return f"{scheme}://{quote('/'.join(rest), safe='')}@{host}{_path(values, 'room')}"


def _ntfy(values: Mapping[str, str]) -> str:
    if not re.fullmatch(r"[A-Za-z0-9_-]{1,64}", values["topic"]):
        raise Wrong("topic", _("A topic has letters, digits, - and _, 64 of them at most."))
    token = quote(values["token"], safe="")
    query = f"?auth=token&token={token}" if token else ""
    return f"{_server('ntfy', values)}{_path(values, 'topic')}{query}"


def _signal(values: Mapping[str, str]) -> str:
    numbers = "".join(f"/{quote(number)}" for number in re.split(r"[\s,]+", values["to"]) if number)
    return f"{_server('signal', values)}{_path(values, 'from')}{numbers}"


def _matrix(values: Mapping[str, str]) -> str:
    token = quote(values["token"], safe="")
    return f"{_server('matrix', values, token)}{_path(values, 'room')}"


def _zulip(values: Mapping[str, str]) -> str:
    bot, at, organization = values["bot"].partition("@")
    if not at or not re.fullmatch(r"[A-Za-z0-9.-]+", organization):
        raise Wrong("bot", _("This must be the bot's email address, as Zulip shows it."))
    name = quote(bot.removesuffix("-bot"), safe="")
    return f"zulip://{name}@{organization}{_path(values, 'key', 'stream')}"


def _pushover(values: Mapping[str, str]) -> str:
    return f"pover://{quote(values['user'], safe='')}@{quote(values['token'], safe='')}"


_WEBHOOK = Value(_("Address of the webhook"), secret=True)
_SERVER_VALUE = Value(_("Server"), _("Its address, such as https://chat.example."))
_TOKEN = Value(_("Token"), secret=True)

SERVICES: dict[str, Service] = {
    "discord": Service(
        "Discord",
        {
            "webhook": Value(
                _("Address of the webhook"),
                _("In Discord: the channel's settings, Integrations, Webhooks."),
                secret=True,
            )
        },
        _shown("discord.com", "discordapp.com"),
        frozenset({"discord"}),
        ("discord.com", "discordapp.com"),
    ),
    "slack": Service(
        "Slack",
        {
            "webhook": Value(
                _("Address of the webhook"),
                _("Of an app with Incoming Webhooks: https://hooks.slack.com/services/…"),
                secret=True,
            )
        },
        _shown("hooks.slack.com"),
        frozenset({"slack"}),
        ("hooks.slack.com",),
    ),
    "ntfy": Service(
        "ntfy",
        {
            "server": Value(_("Server"), _("https://ntfy.sh, or one of your own.")),
            "topic": Value(_("Topic"), _("Who knows its name can read it, if it is public.")),
            "token": Value(
                _("Access token"), _("If the topic needs one."), secret=True, required=False
            ),
        },
        _ntfy,
        frozenset({"ntfy", "ntfys"}),
    ),
    "gotify": Service(
        "Gotify",
        {
            "server": _SERVER_VALUE,
            "token": Value(_("Token"), _("Of an application, not of a client."), secret=True),
        },
        lambda values: f"{_server('gotify', values)}{_path(values, 'token')}",
        frozenset({"gotify", "gotifys"}),
    ),
    "matrix": Service(
        "Matrix",
        {
            "server": Value(_("Homeserver"), _("Its address, such as https://matrix.example.")),
            "token": Value(_("Access token"), _("Of an account that is in the room."), secret=True),
            "room": Value(_("Room"), _("Its id, !abc:matrix.example, or an alias, #name:….")),
        },
        _matrix,
        frozenset({"matrix", "matrixs"}),
    ),
    "pushover": Service(
        "Pushover",
        {
            "user": Value(_("User key"), _("It is on your own page."), secret=True),
            "token": Value(_("API token"), _("Of an application that you made."), secret=True),
        },
        _pushover,
        frozenset({"pover"}),
    ),
    "mattermost": Service(
        "Mattermost",
        {"webhook": _WEBHOOK},
        _mattermost,
        frozenset({"mmost", "mmosts"}),
    ),
    "rocket-chat": Service(
        "Rocket.Chat",
        {
            "webhook": _WEBHOOK,
            "room": Value(
                _("Room"), _("If not that of the webhook: #name or @name."), required=False
            ),
        },
        _rocket_chat,
        frozenset({"rocket", "rockets"}),
    ),
    "teams": Service(
        "Microsoft Teams",
        {
            "webhook": Value(
                _("Address of the webhook"),
                _("Of a workflow that posts when a webhook request is received."),
                secret=True,
            )
        },
        _shown("logic.azure.com", "api.powerplatform.com"),
        frozenset({"workflow", "workflows"}),
        ("logic.azure.com", "api.powerplatform.com"),
    ),
    "signal": Service(
        "Signal",
        {
            "server": Value(_("Server"), _("Where signal-cli-rest-api runs.")),
            "from": Value(_("From"), _("The number it is registered with: +491701234567.")),
            "to": Value(_("To"), _("Numbers or groups, with commas between them.")),
        },
        _signal,
        frozenset({"signal", "signals"}),
    ),
    "home-assistant": Service(
        "Home Assistant",
        {
            "server": Value(_("Server"), _("Its address, with the port: http://home:8123.")),
            "token": Value(
                _("Access token"), _("A long-lived one, from your profile."), secret=True
            ),
        },
        lambda values: f"{_server('hassio', values)}{_path(values, 'token')}",
        frozenset({"hassio", "hassios"}),
    ),
    "zulip": Service(
        "Zulip",
        {
            "bot": Value(_("Bot"), _("Its email address: dockrev-bot@org.zulipchat.com.")),
            "key": Value(_("API key"), secret=True),
            "stream": Value(_("Stream"), _("The channel that it writes to.")),
        },
        _zulip,
        frozenset({"zulip"}),
    ),
    "url": Service(
        _("Another service, by its URL"),
        {
            "url": Value(
                _("URL"), _("As Apprise's documentation has it for the service."), secret=True
            )
        },
        lambda values: values["url"],
        frozenset(),
    ),
}
DEFAULT = "url"


class ApprisePage(PageForm):
    variants: ClassVar[Mapping[str, Words]] = {
        name: service.label for name, service in SERVICES.items()
    }

    def __init__(self, *args: Any, variant: str = "", **kwargs: Any) -> None:
        super().__init__(*args, variant=variant if variant in SERVICES else DEFAULT, **kwargs)
        self._service = SERVICES[self.variant]
        for name, value in self._service.values.items():
            self.fields[name] = forms.CharField(
                label=value.label,
                help_text=value.help,
                required=False,  # all of them stay as they were, if all are empty
                max_length=2000,
                widget=forms.PasswordInput if value.secret else forms.TextInput,
            )
            self.fields[name].widget.attrs["autocomplete"] = (
                "new-password" if value.secret else "off"
            )

    def clean(self) -> None:
        """Make the URL of what was filled in, or of nothing none."""
        self._url = ""
        values = {name: self.cleaned_data.get(name, "") for name in self._service.values}
        if self.errors or not any(values.values()):
            return
        for name, value in self._service.values.items():
            if value.required and not values[name]:
                self.add_error(name, forms.Field.default_error_messages["required"])
        if self.errors:
            return
        try:
            self._url = self._service.make(values)
        except Wrong as error:
            self.add_error(error.name, str(error.text))
        except ValueError:
            self.add_error(None, _("No URL can be made of this."))

    def config(self) -> dict[str, Any]:
        return {"url": self._url} if self._url else {}

    @classmethod
    def filled(cls, config: Mapping[str, Any]) -> dict[str, Any]:
        """Nothing: all of it is part of the secret."""
        return {}

    @classmethod
    def variant_of(cls, config: Mapping[str, Any]) -> str:
        """The service that a URL is for, as far as it is one of these."""
        scheme, _found, rest = str(config.get("url", "")).partition("://")
        host = re.split("[/:?]", rest, maxsplit=1)[0]
        for name, service in SERVICES.items():
            own = any(f".{host}".endswith(f".{each}") for each in service.hosts)
            if scheme.lower() in service.schemes or (scheme == "https" and own):
                return name
        return DEFAULT
