"""Registers what this app gives to the layers below it."""

from __future__ import annotations

from datetime import timedelta

from django.apps import AppConfig
from django.db.models.signals import post_delete
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from dockrev import retention, sections, ticks


class ChecksConfig(AppConfig):
    name = "checks"
    verbose_name = _("Checks")

    def ready(self) -> None:
        from checks import stack_choices, upkeep  # noqa: PLC0415 - models load after apps
        from checks.engine_health import engine_health  # noqa: PLC0415 - the same
        from dockrev import probes  # noqa: PLC0415 - the same
        from notifications import stacks  # noqa: PLC0415 - the same

        stacks.register(stack_choices.load)
        probes.HEALTH["engine"] = engine_health
        ticks.register(upkeep)
        ticks.preload("checks.tasks", "checks.discovery.look")
        ticks.preload("checks.updating.apply", "checks.updating.going_back")
        ticks.preload("checks.backups.restoring")
        ticks.preload("checks.automatic.asking", "checks.pruning.prune")
        ticks.preload("checks.lifecycle.carrying_out")
        _register_sections()
        _register_checks()
        _register_changes()
        _register_automatic()
        _register_looks()
        _register_changes_by_clock()
        _register_schedules()
        _register_retention()


def _register_sections() -> None:
    from checks import backup_pages, host_pages, policy_pages, registry_pages, rule_pages  # noqa: PLC0415 - models load after apps
    from checks.pruning import pages as pruning_pages  # noqa: PLC0415 - the same

    settings = (backup_pages, host_pages, policy_pages, registry_pages, rule_pages, pruning_pages)
    for page in settings:
        sections.register(page.SECTION)


def _register_checks() -> None:
    """Kinds of jobs that change nothing of what runs."""
    from checks import checking, kinds, maintenance  # noqa: PLC0415 - models load after apps
    from checks.discovery import job as discovery  # noqa: PLC0415 - the same

    kinds.register(discovery.KIND)
    kinds.register(checking.CHECK_SERVICE)
    kinds.register(checking.CHECK_STACK)
    kinds.register(checking.CHECK_ALL)
    kinds.register(maintenance.KIND)


def _register_changes() -> None:
    """Kinds of jobs that stop containers or make them anew."""
    from checks import kinds, results, titles  # noqa: PLC0415 - models load after apps
    from checks.backups.job import RESTORE  # noqa: PLC0415 - the same
    from checks.lifecycle.job import KIND as LIFECYCLE  # noqa: PLC0415 - the same
    from checks.updating.job import ROLLBACK, SELF_UPDATE, UPDATE  # noqa: PLC0415 - the same
    from checks.updating.results import RESULTS  # noqa: PLC0415 - the same

    for kind in (UPDATE, SELF_UPDATE, ROLLBACK, RESTORE, LIFECYCLE):
        kinds.register(kind)
        results.register(kind.name, RESULTS)
    say = titles.register
    say("self_update", title=_("Update Dockrev itself: %(subject)s"), label=_("Updates of Dockrev"))
    say("rollback", title=_("Roll back %(subject)s"), label=_("Rollbacks"))
    say("backup.restore", title=_("Restore data of %(subject)s"), label=_("Restores of data"))
    say("lifecycle", title="%(subject)s", label=_("Starts, stops and restarts"))


def _register_automatic() -> None:
    from checks import kinds, results, titles  # noqa: PLC0415 - models load after apps
    from checks.automatic import job as automatic  # noqa: PLC0415 - the same
    from checks.automatic import pauses  # noqa: PLC0415 - the same
    from checks.pruning import job as pruning  # noqa: PLC0415 - the same
    from checks.pruning import pages as pruning_pages  # noqa: PLC0415 - the same
    from checks.signals import job_finished  # noqa: PLC0415 - the same

    kinds.register(automatic.KIND)
    kinds.register(pruning.KIND)
    results.register(pruning.KIND.name, pruning_pages.RESULTS)
    titles.register(
        pruning.KIND.name,
        title=_("Remove images that no rollback needs %(subject)s"),
        label=_("Removal of old images"),
    )
    job_finished.connect(pauses.after, dispatch_uid="checks.automatic")
    titles.register(
        automatic.KIND.name,
        title=_("Ask for updates that policies want"),
        label=_("Automatic updates"),
    )


def _register_looks() -> None:
    """What a clock starts so that nothing newer stays unknown."""
    from checks import checking  # noqa: PLC0415 - models load after apps
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


def _register_changes_by_clock() -> None:
    """What a clock starts that changes what is there, where somebody wants it."""
    from checks.automatic import job as automatic  # noqa: PLC0415 - models load after apps
    from checks.pruning import job as pruning  # noqa: PLC0415 - the same
    from dockrev import schedules  # noqa: PLC0415 - the same

    schedules.register(
        automatic.KIND.name,
        "* * * * *",
        automatic.enqueue_scheduled,
        title=_("Ask for updates that policies want"),
    )
    schedules.register(
        pruning.KIND.name,
        "0 4 * * SUN",
        pruning.enqueue_scheduled,
        title=_("Remove images that no rollback needs"),
        enabled=False,
    )


def _register_schedules() -> None:
    """What a clock starts besides."""
    from checks import digests, ignoring, maintenance, outages  # noqa: PLC0415 - models load after apps
    from dockrev import schedules  # noqa: PLC0415 - the same

    schedules.register(
        "ignores",
        "* * * * *",
        lambda: ignoring.expire(timezone.now()),
        title=_("End ignore rules whose time is over"),
    )
    schedules.register(
        "outages",
        "* * * * *",
        outages.look,
        title=_("Tell of hosts and registries that are out of reach, or back"),
    )
    schedules.register(
        "digest",
        "0 8 * * MON",
        digests.tell,
        title=_("Send the digest of what is open, to channels that want it"),
    )
    schedules.register(
        "maintenance",
        "30 3 * * *",
        maintenance.enqueue_scheduled,
        title=_("Delete what was kept long enough"),
    )


def _register_retention() -> None:
    from checks import findings  # noqa: PLC0415 - models load after apps
    from checks.backups import storing  # noqa: PLC0415 - the same
    from checks.models import (  # noqa: PLC0415 - the same
        Backup,
        Candidate,
        Finding,
        IgnoreRule,
        Image,
        Job,
        ReleaseNotes,
        TagList,
    )

    post_delete.connect(storing.forget, sender=Backup)
    # By days of its own.
    retention.register("backups", lambda _before: storing.over(timezone.now()))
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
