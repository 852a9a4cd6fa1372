"""What a receiver is given and what it says: bytes in, image events out, nothing else.

To add one, write its file: one class, its examples and its words; then name it in
`integrations.receivers`.
"""

from __future__ import annotations

import hmac
import json
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import Enum
from typing import Any, ClassVar
from urllib.parse import parse_qs

from django.utils import timezone
from django.utils.functional import Promise


@dataclass(frozen=True)
class Incoming:
    """One call as it came. `headers` are in lower case; `body` is the raw bytes; `token` is what
    stood in the path behind the kind, `at` when it came."""

    headers: Mapping[str, str]
    body: bytes
    token: str = field(default="", repr=False)
    at: datetime = field(default_factory=timezone.now)


@dataclass(frozen=True)
class Setup:
    """How a receiver was set up.

    `registry_host` is the registry that it speaks for, and wins over whatever host a body names;
    where it is empty, the body says which. `options` are those that its kind declares.
    `learned` is what jobs found out for it, such as the keys of an issuer of tokens.
    """

    registry_host: str = ""
    options: Mapping[str, Any] = field(default_factory=dict)
    learned: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class ImageEvent:
    """What a call says was pushed. `tag` and `digest` are empty where it names none."""

    registry: str
    repository: str
    tag: str = ""
    digest: str = ""

    def __str__(self) -> str:
        tag = f":{self.tag}" if self.tag else ""
        digest = f"@{self.digest}" if self.digest else ""
        return f"{self.registry}/{self.repository}{tag}{digest}"


@dataclass(frozen=True)
class Part:
    """One event of a call that carries several. `key` recognises it in whatever call it comes
    again; `image` is None where it names none that was pushed."""

    key: str
    image: ImageEvent | None = None


@dataclass(frozen=True)
class Finding:
    """What a scan of an image said: how many known weaknesses, by how bad they are; and when it
    ended, if it says so."""

    image: ImageEvent
    critical: int = 0
    high: int = 0
    other: int = 0
    scanner: str = ""
    at: datetime | None = None


@dataclass(frozen=True)
class Example:
    """A call as the sender documents it, with values of ours. `body` is its JSON.

    `decision` and `reason` are what an answer holds where nothing else decides: a delivery of
    an image that no service runs is `processed` without a reason.
    """

    name: str | Promise
    body: Any
    decision: str = "processed"
    reason: str = ""
    headers: Mapping[str, str] = field(default_factory=lambda: {"content-type": "application/json"})

    def incoming(self) -> Incoming:
        """The call, without its proof."""
        return Incoming(self.headers, json.dumps(self.body).encode())


@dataclass(frozen=True)
class Option:
    """A setting that only one kind of receiver has, kept in its `options`."""

    name: str
    label: str | Promise
    help: str | Promise
    is_flag: bool = True  # else a line of text


class BadProof(Exception):
    """Signature, secret or token is missing, malformed or wrong."""


class BadHeaders(Exception):
    """A header that this sender always sends is missing; the text names it."""


class Verdict(Enum):
    """What a call turned out to be. The values are the reasons of the HTTP contract."""

    IMAGES = ""
    PING = "ping"
    NOT_RELEVANT = "event_not_relevant"
    INVALID_JSON = "invalid_json"
    INVALID_PAYLOAD = "invalid_payload"


@dataclass(frozen=True)
class Reading:
    """A proven call, read.

    `dedupe_key` recognises the same call again; one without is known by its body. `repository` is
    the source repository that it names, if any, and `owner` whose it is; `also` are repositories of
    the registry that the image may be in as a second chance.

    `same_for` is how long an equal key means the same call: None is for ever. `parts` are the
    events of a call that carries several; they are recognised each on its own, and `images` are
    theirs. `callback_url` is where the sender asks to be told what came of it; nothing of it is
    proven. `findings` are kept whatever the verdict. `why` says to people how to mend what makes
    the payload invalid, if there is a way.
    """

    verdict: Verdict
    dedupe_key: str
    sender_id: str = ""
    event: str = ""
    action: str = ""
    hook_id: str = ""
    repository: str = ""
    owner: str = ""
    images: tuple[ImageEvent, ...] = ()
    also: tuple[ImageEvent, ...] = field(default=())
    same_for: timedelta | None = None
    parts: tuple[Part, ...] = ()
    findings: tuple[Finding, ...] = ()
    callback_url: str = ""
    why: str | Promise = ""


class Caller(ABC):
    """Knows one kind of caller by its proof. Instances hold no state."""

    kind: ClassVar[str]
    label: ClassVar[str]
    proof: ClassVar[str | Promise]  # for people: what the sender must send
    registry_host: ClassVar[str] = ""
    # Whether its calls say which registry they speak of. If not, somebody has to.
    names_host: ClassVar[bool] = True
    max_body: ClassVar[int] = 1024 * 1024
    # Whether the secret itself is sent as a header, which other letters than ASCII do not survive.
    secret_in_header: ClassVar[bool] = False
    # Whether the secret is the last part of the path, because the sender can prove nothing else.
    token_in_path: ClassVar[bool] = False
    options: ClassVar[tuple[Option, ...]] = ()
    # What a person does at the registry, step by step. `{url}` and `{secret}` are theirs to copy.
    steps: ClassVar[tuple[str | Promise, ...]] = ()
    # What can be pasted at the sender, where that takes lines of text; with `{url}` and `{secret}`.
    snippet: ClassVar[str] = ""
    docs: ClassVar[str] = ""  # its page in docs/

    @abstractmethod
    def verify(self, incoming: Incoming, secrets: tuple[str, ...], setup: Setup) -> int:
        """Say which of the secrets the call proves to know. Raises BadProof if none."""

    def spare_secret(self) -> str:
        """The secret of a row that has none of its own; empty where there is none either."""
        return ""


class Receiver(Caller):
    """Knows one sender of deliveries."""

    # Whether a body that cannot be read is answered 400: only where the sender shows it and
    # does not retry, block its queue or switch the hook off.
    shows_rejections: ClassVar[bool] = False
    # Whether only selected targets (repositories, projects) of its accounts take part.
    has_targets: ClassVar[bool] = False
    # What a call that is to be explained is taken to have had where it was not given.
    usual_headers: ClassVar[Mapping[str, str]] = {}

    def require_headers(self, incoming: Incoming) -> None:
        """Raise BadHeaders if a header that the sender always sends is missing; most send none."""

    @abstractmethod
    def read(self, incoming: Incoming, setup: Setup) -> Reading:
        """Say what a proven call means. Never raises for what a body holds."""

    @abstractmethod
    def examples(self, nonce: str) -> tuple[Example, ...]:
        """Calls to try it with: first a push, then at least one of no interest, if there are any.

        `nonce`, some letters and digits, makes them differ from those of other times wherever
        calls are recognised by it.
        """

    @abstractmethod
    def prove(self, incoming: Incoming, secret: str) -> Incoming:
        """The same call with the proof that its sender would give."""


def verify_hmac_sha256(secrets: tuple[str, ...], given: str, body: bytes, *, prefix: str) -> int:
    """Say under which secret `given` is the prefixed hex HMAC of the body. Raises BadProof.

    An empty secret proves nothing. Every secret is tried, so that time tells nothing.
    """
    signature = given.removeprefix(prefix).encode("utf-8", "replace")
    right = [_is_hmac(secret, body, signature) for secret in secrets]
    if True not in right or not given.startswith(prefix):
        raise BadProof
    return right.index(True)


def verify_shared_secret(secrets: tuple[str, ...], given: str) -> int:
    """Say which secret `given`, a header's value, is. Raises BadProof.

    An empty secret proves nothing. Every secret is tried, so that time tells nothing.
    """
    sent = given.encode("utf-8", "replace")
    right = [hmac.compare_digest(secret.encode(), sent) and bool(secret) for secret in secrets]
    if True not in right:
        raise BadProof
    return right.index(True)


def short_header(incoming: Incoming, name: str, *, limit: int = 100) -> str:
    """A header's value, if it is one that could be stored and shown."""
    value = incoming.headers.get(name, "")
    return value if len(value) <= limit and value.isascii() and value.isprintable() else ""


def with_header(incoming: Incoming, name: str, value: str) -> Incoming:
    """The same call with one header more; names are in lower case."""
    return replace(incoming, headers={**incoming.headers, name: value})


def hmac_sha256(secret: str, body: bytes) -> str:
    return hmac.digest(secret.encode(), body, "sha256").hex()


def _is_hmac(secret: str, body: bytes, signature: bytes) -> bool:
    return hmac.compare_digest(hmac_sha256(secret, body).encode(), signature) and bool(secret)


class NotAnObject(ValueError):
    """The text is not JSON, not an object, or nested too deep."""


def json_part(incoming: Incoming, *, most: int | None = None) -> bytes:
    """The JSON itself: the body, or the `payload` field of a hook that sends forms. Raises
    NotAnObject, also for a form of more than `most` bytes."""
    kind = incoming.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/x-www-form-urlencoded":
        return incoming.body
    if most is not None and len(incoming.body) > most:
        raise NotAnObject
    try:
        fields = parse_qs(incoming.body.decode("ascii"), max_num_fields=10)
    except ValueError:
        raise NotAnObject from None
    return fields.get("payload", [""])[0].encode("utf-8", "surrogatepass")


def json_object(raw: bytes) -> dict[str, Any]:
    """Parse a JSON object. Raises NotAnObject."""
    try:
        data = json.loads(raw)
    except (ValueError, RecursionError):
        raise NotAnObject from None
    if not isinstance(data, dict):
        raise NotAnObject
    return data


def member(data: Any, *path: str) -> Any:
    """Follow a path of members; None as soon as one is missing or not an object."""
    for name in path:
        data = data.get(name) if isinstance(data, dict) else None
    return data


def text(data: Any, *path: str, limit: int = 512) -> str:
    """The string at a path; empty if there is none, or one that is too long or holds control
    characters, which no name has."""
    value = member(data, *path)
    if not isinstance(value, str) or len(value) > limit or not value.isprintable():
        return ""
    return value.strip()
