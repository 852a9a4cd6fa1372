"""New secrets for receivers, and how long the old one still counts."""

from __future__ import annotations

import secrets
from datetime import datetime, timedelta

from integrations.models import Receiver

MIN_SECRET, MAX_SECRET = 16, 500
GRACE = timedelta(hours=24)
# Hooks that Dockrev keeps at a provider get the new secret at their next sync.
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


def rotate(receiver: Receiver, now: datetime, *, grace: timedelta = GRACE) -> str:
    """Make a new secret and return it; the old one stays valid for `grace`."""
    old = receiver.secret
    replace(receiver, fresh_secret(), now)
    if old:
        receiver.previous_secret, receiver.previous_until = old, now + grace
    receiver.save(update_fields=COLUMNS)
    return receiver.secret
