"""Registers what this app gives to the layers below it."""

from __future__ import annotations

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _

from checks.signals import job_finished


class IntegrationsConfig(AppConfig):
    name = "integrations"
    verbose_name = _("Integrations")

    def ready(self) -> None:
        from integrations.ingest import match_again  # noqa: PLC0415 - models load after apps

        job_finished.connect(match_again, dispatch_uid="integrations.match_again")
