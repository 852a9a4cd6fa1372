"""Whose browser takes which channel's messages. The only writer of new subscriptions."""

from __future__ import annotations

import json
import re
from typing import Any, NamedTuple

from django.core.cache import cache
from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone
from django.utils.crypto import constant_time_compare
from django.utils.translation import gettext as _

from dockrev.errors import Conflict, RateLimited
from dockrev.fields import UnreadableSecret
from dockrev.ids import new_id
from dockrev.models import hash_token
from dockrev.permissions import Role, role_of
from notifications import messages, push_parcels, push_sending
from notifications.models import Channel
from notifications.outbox import Tried
from notifications.push_endpoints import Given
from notifications.push_keys import Pair
from notifications.push_models import PushSubscription
from notifications.push_sending import Came

KIND = "webpush"
MOST_OF_ONE, MOST = 50, 500
BETWEEN_TESTS = 5  # seconds, of one browser
# The first that fits: who comes later in the list also calls itself by the names before.
_BROWSERS = (
    ("Edg", "Edge"),
    ("OPR/", "Opera"),
    ("SamsungBrowser", "Samsung Internet"),
    ("Vivaldi", "Vivaldi"),
    ("Firefox", "Firefox"),
    ("FxiOS", "Firefox"),
    ("Chrome", "Chrome"),
    ("CriOS", "Chrome"),
    ("Safari", "Safari"),
)
_SYSTEMS = (
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Android", "Android"),
    ("CrOS", "ChromeOS"),
    ("Windows", "Windows"),
    ("Mac OS X", "macOS"),
    ("Linux", "Linux"),
)


class Open(NamedTuple):
    """A channel that browsers may subscribe to, and the key that they do it with."""

    id: str
    name: str
    public_key: str


def channels() -> list[Open]:
    """Those that are switched on and whose keys can be read, in one query."""
    found = []
    for row in (
        Channel.objects.sealed().filter(kind=KIND, enabled=True).order_by("created_at", "id")
    ):
        if key := public_key(row):
            found.append(Open(row.pk, row.name, key))
    return found


def public_key(channel: Channel) -> str:
    """The key that browsers subscribe with; empty where it cannot be read."""
    try:
        return str(channel.settings.get("vapidPublicKey", ""))
    except UnreadableSecret:
        return ""


def visible_to(user: Any) -> QuerySet[PushSubscription]:
    """One's own; to an admin all."""
    return PushSubscription.objects.listed() if role_of(user) >= Role.ADMIN else of(user)


def of(user: Any) -> QuerySet[PushSubscription]:
    return PushSubscription.objects.listed().filter(user_id=user.pk)


def subscribe(user: Any, channel: Open, given: Given, agent: str) -> tuple[PushSubscription, bool]:
    """Keep a browser's subscription. Returns the row, and whether it is new.

    A browser that somebody else subscribed before is whose it is now: it proves that it is the
    same by its keys, which nobody but the browser and we know. Raises Conflict.
    """
    with transaction.atomic():
        # One after the other, so that the limits hold. The lock is that of the channel's row.
        locked = Channel.objects.select_for_update().defer("config").filter(pk=channel.id).first()
        if locked is None:
            raise Conflict(_("This channel is not there any more."), reason="channel_gone")
        row = PushSubscription.objects.filter(endpoint_hash=hash_token(given.endpoint)).first()
        is_new = row is None
        row = row or PushSubscription(endpoint_hash=hash_token(given.endpoint))
        if not is_new and row.user_id != user.pk and not _is_same(row, given):
            raise Conflict(_("Somebody else's browser has this address."), reason="not_yours")
        if row.user_id != user.pk:
            _require_room(user)
        _write(row, user, channel, given, agent)
    return row, is_new


def give_new_keys(channel: Channel, pair: Pair) -> None:
    """Put a pair in the place of a channel's keys; the rest of its configuration stays."""
    config = {**channel.settings, "vapidPublicKey": pair.public, "vapidPrivateKey": pair.private}
    channel.config = json.dumps(config)
    channel.save(update_fields=["config"])


def forget(user: Any, endpoint: str, *, but: PushSubscription) -> None:
    """Drop what a browser had before it got a new address: only one's own, and not the new one."""
    of(user).exclude(pk=but.pk).filter(endpoint_hash=hash_token(endpoint)).delete()


def try_one(row: PushSubscription) -> Tried:
    """Send a test to one browser, and say what came of it. Raises RateLimited."""
    # By the address: who signs off and on again has another row, but not more tests.
    if not cache.add(f"push-test:{row.endpoint_hash}", 1, timeout=BETWEEN_TESTS):
        raise RateLimited(
            _("There was a test a moment ago. Wait a little."),
            headers={"Retry-After": str(BETWEEN_TESTS)},
        )
    message = messages.test_message(new_id("ntf"), KIND, timezone.now())
    try:
        sender = push_parcels.sender(row.channel.settings)
        if sender.public != row.server_key:
            return Tried(False, error=_("The keys have changed since: subscribe again."))
        [(_row, outcome)] = push_sending.send([row], message, sender)
    except UnreadableSecret as error:
        return Tried(False, error=str(error))
    words = outcome.error
    if outcome.came is Came.GONE:
        words = _("This browser signed off at its push service. Switch messages on again there.")
    return Tried(outcome.came is Came.TAKEN, status=outcome.status, error=words)


def browser_of(agent: str) -> str:
    """A browser's name as people know it, from what it says of itself."""
    name = next((name for mark, name in _BROWSERS if mark in agent), "")
    system = next((name for mark, name in _SYSTEMS if mark in agent), "")
    if name and system:
        return _("%(browser)s on %(system)s") % {"browser": name, "system": system}
    return name or system or _bare(agent) or _("A browser")


def _bare(agent: str) -> str:
    return re.sub(r"[^ -~]", "", agent).partition(" ")[0][:60]


def _is_same(row: PushSubscription, given: Given) -> bool:
    return constant_time_compare(row.auth, given.auth) and row.p256dh == given.p256dh


def _require_room(user: Any) -> None:
    if PushSubscription.objects.filter(user_id=user.pk).count() >= MOST_OF_ONE:
        raise Conflict(
            _("You have %(count)d browsers already. Remove one first.") % {"count": MOST_OF_ONE},
            reason="too_many",
        )
    if PushSubscription.objects.count() >= MOST:
        raise Conflict(
            _("There are %(count)d browsers already; an admin can remove some.") % {"count": MOST},
            reason="too_many",
        )


def _write(row: PushSubscription, user: Any, channel: Open, given: Given, agent: str) -> None:
    moved = row.channel_id != channel.id or row.user_id != user.pk
    row.user_id, row.channel_id, row.server_key = user.pk, channel.id, channel.public_key
    row.endpoint, row.p256dh, row.auth = given
    row.host, row.browser = given.host, browser_of(agent)[:100]
    if row._state.adding:
        row.created_at = timezone.now()
        row.save(force_insert=True)
        return
    if moved:
        row.taken, row.created_at, row.last_sent_at = [], timezone.now(), None
    row.failing_since, row.last_error = None, ""
    row.save(
        update_fields=[
            "user", "channel", "server_key", "endpoint", "p256dh", "auth", "host", "browser",
            "taken", "created_at", "last_sent_at", "failing_since", "last_error",
        ]
    )  # fmt: skip
