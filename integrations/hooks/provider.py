"""What a provider of hooks can be asked. One file per provider implements it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import ClassVar, Self

from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from integrations.hooks.errors import CredentialInvalid, NotSeen, ProviderError, Rejected
from integrations.receivers.base import Incoming

MAX_HOOK_ID = 300
Progress = Callable[[int, int], None]  # done, total; total is 0 while it is unknown


class Proof(StrEnum):
    """How the calls of a provider's hooks prove that they are its."""

    SIGNED = "signed"  # by a secret that the provider never shows again
    SHOWN = "shown"  # by a header, which the provider shows in clear
    URL = "url"  # by nothing but the callback URL, whose last part is the secret


@dataclass(frozen=True)
class Access:
    """Where a provider is, and as whom it is asked.

    `authorities` are certificates, as PEM, that may sign its own besides those that everybody
    trusts: see `dockrev.authorities`. `hidden` are the secrets that its hooks have, which no text
    may repeat, whatever it was that the provider was asked.
    """

    api_url: str
    token: str = field(repr=False)
    user: str = ""
    authorities: str = field(default="", repr=False)
    hidden: tuple[str, ...] = field(default=(), repr=False, compare=False)


@dataclass(frozen=True)
class Wanted:
    """How a hook of ours should be. `events` are those that it must have, it may have more.

    Where the URL is the proof, it ends in the secret. `verify_tls`: the provider is to look at
    our certificate when it calls. `secret_known`: the hook that is to be updated has the secret.
    """

    url: str = field(repr=False)
    secret: str = field(repr=False)
    events: tuple[str, ...] = ()
    verify_tls: bool = True
    secret_known: bool = False


@dataclass(frozen=True)
class Hook:
    """A hook as the provider shows it.

    Where a provider knows one event for each hook, those with the same URL are one here, with an
    id that stays as they come and go.

    `secret_seen` is the fingerprint of its secret, where the provider shows that; None where it
    does not, and where the URL is the proof, which is read for all providers alike. `faults` are
    what else of it is not as `create` would make it, in words that follow "Put right:".
    `last_failure` is why its last call failed, if it did.
    """

    id: str
    url: str = field(repr=False)
    active: bool
    events: tuple[str, ...]
    content_type: str
    insecure_ssl: bool
    updated_at: datetime | None
    last_failure: str = ""
    secret_seen: str | None = None
    faults: tuple[str, ...] = ()


@dataclass(frozen=True)
class Hooks:
    """All hooks of a target. `unchanged`: they are as they were at the ETag that was given.

    `ahead` is how far the provider's clock is ahead of ours, as far as it tells. `offered` are
    the events that can be had there, None where all can.
    """

    items: tuple[Hook, ...] = ()
    etag: str = ""
    unchanged: bool = False
    ahead: timedelta = timedelta()
    offered: tuple[str, ...] | None = None


@dataclass(frozen=True)
class Repository:
    """What may be a target: a repository, a project, a namespace, an owner.

    `visibility` is public, private or internal, empty if unknown.
    """

    full_name: str
    visibility: str = ""
    archived: bool = False
    disabled: bool = False


@dataclass(frozen=True)
class Owned:
    """What may be targets, and what keeps the list from being whole."""

    repositories: tuple[Repository, ...] = ()
    warnings: tuple[str, ...] = ()


class BadTarget(ValueError):
    """What was typed names no target of this provider; the message says why."""


@dataclass(frozen=True)
class Sent:
    """One attempt of the provider to deliver. `guid` names the event, and our inbox knows it.

    `failure` is why the attempt failed, empty if it did not. Where the provider does not say what
    our inbox knows the event by, `guid` is empty and `incoming` the call without its proof.
    """

    id: str
    guid: str
    event: str
    delivered_at: datetime
    failure: str = ""
    incoming: Incoming | None = field(default=None, repr=False)


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

    `key` is the account's `provider`, `receiver` the kind of the receiver that its hooks call.
    `limit` is how many calls it makes at once at most.
    """

    do_not_call_in_templates: ClassVar[bool] = True  # which show what a class says of itself
    key: ClassVar[str]
    label: ClassVar[str]
    receiver: ClassVar[str]
    events: ClassVar[tuple[str, ...]]
    limit: ClassVar[int] = 5
    proof: ClassVar[Proof] = Proof.SIGNED
    # Whether `sent` tells anything, and whether `ping` does.
    keeps_history: ClassVar[bool] = False
    can_ping: ClassVar[bool] = False
    # Whether its hooks can be told not to look at our certificate.
    can_skip_tls: ClassVar[bool] = True
    # For people who set up an account.
    has_user: ClassVar[bool] = False  # whether the token belongs to a user's name
    default_api_url: ClassVar[str] = ""  # where it is, unless something else is said
    address_help: ClassVar[str | Promise] = ""
    token_help: ClassVar[str | Promise] = ""
    target_help: ClassVar[str | Promise] = gettext_lazy("owner/name")

    @classmethod
    def open(cls, access: Access) -> Self:
        """The provider, for one account."""
        return cls(access)

    def __init__(self, access: Access) -> None:
        self.access = access

    @classmethod
    @abstractmethod
    def read_target(cls, text: str, api_url: str) -> str:
        """The full name of the target that a person typed, without asking. Raises BadTarget.

        Names that differ in case only are one target.
        """

    @property
    def credential_kind(self) -> str:
        """What kind of credential it is, as far as it can be told from looking at it."""
        return ""

    def try_credential(self) -> Report:
        """Ask who the credential is. Never raises a ProviderError: the report says it."""
        try:
            return self.who()
        except CredentialInvalid as error:
            return Report(Standing.INVALID, kind=self.credential_kind, text=str(error))
        except ProviderError as error:
            return Report(Standing.UNTRIED, kind=self.credential_kind, text=str(error))

    @abstractmethod
    def who(self) -> Report:
        """Who the credential is, asked with little patience: a person may be waiting."""

    @abstractmethod
    def possible(self, words: str, progress: Progress) -> Owned:
        """List what may be a target, and what the credential can see, for a person to pick from.

        `words` may spare asking for what has them not in its name; empty asks for all.
        """

    @abstractmethod
    def hooks(self, name: str, *, etag: str = "") -> Hooks:
        """List all hooks of a target."""

    @abstractmethod
    def create(self, name: str, wanted: Wanted) -> Hook:
        """Make a hook. After Unavailable it may have been made: list before trying again.

        Events that cannot be had there are left out.
        """

    def update(self, name: str, hook: Hook, wanted: Wanted) -> Hook | None:
        """Bring a hook in line and send the secret; what a person added to it stays.

        None, where the provider cannot: then another is made, and this one deleted when that is
        there. `hook` is as it was listed, but where the URL is the proof,
        its `url` is masked and its `secret_seen` that of the URL.
        """
        return None

    def another(self, name: str, hook: Hook, wanted: Wanted) -> Hook:
        """Make one in the place of a hook that cannot be updated, and leave that to be deleted."""
        events = tuple(dict.fromkeys((*wanted.events, *hook.events)))
        return self.create(name, replace(wanted, events=events))

    @abstractmethod
    def delete(self, name: str, hook_id: str) -> None:
        """Delete a hook; one that is gone already is no error."""

    def ping(self, name: str, hook_id: str) -> None:
        """Have the provider call the hook with a test event."""
        raise Rejected(_("%(provider)s cannot send a test.") % {"provider": self.label})

    def sent(self, name: str, hook_id: str, *, etag: str = "") -> Iterator[SentPage]:
        """The deliveries of a hook, newest first, a page at a time, as far as they are kept."""
        return iter(())

    def sent_payload(self, name: str, hook_id: str, sent_id: str) -> Incoming:
        """The call that a delivery made, as it was sent, without its proof."""
        raise NotSeen(_("%(provider)s does not keep what it sent.") % {"provider": self.label})
