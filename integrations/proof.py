"""Whose call it is: found by the secret that it proves to know, before anything else is read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext as _

from dockrev.errors import InvalidSignature, RateLimited
from dockrev.prepared import Select
from dockrev.together import Seen
from integrations.models import Receiver
from integrations.paths import token_hash
from integrations.receivers import CALLERS
from integrations.receivers.base import BadProof, Caller, Incoming, Setup
from integrations.receivers.oidc import UnknownKey
from integrations.tallies import MAX_FAILURES, WINDOW, tallies


class KeyUnknown(InvalidSignature):
    """The proof may be right, but is made with a key that is not known here yet."""


@dataclass(frozen=True)
class Entry:
    """A receiver, as far as a call needs it. `for_test`: the call is an example of ours."""

    pk: str
    kind: str
    name: str
    enabled: bool
    setup: Setup
    for_test: bool = False


def entry_of(row: Receiver) -> Entry:
    setup = setup_of(row.kind, row.registry_host, row.options, row.learned)
    return Entry(row.pk, row.kind, row.name, row.enabled, setup)


def setup_of(
    kind: str, registry_host: str, options: Mapping[str, Any], learned: Mapping[str, Any]
) -> Setup:
    return Setup(registry_host or CALLERS[kind].registry_host, options, learned)


_COLUMNS = ("pk", "name", "enabled")
_SETUP = ("registry_host", "options", "learned")
_SECRETS = ("secret", "previous_secret", "previous_until")
_of_kind = Select(
    lambda kind: (
        Receiver.objects.filter(kind=kind)
        .order_by("created_at", "id")
        .values_list(*_COLUMNS, *_SETUP, *_SECRETS)
    ),
    "kind",
)
_by_token = Select(
    lambda hashed: (
        Receiver.objects.filter(Q(path_token_hash=hashed) | Q(previous_token_hash=hashed))
        .order_by("created_at", "id")
        .values_list(*_COLUMNS, *_SETUP, *_SECRETS)
    ),
    "hashed",
)


def prove(kind: str, incoming: Incoming, address: str, seen: Seen) -> tuple[Entry, bool]:
    """The receiver whose secret the call knows, and whether it is the one before the present.

    `seen` keeps the receivers for the other calls of a batch. Raises InvalidSignature, of which
    KeyUnknown is one, or RateLimited.
    """
    caller = CALLERS[kind]
    now = timezone.now()
    rows = _rows(caller, incoming, seen)
    refusal = InvalidSignature
    for pk, name, enabled, host, options, learned, secret, previous, until in rows:
        setup = setup_of(kind, host, options, learned)
        secret = secret or caller.spare_secret()
        fresh = until is not None and until > now
        try:
            fitted = caller.verify(incoming, (secret, previous) if fresh else (secret,), setup)
        except BadProof as error:
            refusal = KeyUnknown if isinstance(error, UnknownKey) else refusal
            continue
        return Entry(pk, kind, name, enabled, setup), fitted > 0
    tallies.refused(kind)
    if tallies.too_many_failures(address):
        raise RateLimited(
            _("More than %(most)d calls without a right proof in a minute.")
            % {"most": MAX_FAILURES},
            headers={"Retry-After": str(int(WINDOW))},
        )
    raise refusal(_("The proof is missing or wrong."))


def _rows(caller: Caller, incoming: Incoming, seen: Seen) -> list[Any]:
    """The receivers that a call may be for: those of its kind, or the one whose token it has."""
    key = token_hash(caller.kind, incoming.token) if caller.token_in_path else caller.kind
    if key not in seen:
        seen[key] = _by_token(hashed=key) if caller.token_in_path else _of_kind(kind=key)
    rows: list[Any] = seen[key]
    return rows
