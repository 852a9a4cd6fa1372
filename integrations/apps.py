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
        from checks import registry_links  # noqa: PLC0415 - models load after apps
        from checks.releases import accounts  # noqa: PLC0415 - models load after apps
        from dockrev import preferences  # noqa: PLC0415 - models load after apps
        from integrations import receiver_pages  # noqa: PLC0415 - the same
        from integrations.first_rows import make_first_rows  # noqa: PLC0415 - the same
        from integrations.github.pages import SECTION  # noqa: PLC0415 - the same
        from integrations.hooks.pages import LINK  # noqa: PLC0415 - the same
        from integrations.ingest import match_again  # noqa: PLC0415 - the same
        from integrations.models import Delivery  # noqa: PLC0415 - the same
        from integrations.release_accounts import HookAccounts  # noqa: PLC0415 - the same

        post_migrate.connect(make_first_rows, sender=self)
        job_finished.connect(match_again, dispatch_uid="integrations.match_again")
        sections.register(SECTION)
        registry_links.register(LINK)
        sections.register(receiver_pages.SECTION)
        accounts.register(HookAccounts())
        retention.register(
            "deliveries",
            # Their parts go with them, for which Django reads the rows: not with their payload.
            lambda before: Delivery.objects.filter(last_received_at__lt=before).only("pk"),
            most=lambda: preferences.get("deliveries_most"),
        )
        _register_jobs()
        _register_schedules()


def _register_jobs() -> None:
    from checks import kinds, results, titles  # noqa: PLC0415 - models load after apps
    from integrations import issuer_keys, reporting  # noqa: PLC0415 - the same
    from integrations.hooks import audit, listing, reconcile, removal, sync  # noqa: PLC0415 - the same
    from integrations.hooks.results import RESULTS  # noqa: PLC0415 - the same

    for kind, title, label in (
        (sync.KIND, _("Sync webhooks of %(subject)s"), _("Webhook syncs")),
        (audit.KIND, _("Audit webhooks of %(subject)s"), _("Webhook audits")),
        (removal.KIND, _("Remove all webhooks of %(subject)s"), _("Removals of webhooks")),
        (listing.KIND, _("List the repositories of %(subject)s"), _("Lists of repositories")),
        (reconcile.KIND, _("Bring in missed deliveries of %(subject)s"), _("Missed deliveries")),
        (issuer_keys.KIND, _("Fetch Google's keys"), _("Fetches of Google's keys")),
        (reporting.KIND, _("Answer the callback of %(subject)s"), _("Callbacks")),
    ):
        kinds.register(kind)
        titles.register(kind.name, title=title, label=label)
    for kind in (sync.KIND, audit.KIND, removal.KIND):
        results.register(kind.name, RESULTS)


def _register_schedules() -> None:
    from dockrev import schedules  # noqa: PLC0415 - models load after apps
    from integrations import issuer_keys, silence  # noqa: PLC0415 - the same
    from integrations.hooks import audit, reconcile  # noqa: PLC0415 - the same

    schedules.register(
        audit.KIND.name,
        "0 3 * * *",
        audit.enqueue_scheduled,
        jitter=timedelta(minutes=30),
        title=_("Audit webhooks"),
    )
    schedules.register(
        reconcile.KIND.name,
        "*/15 * * * *",
        reconcile.enqueue_scheduled,
        at_each_start=True,
        title=_("Bring in missed deliveries"),
    )
    schedules.register(
        issuer_keys.KIND.name,
        "17 * * * *",
        issuer_keys.enqueue_scheduled,
        jitter=timedelta(minutes=5),
        at_each_start=True,
        title=_("Fetch Google's keys, where receivers want tokens"),
    )
    schedules.register(
        "receivers.silence",
        "20 * * * *",
        silence.look,
        title=_("Look for receivers that fell silent"),
    )
