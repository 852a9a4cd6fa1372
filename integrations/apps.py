"""Registers what this app gives to the layers below it."""

from __future__ import annotations

from datetime import timedelta

from django.apps import AppConfig
from django.db.models.signals import post_migrate
from django.utils.translation import gettext_lazy as _

from checks.signals import job_finished
from dockrev import retention, sections


class IntegrationsConfig(AppConfig):
    name = "integrations"
    verbose_name = _("Integrations")

    def ready(self) -> None:
        from checks import kinds, results, titles  # noqa: PLC0415 - models load after apps
        from dockrev import preferences, schedules  # noqa: PLC0415 - the same
        from integrations import work  # noqa: PLC0415 - the same
        from integrations.first_rows import make_first_rows  # noqa: PLC0415 - the same
        from integrations.hooks import audit, listing, reconcile, removal, sync  # noqa: PLC0415 - the same
        from integrations.ingest import match_again  # noqa: PLC0415 - models load after apps
        from integrations.models import Delivery  # noqa: PLC0415 - the same
        from integrations.pages import SECTION  # noqa: PLC0415 - the same

        post_migrate.connect(make_first_rows, sender=self)
        job_finished.connect(match_again, dispatch_uid="integrations.match_again")
        sections.register(SECTION)
        kinds.register(reconcile.KIND)
        titles.register(
            reconcile.KIND.name,
            title=_("Bring in missed deliveries of %(subject)s"),
            label=_("Missed deliveries"),
        )
        schedules.register(
            reconcile.KIND.name, "*/15 * * * *", reconcile.enqueue_scheduled, at_each_start=True
        )
        kinds.register(listing.KIND)
        titles.register(
            listing.KIND.name,
            title=_("List the repositories of %(subject)s"),
            label=_("Lists of repositories"),
        )
        kinds.register(sync.KIND)
        titles.register(
            sync.KIND.name, title=_("Sync webhooks of %(subject)s"), label=_("Webhook syncs")
        )
        kinds.register(audit.KIND)
        titles.register(
            audit.KIND.name, title=_("Audit webhooks of %(subject)s"), label=_("Webhook audits")
        )
        schedules.register(
            audit.KIND.name, "0 3 * * *", audit.enqueue_scheduled, jitter=timedelta(minutes=30)
        )
        kinds.register(removal.KIND)
        titles.register(
            removal.KIND.name,
            title=_("Remove all webhooks of %(subject)s"),
            label=_("Removals of webhooks"),
        )
        for kind in (sync.KIND, audit.KIND, removal.KIND):
            results.register(kind.name, work.RESULTS)
        retention.register(
            "deliveries",
            lambda before: Delivery.objects.filter(last_received_at__lt=before),
            most=lambda: preferences.get("deliveries_most"),
        )
