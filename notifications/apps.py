from __future__ import annotations

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _

from dockrev import retention, sections, ticks


class NotificationsConfig(AppConfig):
    name = "notifications"
    verbose_name = _("Notifications")

    def ready(self) -> None:
        from dockrev import probes, switches  # noqa: PLC0415 - models load after apps
        from notifications import announce, concerns, lanes, upkeep  # noqa: PLC0415 - the same
        from notifications.channel_pages import SECTION  # noqa: PLC0415 - the same
        from notifications.event_pages import SECTION as EVENTS  # noqa: PLC0415 - the same
        from notifications.models import Notification  # noqa: PLC0415 - the same
        from notifications.push_pages import SECTION as BROWSER  # noqa: PLC0415 - the same

        ticks.register(upkeep)
        ticks.beside(lanes.run)
        probes.ATTENTION.append(concerns.of_channels)
        switches.register(announce.EVENTS)
        sections.register(SECTION)
        sections.register(BROWSER)
        sections.register(EVENTS)
        retention.register(
            "notifications",
            lambda before: Notification.objects.filter(
                created_at__lt=before, next_attempt_at=None, lease_until=None
            ),
        )
