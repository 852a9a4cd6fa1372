"""Job `discovery`: look at every host, and bring its rows in line."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from django.conf import settings
from django.utils import timezone
from django.utils.module_loading import import_string
from django.utils.translation import gettext as _

from checks import policies, queue
from checks.discovery.projects import FoundHost
from checks.discovery.reconcile import Action, Changes, reconcile
from checks.kinds import JobKind, Outcome, nothing_to_write
from checks.models import Host, Job, JobLog
from checks.run import Run

LOCAL = "local"
MAX_ACTIONS = 200
# By name: the web process registers the kind, too, and never needs the Docker SDK.
LOOK = "checks.discovery.look.look_at"


def discover(run: Run) -> Outcome:
    """Ask first, outside any transaction; then one short one for each host."""
    looks: list[tuple[FoundHost, Changes]] = []
    hosts = list(Host.objects.all())
    for done, host in enumerate(hosts):
        run.progress(done, len(hosts), host.name)
        run.stop_if_cancelled()
        found = _look(host)
        looks.append((found, reconcile(host, found, timezone.now())))
        _log(run, host, *looks[-1])
    return Outcome(
        _summary(hosts, looks),
        # Nowhere anything to look at is a failure; an absent engine beside folders is not.
        status=Job.Status.SUCCESS if any(_saw(f) for f, _c in looks) else Job.Status.FAILED,
        write=_checks_after([changes for _f, changes in looks]),
        quiet=not any(changes for _f, changes in looks),
    )


def _checks_after(changes: list[Changes]) -> Callable[[Job], None]:
    """A check of what is new has everything in it, also what its labels changed for."""
    relabelled = [service for each in changes for service in each.relabelled]
    if any(each.created for each in changes):
        return _check_what_is_new
    return (lambda job: policies.check_again(relabelled)) if relabelled else nothing_to_write


def _check_what_is_new(job: Job) -> None:
    """Nobody has asked a registry about these yet. Silent: a new stack is no news."""
    queue.enqueue(queue.Request(kind="check.all", reason=job.reason, created_by=job.created_by))


KIND = JobKind("discovery", cluster="quick", repeatable=True, run=discover)


def enqueue_scheduled() -> queue.Queued:
    return queue.enqueue(queue.Request(kind=KIND.name, reason=Job.Reason.SCHEDULE))


def _look(host: Host) -> FoundHost:
    is_local = host.name == LOCAL
    look: Callable[[str, Sequence[Path]], FoundHost] = import_string(LOOK)
    place = host.docker_host or (settings.DOCKER_HOST if is_local else "")
    return look(place, settings.COMPOSE_DIRS if is_local else ())


def _saw(found: FoundHost) -> bool:
    return bool(found.projects) or "engine" in found.sources


def _log(run: Run, host: Host, found: FoundHost, changes: Changes) -> None:
    """A scheduled look that changed nothing writes nothing."""
    if not changes and run.job.reason == Job.Reason.SCHEDULE:
        return
    for line in found.error.splitlines():
        run.log(f"{host.name}: {line}", level=JobLog.Level.WARN)
    for action in changes.actions[:MAX_ACTIONS]:
        level = JobLog.Level.WARN if action.reason else JobLog.Level.INFO
        reason = f". {action.reason}" if action.reason else ""
        run.log(f"{host.name}: {action.project}: {_words(action)}{reason}", level=level)
    text = _("%(host)s: %(stacks)d stacks, %(services)d services seen.")
    counts = {"stacks": len(found.projects), "services": _count(found)}
    run.log(text % {"host": host.name, **counts})


def _words(action: Action) -> str:
    return {
        "created": _("found for the first time"),
        "updated": _("changed"),
        "failed": _("its files cannot be used"),
        "missing": _("not seen any more"),
        "back": _("seen again"),
    }[action.action]


def _summary(hosts: list[Host], looks: list[tuple[FoundHost, Changes]]) -> dict[str, Any]:
    changes = [each for _f, each in looks]
    actions = [action for each in changes for action in each.actions]
    return {
        "projectsSeen": sum(len(found.projects) for found, _c in looks),
        "servicesSeen": sum(_count(found) for found, _c in looks),
        "servicesCreated": sum(len(each.created) for each in changes),
        "servicesChanged": sum(len(each.changed) for each in changes),
        "servicesMissing": sum(len(each.missing) for each in changes),
        "servicesBack": sum(len(each.back) for each in changes),
        "hosts": [
            {"host": host.name, "error": found.error or None}
            for host, (found, _c) in zip(hosts, looks, strict=True)
        ],
        "actions": [_action(action) for action in actions[:MAX_ACTIONS]],
        "actionsOmitted": max(0, len(actions) - MAX_ACTIONS),
    }


def _action(action: Action) -> dict[str, str | None]:
    return {
        "project": action.project,
        "action": action.action,
        "stackId": action.stack_id,
        "reason": action.reason or None,
    }


def _count(found: FoundHost) -> int:
    return sum(len(project.services) for project in found.projects)
