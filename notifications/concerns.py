"""What of the channels needs attention."""

from __future__ import annotations

from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from dockrev.probes import Concern
from notifications.models import Channel

MOST = 5


def of_channels() -> list[Concern]:
    """Those that have failed for long, or went off because they did."""
    rows = Channel.objects.to_see_to(timezone.now()).with_waiting().defer("config")
    return [Concern(_words(row), reverse("channel", args=[row.pk])) for row in rows[:MOST]]


def _words(row: Channel) -> str:
    if not row.enabled:
        words = _("The channel %(name)s was switched off: %(why)s")
        return words % {"name": row.name, "why": row.disabled_reason}
    waiting: int = getattr(row, "waiting", 0)
    words = ngettext(
        "The channel %(name)s fails, and %(count)d message waits: %(why)s",
        "The channel %(name)s fails, and %(count)d messages wait: %(why)s",
        waiting,
    )
    return words % {"name": row.name, "count": waiting, "why": row.last_error}
