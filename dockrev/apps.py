from __future__ import annotations

from django.apps import AppConfig
from django.urls import register_converter
from django.utils.translation import gettext_lazy as _

from dockrev import addresses
from dockrev.api.converters import Id


class DockrevConfig(AppConfig):
    name = "dockrev"
    verbose_name = _("Dockrev")

    def ready(self) -> None:
        from django.contrib.sessions.models import Session  # noqa: PLC0415 - models load after apps
        from django_q.models import Task  # noqa: PLC0415 - the same

        from dockrev import (  # noqa: PLC0415 - models load after apps
            instance_pages,
            probes,
            retention,
            schedule_pages,
            sections,
            system_checks,
        )

        addresses.enforce()
        register_converter(Id, "id")
        system_checks.register_all()
        for page in (instance_pages, schedule_pages):
            sections.register(page.SECTION)
        probes.HEALTH["worker"] = probes.worker_health
        retention.register(
            "sessions", lambda before: Session.objects.filter(expire_date__lt=before)
        )
        retention.register("queue messages", lambda before: Task.objects.filter(stopped__lt=before))
