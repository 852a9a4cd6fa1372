"""The channels' section of the settings page."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from dockrev.sections import Section
from notifications.models import Channel


def channels_state(request: HttpRequest) -> dict[str, Any]:
    """The channels and how they are, without what they are configured with."""
    return {"channels": Channel.objects.defer("config")}


SECTION = Section(
    slug="channels",
    title=_("Notification channels"),
    template="notifications/settings_channels.html",
    load=channels_state,
    place=20,
)
