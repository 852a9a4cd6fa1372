"""Callers of a trigger: their secrets, who a call is from, and what they may ask for.

Nobody learns from a refusal what there is beside the stacks that they may ask for: what is
elsewhere, and what is not there at all, are refused alike.
"""

from __future__ import annotations

import secrets
import unicodedata
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256

from django.db.models import Q, QuerySet
from django.utils.translation import gettext as _

from checks import naming
from checks.models import Service, Stack
from dockrev.errors import NotAllowed, NotFound
from integrations import pace
from integrations.models import Receiver, TriggerCaller
from integrations.proof import Entry, entry_of, prove
from integrations.receivers.base import Incoming
from integrations.receivers.trigger import HEADER, Trigger

Action = TriggerCaller.Action
MAX_CALLERS = 100  # of one trigger
MAX_STACKS = 200  # that one caller is limited to
MAX_CALLS = 1000  # in a minute
CALLS_OF_OWN_SECRET = 300  # in a minute
GRACE = timedelta(hours=24)
PREFIX = "drt_"  # so that people, and programs that look for secrets, see what it is
SECRET_COLUMNS = ("secret_hash", "secret_created_at", "previous_hash", "previous_until")
_RECEIVER_SECRETS = ("receiver__secret", "receiver__previous_secret")


@dataclass(frozen=True)
class Whose:
    """Whose call it is: a named caller's, or of whoever knows the receiver's own secret, which is
    limited to no stack. `secret` is what proved it."""

    entry: Entry
    caller: TriggerCaller | None
    secret: str

    @property
    def name(self) -> str:
        return self.caller.name if self.caller else self.entry.name

    @property
    def among(self) -> QuerySet[Stack] | None:
        """The stacks that it may ask for; None where that is every one."""
        if self.caller is None or self.caller.every_stack:
            return None
        return self.caller.stacks.all()


def prove_call(incoming: Incoming, address: str) -> Whose:
    """Say whose call it is. Raises InvalidSignature or RateLimited.

    A caller is found by the hash of a secret of 256 random bits, so neither the time that it takes
    nor what the database compares brings anybody nearer to one.
    """
    secret = incoming.headers.get(HEADER.lower(), "")
    hashed, now = hash_of(secret), incoming.at
    known = TriggerCaller.objects.filter(
        Q(secret_hash=hashed) | Q(previous_hash=hashed, previous_until__gt=now),
        receiver__kind=Trigger.kind,
    )
    caller = known.select_related("receiver").defer(*_RECEIVER_SECRETS).first()
    if caller is not None:
        return Whose(entry_of(caller.receiver), caller, secret)
    entry, _by_previous_secret = prove(Trigger.kind, incoming, address, {})
    return Whose(entry, None, secret)


def admit(whose: Whose, now: datetime) -> None:
    """Count the call. Raises RateLimited where it is one too many."""
    if whose.caller is None:
        pace.admit(Receiver.objects.filter(pk=whose.entry.pk), CALLS_OF_OWN_SECRET, now)
        return
    rows = TriggerCaller.objects.filter(pk=whose.caller.pk)
    pace.admit(rows, whose.caller.calls_per_minute, now, last_used_at=now)


def require_on(whose: Whose) -> None:
    """Raise NotAllowed if the caller is switched off."""
    if whose.caller and not whose.caller.enabled:
        raise NotAllowed(_("This caller is switched off."), reason="caller_off")


def require_action(whose: Whose, action: str) -> None:
    """Raise NotAllowed if it may not do this."""
    if whose.caller and action not in whose.caller.actions:
        raise NotAllowed(
            _("This caller may not do this."),
            reason="action_not_allowed",
            allowed=whose.caller.actions,
        )


def require_everything(whose: Whose) -> None:
    """Raise NotAllowed if it is limited to stacks, or to none."""
    if whose.among is not None:
        raise NotAllowed(
            _("This caller is limited to stacks, and may not ask for all."),
            reason="scope_not_allowed",
        )


def find_stack(whose: Whose, called: str, *, field: str) -> Stack:
    """Raises NotAllowed, and what `naming.find_stack` does."""
    try:
        return naming.find_stack(called, field=field, among=whose.among)
    except NotFound:
        _refuse_elsewhere(whose, field)
        raise


def find_service(whose: Whose, called: str, *, field: str) -> Service:
    """Raises NotAllowed, and what `naming.find_service` does."""
    try:
        return naming.find_service(called, field=field, among=whose.among)
    except NotFound:
        _refuse_elsewhere(whose, field)
        raise


def _refuse_elsewhere(whose: Whose, field: str) -> None:
    if whose.among is not None:
        raise NotAllowed(
            _("Nothing that this caller may ask for is called that."),
            reason="stack_not_allowed",
            field=field,
        ) from None


def new_secret(caller: TriggerCaller, now: datetime, *, keeps_old: bool = True) -> str:
    """Give it another secret and return it, for this once: only its hash is kept.

    The one before counts for another day, or not at all. Changes the object; the caller of this
    saves SECRET_COLUMNS.
    """
    secret = PREFIX + secrets.token_urlsafe(32)
    keeps_old = keeps_old and bool(caller.secret_hash)
    caller.previous_hash = caller.secret_hash if keeps_old else ""
    caller.previous_until = now + GRACE if keeps_old else None
    caller.secret_hash, caller.secret_created_at = hash_of(secret), now
    return secret


def hash_of(secret: str) -> str:
    return sha256(f"dockrev trigger caller:{secret}".encode("utf-8", "replace")).hexdigest()


def key_of(name: str) -> str:
    """The name as it is compared."""
    return unicodedata.normalize("NFKC", name).casefold()
