from __future__ import annotations

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _

from dockrev import retention, sections, ticks


class NotificationsConfig(AppConfig):
    name = "notifications"
    verbose_name = _("Notifications")

    def ready(self) -> None:
        from notifications import outbox  # noqa: PLC0415 - models load after apps
        from notifications.models import Notification  # noqa: PLC0415 - the same
        from notifications.pages import SECTION  # noqa: PLC0415 - the same

        ticks.register(outbox)
        sections.register(SECTION)
        retention.register(
            "notifications",
            lambda before: Notification.objects.filter(
                created_at__lt=before, next_attempt_at=None, lease_until=None
            ),
        )
