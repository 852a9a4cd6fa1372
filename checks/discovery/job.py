"""Job `discovery`: look at every host, and bring its rows in line."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import replace
from functools import partial
from typing import Any

from django.conf import settings
from django.utils import timezone
from django.utils.module_loading import import_string
from django.utils.translation import gettext as _

from checks import holds, policies, queue
from checks.discovery.places import TCP, UNIX, Place, scheme_of
from checks.discovery.projects import FoundHost
from checks.discovery.reconcile import Action, Changes, reconcile
from checks.kinds import JobKind, Outcome, nothing_to_write
from checks.models import Host, HostKey, Job, JobLog
from checks.run import Run
from dockrev.aside import begin
from dockrev.fields import UnreadableSecret

MAX_ACTIONS = 200
LIMIT = 35.0  # seconds for all hosts together: well inside the time that a quick job has
# By name: the web process registers the kind, too, and never needs the Docker SDK.
LOOK = "checks.discovery.look.look_at"


def discover(run: Run) -> Outcome:
    """Ask all at once, outside any transaction; then one short one for each host."""
    looks: list[tuple[Host, FoundHost, Changes]] = []
    hosts = list(Host.objects.asked())
    waiting = [(host, begin(partial(_look, host, place_of(host)))) for host in hosts]
    until = time.monotonic() + LIMIT
    for done, (host, future) in enumerate(waiting):
        run.progress(done, len(hosts), host.name)
        run.stop_if_cancelled()
        found = _answer(host, future, until)
        if not _is_as_it_was(host):
            continue
        changes = reconcile(host, found, timezone.now(), leave=holds.held_services())
        looks.append((host, found, changes))
        _log(run, host, found, changes)
    # Nowhere anything to look at is a failure; an absent engine beside folders is not.
    is_failed = not any(_saw(found) for _host, found, _changes in looks)
    return Outcome(
        _summary(looks) | ({"error": _why(looks)} if is_failed else {}),
        status=Job.Status.FAILED if is_failed else Job.Status.SUCCESS,
        write=_checks_after([changes for _h, _f, changes in looks]),
        quiet=not any(changes for _h, _f, changes in looks),
    )


def _answer(host: Host, future: Future[FoundHost], until: float) -> FoundHost:
    """What came within the time for all: a host that hangs holds no other."""
    try:
        return future.result(max(0.0, until - time.monotonic()))
    except TimeoutError:
        text = _("The Docker Engine at %(place)s took too long to answer.")
        return FoundHost(error=text % {"place": host.docker_host or host.name})


def _is_as_it_was(host: Host) -> bool:
    """Whether it is still asked, and in the same way: an answer from elsewhere is not of it."""
    same = Host.objects.asked().filter(pk=host.pk, docker_host=host.docker_host)
    return same.exists()


def _checks_after(changes: list[Changes]) -> Callable[[Job], None]:
    """A check of what is new has everything in it, also what its labels or its reference changed
    for: what is known of another image, such as that it is up to date, does not hold any more."""
    relabelled = [service for each in changes for service in each.relabelled]
    rewritten = [service for each in changes for service in each.rewritten]
    if any(each.created for each in changes):
        return _check_what_is_new
    if rewritten:
        return lambda job: policies.check_again([*relabelled, *rewritten], reason=job.reason)
    return (lambda job: policies.check_again(relabelled)) if relabelled else nothing_to_write


def _check_what_is_new(job: Job) -> None:
    """Nobody has asked a registry about these yet. Silent: a new stack is no news."""
    queue.enqueue(queue.Request(kind="check.all", reason=job.reason, created_by=job.created_by))


KIND = JobKind("discovery", cluster="quick", repeatable=True, run=discover)


def enqueue_scheduled() -> queue.Queued:
    return queue.enqueue(queue.Request(kind=KIND.name, reason=Job.Reason.SCHEDULE))


def place_of(host: Host) -> Place:
    """Where its engine is. One query where a key may be needed for the way."""
    if scheme_of(host.docker_host) in ("", UNIX) or host.plain:
        return place_with(host, "")
    try:
        secret = HostKey.objects.filter(host=host).first()
    except UnreadableSecret as error:
        text = _("The key for %(name)s has to be entered again. %(why)s")
        trouble = text % {"name": host.name, "why": error}
        return replace(place_with(host, ""), trouble=trouble)
    return place_with(host, secret.key if secret else "")


def place_with(host: Host, key: str) -> Place:
    """The way that its row describes, with a key. The local one without an address is where
    Docker's own tools would look; any other is nowhere: what is meant for it must not reach the
    engine here."""
    url = host.docker_host
    if not url and host.is_local:
        return Place(settings.DOCKER_HOST)
    if not url:
        return Place(trouble=_("There is no way to %(name)s any more.") % {"name": host.name})
    return Place(
        url=url,
        is_typed=True,
        has_files=host.has_files,
        is_encrypted=scheme_of(url) == TCP and not host.plain,
        authorities=host.authorities,
        certificate=host.certificate,
        key=key,
        key_file=host.key_file,
        known_hosts=host.known_hosts,
    )


def _look(host: Host, place: Place) -> FoundHost:
    """Whether anything may be changed is asked until it may: an engine notes each such question."""
    look: Callable[..., FoundHost] = import_string(LOOK)
    folders = settings.COMPOSE_DIRS if host.is_local else ()
    return look(place, folders, probe=host.read_only is not False)


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


def _summary(looks: list[tuple[Host, FoundHost, Changes]]) -> dict[str, Any]:
    changes = [each for _h, _f, each in looks]
    actions = [action for each in changes for action in each.actions]
    return {
        "projectsSeen": sum(len(found.projects) for _h, found, _c in looks),
        "servicesSeen": sum(_count(found) for _h, found, _c in looks),
        "servicesCreated": sum(len(each.created) for each in changes),
        "servicesChanged": sum(len(each.changed) for each in changes),
        "servicesMissing": sum(len(each.missing) for each in changes),
        "servicesBack": sum(len(each.back) for each in changes),
        "hosts": [{"host": host.name, "error": found.error or None} for host, found, _c in looks],
        "actions": [_action(action) for action in actions[:MAX_ACTIONS]],
        "actionsOmitted": max(0, len(actions) - MAX_ACTIONS),
    }


def _why(looks: list[tuple[Host, FoundHost, Changes]]) -> str:
    """Why nothing was seen anywhere: of each host, which is named where there are several."""
    said = [(host.name, found.error) for host, found, _changes in looks if found.error]
    return " ".join(f"{name}: {error}" if len(looks) > 1 else error for name, error in said)


def _action(action: Action) -> dict[str, str | None]:
    return {
        "project": action.project,
        "action": action.action,
        "stackId": action.stack_id,
        "reason": action.reason or None,
    }


def _count(found: FoundHost) -> int:
    return sum(len(project.services) for project in found.projects)
