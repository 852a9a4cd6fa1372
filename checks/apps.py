"""Registers what this app gives to the layers below it."""

from __future__ import annotations

from datetime import timedelta

from django.apps import AppConfig
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from dockrev import retention, sections, ticks


class ChecksConfig(AppConfig):
    name = "checks"
    verbose_name = _("Checks")

    def ready(self) -> None:
        from checks import policy_pages, registry_pages, rule_pages, upkeep  # noqa: PLC0415 - models load after apps
        from checks.engine_health import engine_health  # noqa: PLC0415 - the same
        from dockrev import probes  # noqa: PLC0415 - the same

        probes.HEALTH["engine"] = engine_health
        for page in (policy_pages, registry_pages, rule_pages):
            sections.register(page.SECTION)
        ticks.register(upkeep)
        ticks.preload("checks.tasks", "checks.discovery.look")
        _register_jobs()
        _register_schedules()
        _register_retention()


def _register_jobs() -> None:
    from checks import checking, kinds, maintenance  # noqa: PLC0415 - models load after apps
    from checks.discovery import job as discovery  # noqa: PLC0415 - the same

    kinds.register(discovery.KIND)
    kinds.register(checking.CHECK_SERVICE)
    kinds.register(checking.CHECK_STACK)
    kinds.register(checking.CHECK_ALL)
    kinds.register(maintenance.KIND)


def _register_schedules() -> None:
    from checks import checking, ignoring, maintenance  # noqa: PLC0415 - models load after apps
    from checks.discovery import job as discovery  # noqa: PLC0415 - the same
    from dockrev import schedules  # noqa: PLC0415 - the same

    schedules.register(
        "discovery",
        "* * * * *",
        discovery.enqueue_scheduled,
        at_once=True,
        title=_("Look for stacks and services"),
    )
    schedules.register(
        "check",
        "0 */6 * * *",
        checking.enqueue_scheduled,
        jitter=timedelta(minutes=10),
        title=_("Check everything"),
    )
    schedules.register(
        "ignores",
        "* * * * *",
        lambda: ignoring.expire(timezone.now()),
        title=_("End ignore rules whose time is over"),
    )
    schedules.register(
        "maintenance",
        "30 3 * * *",
        maintenance.enqueue_scheduled,
        title=_("Delete what was kept long enough"),
    )


def _register_retention() -> None:
    from checks import findings  # noqa: PLC0415 - models load after apps
    from checks.models import (  # noqa: PLC0415 - the same
        Candidate,
        Finding,
        IgnoreRule,
        Image,
        Job,
        ReleaseNotes,
        TagList,
    )

    retention.register("jobs", lambda before: Job.objects.filter(finished_at__lt=before))
    retention.register("ignore rules", lambda before: IgnoreRule.objects.over_since(before))
    retention.register("candidates", lambda b: Candidate.objects.filter(closed_at__lt=b))
    retention.register("tag lists", lambda b: TagList.objects.filter(fetched_at__lt=b))
    retention.register(
        "images",
        lambda b: Image.objects.filter(candidates=None, services=None, read_at__lt=b),
    )
    retention.register(
        "findings", lambda b: Finding.objects.filter(at__lt=b), most=lambda: findings.MOST
    )
    retention.register("release notes", lambda b: ReleaseNotes.objects.filter(fetched_at__lt=b))
