"""What has to be done about the hooks of one repository: wanted against found, for any provider.

Pure: no network, no database, no clock. A hook is ours if it calls our callback URL. One that we
do not want any more is only deleted if it is the very one that we made or matched before.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Self
from urllib.parse import urlsplit

from integrations.hooks.provider import Hook

ALL_EVENTS = "*"
CONTENT_TYPE = "json"
_PORTS = {"http": 80, "https": 443}


class Action(StrEnum):
    CREATE = "create"
    UPDATE = "update"
    NOOP = "noop"
    DELETE = "delete"
    CONFLICT = "conflict"
    NOTHING = "nothing"  # it takes no part, and there is no hook of ours


class Why(StrEnum):
    """What of a hook is not as it should be."""

    ACTIVE = "active"
    EVENTS = "events"
    CONTENT_TYPE = "content_type"
    TLS = "tls"
    NO_TLS = "no_tls"
    SECRET = "secret"  # noqa: S105 - a word for people
    OTHER_SECRET = "other_secret"  # noqa: S105 - the same; the provider shows it
    FAULT = "fault"  # the hook says which


@dataclass(frozen=True)
class Sought:
    """How our hook should be. `fingerprint` is that of the secret it should have.

    `in_url`: its URL holds the secret, and is masked here and in all hooks that are ours.
    """

    url: str
    fingerprint: str
    events: tuple[str, ...]
    verify_tls: bool = True
    in_url: bool = False

    def of(self, offered: tuple[str, ...] | None) -> Self:
        """With those events alone that can be had."""
        if offered is None:
            return self
        return replace(self, events=tuple(event for event in self.events if event in offered))


@dataclass(frozen=True)
class Known:
    """What we remember of a repository.

    `hook_id` and `hook_url` are the hook that we made or matched; `secret_sent` the fingerprint of
    the secret that we gave it, after which it had changed at `hook_updated_at`; `proven_at` when
    it last called us with the secret that it should have. `former` are ids and URLs of hooks in
    whose place there is another, and that could not be deleted then.
    """

    wanted: bool = True
    hook_id: str = ""
    hook_url: str = ""
    hook_updated_at: datetime | None = None
    secret_sent: str = ""
    proven_at: datetime | None = None
    former: frozenset[tuple[str, str]] = frozenset()


@dataclass(frozen=True)
class Choice:
    """Which of several hooks of ours a person wants to keep, and which to be rid of."""

    keep: str
    delete: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Plan:
    """`hook` is the one to update or leave alone. Hooks in `first` are deleted before that, those
    in `after` only when there is another in their place. `faults` are the hook's own words for
    what is amiss, beside `why`."""

    action: Action
    hook: Hook | None = None
    why: tuple[Why, ...] = ()
    conflict: tuple[Hook, ...] = ()
    first: tuple[Hook, ...] = ()
    after: tuple[Hook, ...] = ()
    faults: tuple[str, ...] = ()


def plan(sought: Sought, known: Known, hooks: Sequence[Hook], choice: Choice | None = None) -> Plan:
    """Decide from all hooks that a repository has."""
    former = _former(known, hooks)
    if not known.wanted:
        last = _remembered(known, hooks, known.hook_url or sought.url)
        old = tuple(dict.fromkeys((*last, *former)))
        return Plan(Action.DELETE, after=old) if old else Plan(Action.NOTHING)
    ours = tuple(hook for hook in ours_of(sought.url, hooks) if hook not in former)
    stale = _stale(sought, known, ours, choice) if sought.in_url else ()
    useful = tuple(hook for hook in ours if hook not in stale)
    first = _not_kept(useful, choice)
    rest = tuple(hook for hook in useful if hook not in first)
    if len(rest) > 1:
        return Plan(Action.CONFLICT, conflict=rest, first=first)
    moved = () if same_url(known.hook_url, sought.url) else _remembered(known, hooks)
    after = tuple(dict.fromkeys((*moved, *former, *stale)))
    if not rest:
        return Plan(Action.CREATE, after=after)
    why = amiss(sought, known, rest[0])
    action = Action.UPDATE if why else Action.NOOP
    return Plan(action, rest[0], why, first=first, after=after, faults=rest[0].faults)


def ours_of(url: str, hooks: Sequence[Hook]) -> tuple[Hook, ...]:
    return tuple(hook for hook in hooks if same_url(hook.url, url))


def amiss(sought: Sought, known: Known, hook: Hook) -> tuple[Why, ...]:
    """What of a hook of ours is not as it should be, or not known to be."""
    found = {
        Why.ACTIVE: not hook.active,
        Why.EVENTS: ALL_EVENTS not in hook.events and not set(sought.events) <= set(hook.events),
        Why.CONTENT_TYPE: hook.content_type != CONTENT_TYPE,
        Why.TLS: hook.insecure_ssl and sought.verify_tls,
        Why.NO_TLS: not hook.insecure_ssl and not sought.verify_tls,
        Why.SECRET: hook.secret_seen is None and not _has_secret(sought, known, hook),
        Why.OTHER_SECRET: hook.secret_seen not in {None, sought.fingerprint},
        Why.FAULT: bool(hook.faults),
    }
    return tuple(why for why, is_amiss in found.items() if is_amiss)


def same_url(one: str, other: str) -> bool:
    return bool(one) and _normal(one) == _normal(other)


def _has_secret(sought: Sought, known: Known, hook: Hook) -> bool:
    """What the provider does not show: it has ours if nobody changed the hook since we gave it
    ours, or if it proved since its last change that it knows it."""
    if hook.id != known.hook_id:
        return False
    if known.secret_sent == sought.fingerprint and known.hook_updated_at == hook.updated_at:
        return True
    if known.proven_at is None:
        return False
    return hook.updated_at is None or known.proven_at > hook.updated_at


def _remembered(known: Known, hooks: Sequence[Hook], url: str = "") -> tuple[Hook, ...]:
    """The hook that we made or matched, if it still calls where it called then."""
    url = url or known.hook_url
    return tuple(hook for hook in hooks if hook.id == known.hook_id and same_url(hook.url, url))


def _former(known: Known, hooks: Sequence[Hook]) -> tuple[Hook, ...]:
    """Hooks that were to go once, if they still call where they called then."""
    urls = dict(known.former)
    return tuple(hook for hook in hooks if hook.id in urls and same_url(hook.url, urls[hook.id]))


def _stale(
    sought: Sought, known: Known, ours: Sequence[Hook], choice: Choice | None
) -> tuple[Hook, ...]:
    """Hooks that call us by a URL which is of no more use, save one that can become the right.

    Which one that is, a person may choose, but not in the place of one that works: the choice was
    made before the secret was another, and what works is not deleted for what may never work.
    """
    right = [hook for hook in ours if hook.secret_seen == sought.fingerprint]
    chosen = [hook for hook in ours if choice is not None and hook.id == choice.keep]
    last = [hook for hook in ours if hook.id == known.hook_id]
    kept = right or chosen or last or ours[:1]
    return tuple(hook for hook in ours if hook not in kept)


def _not_kept(ours: Sequence[Hook], choice: Choice | None) -> tuple[Hook, ...]:
    """What a person chose to be rid of, if what was chosen in its place is there."""
    if choice is None or all(hook.id != choice.keep for hook in ours):
        return ()
    return tuple(hook for hook in ours if hook.id in choice.delete and hook.id != choice.keep)


def _normal(url: str) -> str:
    """A URL without the ways to write the same differently; what is no URL stays as it is."""
    try:
        parts = urlsplit(url)
        port = parts.port or _PORTS.get(parts.scheme)
    except ValueError:
        return url
    user, at, _host = parts.netloc.rpartition("@")
    where = f"{user}{at}{parts.hostname or ''}:{port}"
    query = f"?{parts.query}" if parts.query else ""
    return f"{parts.scheme}://{where}{parts.path.rstrip('/')}{query}"
