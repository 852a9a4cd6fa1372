from __future__ import annotations

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _

from dockrev import sections, ticks


class NotificationsConfig(AppConfig):
    name = "notifications"
    verbose_name = _("Notifications")

    def ready(self) -> None:
        from notifications import outbox  # noqa: PLC0415 - models load after apps
        from notifications.pages import SECTION  # noqa: PLC0415

        ticks.register(outbox)
        sections.register(SECTION)
