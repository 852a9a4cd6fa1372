"""What a provider of hooks can be asked. One file per provider implements it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import ClassVar

from integrations.receivers.base import Incoming

Progress = Callable[[int, int], None]  # done, total; total is 0 while it is unknown


@dataclass(frozen=True)
class Wanted:
    """How a hook of ours should be. `events` are those that it must have, it may have more."""

    url: str
    secret: str = field(repr=False)
    events: tuple[str, ...] = ()


@dataclass(frozen=True)
class Hook:
    """A hook as the provider shows it. `last_failure` is why its last call failed, if it did."""

    id: str
    url: str
    active: bool
    events: tuple[str, ...]
    content_type: str
    insecure_ssl: bool
    updated_at: datetime | None
    last_failure: str = ""


@dataclass(frozen=True)
class Hooks:
    """All hooks of a repository. `unchanged`: they are as they were at the ETag that was given.

    `ahead` is how far the provider's clock is ahead of ours, as far as it tells.
    """

    items: tuple[Hook, ...] = ()
    etag: str = ""
    unchanged: bool = False
    ahead: timedelta = timedelta()


@dataclass(frozen=True)
class Repository:
    """A repository of an owner. `visibility` is public, private or internal, empty if unknown."""

    full_name: str
    visibility: str = ""
    archived: bool = False
    disabled: bool = False


@dataclass(frozen=True)
class Owned:
    """The repositories of an owner, and what keeps the list from being whole."""

    repositories: tuple[Repository, ...] = ()
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class Sent:
    """One attempt of the provider to deliver. `guid` names the event, and our inbox knows it.

    `failure` is why the attempt failed, empty if it did not.
    """

    id: str
    guid: str
    event: str
    delivered_at: datetime
    failure: str = ""


@dataclass(frozen=True)
class SentPage:
    """Some attempts, newest first. `etag` is that of the first page.

    `clock` is the provider's own time when it answered, where it says so.
    """

    items: tuple[Sent, ...] = ()
    etag: str = ""
    unchanged: bool = False
    clock: datetime | None = None


class Standing(StrEnum):
    """What a credential is to its provider; untried where that did not answer."""

    OK = "ok"
    INVALID = "invalid"
    UNTRIED = "untried"


@dataclass(frozen=True)
class Report:
    """What a provider says of a credential. `scopes` is None where it does not tell.

    `missing` are the rights that are needed and known to be absent; `enough` is false where
    without them no hook can be kept at all.
    """

    state: Standing
    login: str = ""
    kind: str = ""
    expires_at: datetime | None = None
    scopes: tuple[str, ...] | None = None
    missing: tuple[str, ...] = ()
    enough: bool = True
    text: str = ""


class Provider(ABC):
    """Speaks for one account. Every call may raise a ProviderError. Safe to use in many threads.

    `limit` is how many calls it makes at once at most.
    """

    events: ClassVar[tuple[str, ...]]
    limit: ClassVar[int] = 5

    @abstractmethod
    def try_credential(self) -> Report:
        """Ask who the credential is. Never raises a ProviderError: the report says it."""

    @abstractmethod
    def repositories(self, owner: str, progress: Progress) -> Owned:
        """List every repository of an owner that the credential can see."""

    @abstractmethod
    def hooks(self, name: str, *, etag: str = "") -> Hooks:
        """List all hooks of a repository."""

    @abstractmethod
    def create(self, name: str, wanted: Wanted) -> Hook:
        """Make a hook. After Unavailable it may have been made: list before trying again."""

    @abstractmethod
    def update(self, name: str, hook: Hook, wanted: Wanted) -> Hook:
        """Bring a hook in line and send the secret; events that it has beside ours stay."""

    @abstractmethod
    def delete(self, name: str, hook_id: str) -> None:
        """Delete a hook; one that is gone already is no error."""

    @abstractmethod
    def ping(self, name: str, hook_id: str) -> None:
        """Have the provider call the hook with a test event."""

    @abstractmethod
    def sent(self, name: str, hook_id: str, *, etag: str = "") -> Iterator[SentPage]:
        """The deliveries of a hook, newest first, a page at a time, as far as they are kept."""

    @abstractmethod
    def sent_payload(self, name: str, hook_id: str, sent_id: str) -> Incoming:
        """The call that a delivery made, as it was sent, without its proof."""
