"""One conversation with a mail server, by RFC 5321, 3207 (STARTTLS) and 4954 (AUTH).

Python's own client connects past the policy of `dockrev.addresses`, waits for each byte anew,
reads without an end and signs in in ASCII alone, so that little of it would be left.
"""

from __future__ import annotations

import ipaddress
import re
import ssl
import time
from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from requests.utils import DEFAULT_CA_BUNDLE_PATH

from dockrev import addresses, authorities, deadlines
from notifications.channels.smtp_url import Security, SmtpUrl

SECONDS = 25.0  # for all of it
CONNECT_SECONDS = 10.0  # for each address of the server
BYE_SECONDS = 1.0
MAX_REPLY = 64 * 1024
PART = 16 * 1024
NUL = b"\0"

_LINE = re.compile(rb"([2-5][0-9][0-9])(?:([ -])(.*))?", re.DOTALL)


@dataclass(frozen=True)
class Reply:
    """What a server answered: a code of three digits, and lines for people."""

    code: int
    lines: tuple[str, ...] = ()

    @property
    def is_taken(self) -> bool:
        return 200 <= self.code < 300

    @property
    def is_for_now(self) -> bool:
        return 400 <= self.code < 500


class Step(Enum):
    GREETING = "greeting"
    STARTTLS = "starttls"
    SIGN_IN = "sign in"
    SENDER = "sender"
    MAIL = "mail"


class Failed(Exception):
    """The conversation came to nothing, but not for want of a connection."""


class Refused(Failed):
    """The server said no to a step."""

    def __init__(self, step: Step, reply: Reply) -> None:
        super().__init__(step, reply.code)
        self.step = step
        self.reply = reply


class NoTls(Failed):
    """The connection has to be encrypted, and the server offers no STARTTLS."""


class InClear(Failed):
    """The password would go over the network in clear text, and nobody said that it may."""


class NoSignIn(Failed):
    """The server offers no way to sign in that is known here."""


class NoMailServer(Failed):
    """What answers does not speak SMTP."""


class Session:
    """A conversation until it is closed. Every method raises OSError, and some of the above."""

    def __init__(self, url: SmtpUrl, *, name: str = "") -> None:
        """Connect; `name` is how to introduce ourselves."""
        self._url = url
        self._ends = time.monotonic() + SECONDS
        self._buffer = bytearray()
        self._is_secure = False
        self._features: dict[str, str] = {}
        with deadlines.until(self._ends):
            self._socket = addresses.connect(url.host, url.port, CONNECT_SECONDS)
        try:
            self._name = name or _literal(self._socket.getsockname()[0])
            self._open()
        except BaseException:
            self._socket.close()
            raise

    def send(self, sender: str, recipients: Sequence[str]) -> list[Reply]:
        """Begin a mail, and say who takes it: a reply for each."""
        self._expect(Step.SENDER, f"MAIL FROM:<{sender}>")
        replies = []
        for each in recipients:
            reply = self._say(f"RCPT TO:<{each}>")
            if reply.code == 421:  # it closes the connection
                raise Refused(Step.MAIL, reply)
            replies.append(reply)
        return replies

    def data(self, mail: bytes) -> Reply:
        """The mail itself, with CRLF and in ASCII, for those who take it."""
        reply = self._say("DATA")
        if reply.code != 354:
            raise Refused(Step.MAIL, reply)
        doubled = re.sub(rb"(?m)^\.", b"..", mail)
        end = b".\r\n" if doubled.endswith(b"\r\n") else b"\r\n.\r\n"
        self._write(doubled + end)
        reply = self._reply()
        if not reply.is_taken:
            raise Refused(Step.MAIL, reply)
        return reply

    def close(self) -> None:
        """Say goodbye, which changes nothing any more."""
        self._ends = min(self._ends, time.monotonic() + BYE_SECONDS)
        try:
            self._say("QUIT")
        except (OSError, Failed):
            pass
        finally:
            self._socket.close()

    def _open(self) -> None:
        if self._url.security is Security.ALWAYS:
            self._encrypt()
        greeting = self._reply()
        if not greeting.is_taken:
            raise Refused(Step.GREETING, greeting)
        self._introduce()
        if self._url.security in (Security.REQUIRED, Security.OPPORTUNISTIC):
            self._start_tls()
        if self._url.user:
            self._sign_in()

    def _introduce(self) -> None:
        reply = self._say(f"EHLO {self._name}")
        if reply.code in (500, 501, 502, 504):
            reply = self._say(f"HELO {self._name}")
        if not reply.is_taken:
            raise Refused(Step.GREETING, reply)
        self._features = {}
        for line in reply.lines[1:]:
            word, _space, rest = line.upper().replace("AUTH=", "AUTH ", 1).partition(" ")
            self._features[word] = f"{self._features.get(word, '')} {rest}".strip()

    def _start_tls(self) -> None:
        if "STARTTLS" not in self._features:
            if self._url.security is Security.REQUIRED:
                raise NoTls
            return
        self._expect(Step.STARTTLS, "STARTTLS")
        if self._buffer:
            raise NoMailServer  # somebody put in words that would count as encrypted
        self._encrypt()
        self._introduce()

    def _encrypt(self) -> None:
        self._socket.settimeout(self._left())
        self._socket = _tls().wrap_socket(self._socket, server_hostname=self._url.host)
        self._is_secure = True

    def _sign_in(self) -> None:
        """A password that anybody between could read is given to this very machine, or where it
        was said that it may be."""
        is_meant = self._url.security is Security.OFF
        if not (self._is_secure or is_meant or is_this_machine(self._socket.getpeername()[0])):
            raise InClear
        user, password = self._url.user.encode(), self._url.password.encode()
        ways = self._features.get("AUTH", "").split()
        if "PLAIN" in ways:
            self._expect(Step.SIGN_IN, f"AUTH PLAIN {_base64(NUL.join([b'', user, password]))}")
        elif "LOGIN" in ways:
            self._expect(Step.SIGN_IN, "AUTH LOGIN", 334)
            self._expect(Step.SIGN_IN, _base64(user), 334)
            self._expect(Step.SIGN_IN, _base64(password))
        else:
            raise NoSignIn

    def _expect(self, step: Step, command: str, code: int = 0) -> None:
        reply = self._say(command)
        if not (reply.code == code if code else reply.is_taken):
            raise Refused(step, reply)

    def _say(self, command: str) -> Reply:
        self._write(f"{command}\r\n".encode("ascii"))
        return self._reply()

    def _write(self, data: bytes) -> None:
        for start in range(0, len(data), PART):
            self._socket.settimeout(self._left())
            self._socket.sendall(data[start : start + PART])

    def _reply(self) -> Reply:
        lines, read = [], 0
        while True:
            line = self._line()
            read += len(line)
            found = _LINE.fullmatch(line.rstrip(b"\r\n"))
            if found is None or read > MAX_REPLY:
                raise NoMailServer
            lines.append((found[3] or b"").decode("utf-8", errors="replace"))
            if found[2] != b"-":
                return Reply(int(found[1]), tuple(lines))

    def _line(self) -> bytes:
        while b"\n" not in self._buffer:
            if len(self._buffer) > MAX_REPLY:
                raise NoMailServer
            self._socket.settimeout(self._left())
            part = self._socket.recv(PART)
            if not part:
                raise ConnectionAbortedError
            self._buffer += part
        end = self._buffer.index(b"\n") + 1
        line = bytes(self._buffer[:end])
        del self._buffer[:end]
        return line

    def _left(self) -> float:
        left = self._ends - time.monotonic()
        if left <= 0:
            raise TimeoutError
        return left


def is_this_machine(address: str) -> bool:
    return ipaddress.ip_address(address.partition("%")[0]).is_loopback


def _tls() -> ssl.SSLContext:
    """Trusts whom this machine and our HTTP client trust, and whom the environment names."""
    context = ssl.create_default_context()
    context.load_verify_locations(DEFAULT_CA_BUNDLE_PATH)
    if bundle := authorities.bundle():
        is_folder = Path(bundle).is_dir()
        context.load_verify_locations(
            cafile=None if is_folder else bundle, capath=bundle if is_folder else None
        )
    return context


def _literal(address: str) -> str:
    """Our address as mail servers write one."""
    bare = address.partition("%")[0]
    return f"[IPv6:{bare}]" if ":" in bare else f"[{bare}]"


def _base64(data: bytes) -> str:
    return b64encode(data).decode("ascii")
