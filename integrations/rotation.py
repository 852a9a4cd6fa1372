"""New secrets for receivers, and how long the old one still counts.

Hooks that Dockrev keeps at a provider get a new secret one after the other, by a sync. Until the
last of them has it, both secrets count.
"""

from __future__ import annotations

import secrets
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import QuerySet

from checks import queue
from integrations.hooks.jobs import request_for
from integrations.hooks.tokens import fingerprint
from integrations.models import HookAccount, HookTarget, Receiver
from integrations.receivers import CALLERS

MIN_SECRET, MAX_SECRET = 16, 500
GRACE = timedelta(hours=24)
# For secrets that hooks have: renewed as long as a sync or an audit finds one that still has it.
GRACE_OF_HOOKS = timedelta(days=30)
COLUMNS = ["secret", "secret_created_at", "previous_secret", "previous_until"]


def fresh_secret() -> str:
    """256 random bits in characters that every sender's form takes."""
    return secrets.token_urlsafe(32)


def replace(receiver: Receiver, secret: str, now: datetime) -> None:
    """Set a secret by hand. The old one counts no longer: it may have been replaced for a reason.

    Changes the object; the caller saves COLUMNS.
    """
    receiver.secret, receiver.secret_created_at = secret, now
    receiver.previous_secret, receiver.previous_until = "", None


@transaction.atomic
def rotate(
    receiver: Receiver, now: datetime, *, username: str, reason: str, grace: timedelta = GRACE
) -> str:
    """Make a new secret and return it; the old one stays valid for `grace`, or, where hooks have
    it, until they have the new one. Where they can be given it, a sync is queued.

    Rotated again before any hook got the secret, what stays valid is the one that they have.
    """
    old = receiver.secret or CALLERS[receiver.kind].spare_secret()
    hooks = _targets(receiver).exclude(secret_sent="")
    has_hooks = hooks.exists()
    has_previous = receiver.previous_secret and (receiver.previous_until or now) > now
    if has_hooks and has_previous and not hooks.filter(secret_sent=fingerprint(old)).exists():
        old = receiver.previous_secret
    replace(receiver, fresh_secret(), now)
    if old:
        until = now + (max(grace, GRACE_OF_HOOKS) if has_hooks else grace)
        receiver.previous_secret, receiver.previous_until = old, until
    receiver.save(update_fields=COLUMNS)
    _hand_out(receiver, username, reason)
    return receiver.secret


def complete(account: HookAccount, now: datetime) -> None:
    """Refuse the previous secret as soon as every selected hook has the present one.

    A repository that was asked about since, and has no hook of ours, waits for nothing.
    """
    receiver = Receiver.objects.get(pk=account.receiver_id)
    since = receiver.secret_created_at
    if not receiver.previous_secret or since is None:
        return
    targets = _targets(receiver).filter(selected=True, removed=False)
    updated = targets.filter(secret_sent=fingerprint(receiver.secret))
    others = targets.exclude(pk__in=updated)
    same = Receiver.objects.filter(pk=receiver.pk, secret_created_at=since)
    if others.exclude(hook_id="", last_sync_at__gt=since).exists():
        if (receiver.previous_until or now) > now:
            same.update(previous_until=now + GRACE_OF_HOOKS)
    elif updated.exists():
        same.update(previous_secret="", previous_token_hash="", previous_until=None)


def _targets(receiver: Receiver) -> QuerySet[HookTarget]:
    return HookTarget.objects.filter(account__receiver=receiver).order_by()


def _hand_out(receiver: Receiver, username: str, reason: str) -> None:
    """Have the hooks updated. Without a token people do that by hand."""
    for account in receiver.accounts.all() if receiver.enabled else ():
        if account.credential and account.targets.filter(selected=True, removed=False).exists():
            queue.enqueue(request_for("hooks.sync", account, reason=reason, username=username))
