"""Tries a channel now, on or off, and says what came of it. A few times a minute, one at a time.

Who tries waits for the answer. Counts live in this process's cache, as those of failed sign-ins do.
"""

from __future__ import annotations

import logging
import time
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta

from django.core.cache import cache
from django.utils import timezone
from django.utils.translation import gettext as _

from dockrev import languages
from dockrev.errors import RateLimited
from dockrev.fields import UnreadableSecret
from dockrev.ids import new_id
from notifications import example_messages, messages, outbox
from notifications.channels.base import Message
from notifications.models import Channel

logger = logging.getLogger(__name__)

MOST, WINDOW = 6, 60  # tests of one channel, in so many seconds
LONGEST = 60  # seconds after which a test that never ended keeps nobody out


@dataclass(frozen=True)
class Outcome:
    """What came of sending a message of this kind. `status` is what was answered, if anything."""

    kind: str
    ok: bool
    took: timedelta
    status: int | None = None
    error: str = ""

    @property
    def says_status(self) -> bool:
        """Whether the status has to be said beside the error."""
        return self.status is not None and str(self.status) not in self.error


def try_out(channel: Channel, kind: str = messages.TEST) -> Outcome:
    """Send a test, or the example of a kind of message. Raises RateLimited."""
    _count(channel)
    running = f"channel-test:running:{channel.pk}"
    if not cache.add(running, 1, timeout=LONGEST):
        raise RateLimited(_("A test of this channel is under way."), headers={"Retry-After": "5"})
    try:
        return _try(channel, kind)
    finally:
        cache.delete(running)


def _try(channel: Channel, kind: str) -> Outcome:
    began = time.monotonic()
    try:
        tried = outbox.send_now(channel, _message(channel, kind))
    except UnreadableSecret as error:
        tried = outbox.Tried(False, error=str(error))
    except Exception:
        logger.exception("a test failed", extra={"channel": channel.pk})
        tried = outbox.Tried(False, error=_("An error inside Dockrev; the log has it."))
    took = timedelta(seconds=time.monotonic() - began)
    return Outcome(kind, tried.ok, took, status=tried.status, error=tried.error)


def _message(channel: Channel, kind: str) -> Message:
    """In the language of the channel, whoever tries it."""
    if kind != messages.TEST:
        return example_messages.message(kind, channel, timezone.now())
    with languages.spoken(channel.language):
        return messages.test_message(new_id("ntf"), channel.kind, timezone.now())


def _count(channel: Channel) -> None:
    key = f"channel-test:count:{channel.pk}"
    cache.add(key, 0, timeout=WINDOW)
    with suppress(ValueError):  # it ran out in this very moment
        if cache.incr(key) > MOST:
            raise RateLimited(
                _("There were many tests in a minute. Wait a little."),
                headers={"Retry-After": str(WINDOW)},
            )
