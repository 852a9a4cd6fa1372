"""The channels' section of the settings page."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from dockrev.sections import Section
from notifications import announce
from notifications.models import Channel


def channels_state(request: HttpRequest) -> dict[str, Any]:
    """The channels and how they are, without what they are configured with."""
    return {"channels": [(row, _heard(row)) for row in Channel.objects.defer("config")]}


def _heard(channel: Channel) -> str:
    """What a channel is told of, for people."""
    words = [str(word) for event, word in announce.EVENTS.items() if event in channel.events]
    return ", ".join(words) or gettext("nothing")


SECTION = Section(
    slug="channels",
    title=_("Notification channels"),
    template="notifications/settings_channels.html",
    load=channels_state,
    place=20,
)
