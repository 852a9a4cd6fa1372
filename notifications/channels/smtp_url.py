"""The URL that says which mail server to use, as whom, and who to write to.

    smtps://user:password@host:port?to=a@x,b@y&from=Name <n@x>
    smtp://…&tls=required|opportunistic|off

Each part may be percent-encoded, and a plus is a plus. It is read here by rules of our own, for
libraries repair what they do not understand, each in its way.
"""

from __future__ import annotations

import ipaddress
import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum
from urllib.parse import quote, unquote

from django.utils.encoding import punycode
from django.utils.translation import gettext as _

MOST_RECIPIENTS = 20
MAX_NAME = 100
MAX_CREDENTIAL = 500
IMPLICIT_TLS_PORT, SUBMISSION_PORT, RELAY_PORT = 465, 587, 25

_URL = re.compile(
    r"(?P<scheme>smtps?)://(?:(?P<user>[^/?#]*)@)?(?P<host>\[[^][@/?#]*\]|[^][@/?#:]+)"
    r"(?::(?P<port>[0-9]{1,5}))?/?(?:\?(?P<query>[^#]*))?",
    re.IGNORECASE,
)
_LABEL = r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?"
_HOST = re.compile(rf"(?=.{{1,253}}\Z){_LABEL}(?:\.{_LABEL})*", re.IGNORECASE)
_ATOM = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+"
_LOCAL = re.compile(rf"(?=.{{1,64}}\Z){_ATOM}(?:\.{_ATOM})*")
_MAILBOX = re.compile(r"(?P<name>[^<>]*?)\s*<(?P<inside>[^<>]*)>|(?P<bare>[^<>]*)")
_BAD_PERCENT = re.compile(r"%(?![0-9A-Fa-f]{2})")
# Control characters, halves of surrogate pairs, and what else breaks a line.
_FORBIDDEN = {"Cc", "Cs", "Zl", "Zp"}


class BadUrl(ValueError):
    """The text is for people, and quotes nothing of what was given: that may be a password.

    `part` is what is wrong: server, port, encryption, user, password, sender or to.
    """

    def __init__(self, text: str, part: str = "server") -> None:
        super().__init__(text)
        self.part = part


class Security(StrEnum):
    """When a connection is encrypted: from its first byte, by STARTTLS, by STARTTLS where the
    server offers it, or never."""

    ALWAYS = "smtps"
    REQUIRED = "required"
    OPPORTUNISTIC = "opportunistic"
    OFF = "off"


@dataclass(frozen=True)
class Mailbox:
    address: str
    name: str = ""

    def __str__(self) -> str:
        return f"{self.name} <{self.address}>" if self.name else self.address


@dataclass(frozen=True)
class SmtpUrl:
    """`host` is in ASCII, without brackets. What was left away is None."""

    host: str
    to: tuple[Mailbox, ...] = field(repr=False)
    given_port: int | None = None
    security: Security = Security.OPPORTUNISTIC
    user: str = field(default="", repr=False)
    password: str = field(default="", repr=False)
    given_sender: Mailbox | None = field(default=None, repr=False)

    @property
    def port(self) -> int:
        if self.given_port is not None:
            return self.given_port
        if self.security is Security.ALWAYS:
            return IMPLICIT_TLS_PORT
        return SUBMISSION_PORT if self.user else RELAY_PORT

    @property
    def sender(self) -> Mailbox:
        """Who the mail is from: the user, where that is an address, for most servers let nobody
        write as somebody else."""
        if self.given_sender is not None:
            return self.given_sender
        try:
            return Mailbox(mailbox(self.user).address, "Dockrev")
        except BadUrl:
            domain = "localhost" if _is_address(self.host) else self.host
            return Mailbox(f"dockrev@{domain}", "Dockrev")


def read(text: str) -> SmtpUrl:
    """Raises BadUrl."""
    _refuse_forbidden(text, "server")
    found = _URL.fullmatch(text)
    if found is None:
        raise BadUrl(
            _(
                "This must be like smtps://user:password@mail.example.org?to=you@example.org. "
                "Write % as %25, / as %2F, ? as %3F, # as %23, : as %3A and @ as %40 in user and "
                "password."
            )
        )
    user, password = _credentials(found["user"] or "")
    query = _query(found["query"] or "")
    return SmtpUrl(
        host=host(_decoded(found["host"], "server")),
        to=mailboxes(query.get("to", "")),
        given_port=port(found["port"]) if found["port"] else None,
        security=_security(found["scheme"].lower(), query.get("tls", "")),
        user=user,
        password=password,
        given_sender=mailbox(query["from"], "sender") if query.get("from") else None,
    )


def write(url: SmtpUrl) -> str:
    """What `read` makes the same of."""
    scheme = "smtps" if url.security is Security.ALWAYS else "smtp"
    who = f"{quote(url.user, safe='')}:{quote(url.password, safe='')}@" if url.user else ""
    where = f"[{url.host}]" if ":" in url.host else url.host
    if url.given_port is not None:
        where += f":{url.given_port}"
    query = [f"to={','.join(quote(str(each), safe='@') for each in url.to)}"]
    if url.given_sender is not None:
        query.append(f"from={quote(str(url.given_sender), safe='@')}")
    if scheme == "smtp" and url.security is not Security.OPPORTUNISTIC:
        query.append(f"tls={url.security}")
    return f"{scheme}://{who}{where}?{'&'.join(query)}"


def host(text: str) -> str:
    """A name, in ASCII, or an address without its brackets. Raises BadUrl."""
    bare = text.strip().removeprefix("[").removesuffix("]").lower()
    if _is_address(bare):
        return bare
    try:
        name = punycode(bare).lower()
    except UnicodeError:
        name = ""
    if not _HOST.fullmatch(name):
        raise BadUrl(_("Name the mail server, such as mail.example.org."))
    return name


def port(number: str | int) -> int:
    """Raises BadUrl."""
    if not 0 < int(number) < 65536:
        raise BadUrl(_("A port is a number from 1 to 65535."), "port")
    return int(number)


def mailboxes(text: str) -> tuple[Mailbox, ...]:
    """Addresses with commas between, each once. Raises BadUrl."""
    found = [mailbox(each) for each in text.split(",") if each.strip()]
    each_once = {each.address.casefold(): each for each in reversed(found)}
    if not found:
        raise BadUrl(_("Say who to write to: ?to=you@example.org."), "to")
    if len(each_once) > MOST_RECIPIENTS:
        most = {"most": MOST_RECIPIENTS}
        raise BadUrl(_("These are more than %(most)d recipients.") % most, "to")
    return tuple(reversed(each_once.values()))


def mailbox(text: str, part: str = "to") -> Mailbox:
    """`a@example.org` or `Name <a@example.org>`. Raises BadUrl."""
    _refuse_forbidden(text, part)
    found = _MAILBOX.fullmatch(text.strip())
    if found is None:
        raise _no_address(part)
    address = (found["bare"] if found["bare"] is not None else found["inside"]).strip()
    name = " ".join((found["name"] or "").split())
    if len(name) > 1 and name[0] == name[-1] == '"':
        name = name[1:-1].strip()
    if len(name) > MAX_NAME or '"' in name or "\\" in name:
        raise BadUrl(_("A name has at most 100 characters, without quotes and backslashes."), part)
    local, at, domain = address.rpartition("@")
    if not at or not _LOCAL.fullmatch(local):
        raise _no_address(part)
    try:
        return Mailbox(f"{local}@{host(domain)}", name)
    except BadUrl:
        raise _no_address(part) from None


def _no_address(part: str) -> BadUrl:
    text = _("An address is like you@example.org, in plain ASCII before the @.")
    return BadUrl(text, part)


def credential(text: str, part: str) -> str:
    """A user's name or a password. Raises BadUrl."""
    _refuse_forbidden(text, part)
    if len(text) > MAX_CREDENTIAL:
        raise BadUrl(_("User and password have at most 500 characters."), part)
    return text


def _credentials(text: str) -> tuple[str, str]:
    user, _colon, password = text.partition(":")
    user = credential(_decoded(user, "user"), "user")
    password = credential(_decoded(password, "password"), "password")
    if bool(user) != bool(password):
        raise BadUrl(_("User and password belong together: give both, or none."), "password")
    return user, password


def _query(text: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for member in text.split("&") if text else []:
        name, _equals, value = member.partition("=")
        if name not in ("to", "from", "tls") or name in found:
            raise BadUrl(
                _(
                    "After the ? there can be to, from and tls, once each. Write & as %26 in "
                    "their values."
                )
            )
        found[name] = _decoded(value, {"from": "sender", "tls": "encryption"}.get(name, name))
    return found


def _security(scheme: str, tls: str) -> Security:
    if scheme == "smtps":
        if tls not in ("", "required"):
            raise BadUrl(_("smtps:// is always encrypted: leave tls away."), "encryption")
        return Security.ALWAYS
    if tls not in ("", "required", "opportunistic", "off"):
        raise BadUrl(_("tls is required, opportunistic or off."), "encryption")
    return Security(tls or "opportunistic")


def _decoded(text: str, part: str) -> str:
    if _BAD_PERCENT.search(text):
        raise BadUrl(_("Write a % that is meant as such as %25."), part)
    try:
        decoded = unquote(text, errors="strict")
    except UnicodeDecodeError:
        raise BadUrl(_("What is percent-encoded must be UTF-8."), part) from None
    _refuse_forbidden(decoded, part)
    return decoded


def _refuse_forbidden(text: Iterable[str], part: str) -> None:
    """A line break would be a command or a header of its own."""
    if any(unicodedata.category(character) in _FORBIDDEN for character in text):
        raise BadUrl(_("Line breaks and control characters cannot be in this."), part)


def _is_address(text: str) -> bool:
    try:
        return "%" not in text and bool(ipaddress.ip_address(text))
    except ValueError:
        return False
