"""Job `backup.restore`: its kind, what it holds, and how it is asked for."""

from __future__ import annotations

from collections.abc import Callable

from django.utils.module_loading import import_string
from django.utils.translation import gettext as _

from checks import holds, hosts, queue
from checks.kinds import JobKind, Outcome
from checks.models import Backup, Job
from checks.run import Run
from checks.updating.telling import tell
from notifications import facts

# By name: the web process registers the kind, too, and never needs the Docker SDK.
RESTORE_FROM = "checks.backups.restoring.restore"


class NotRestorable(Exception):
    """This cannot be brought back; the text says why."""


def _restore(run: Run) -> Outcome:
    restore: Callable[[Run], Outcome] = import_string(RESTORE_FROM)
    return restore(run)


RESTORE = JobKind(
    facts.RESTORE,
    cluster="long",
    repeatable=False,
    run=_restore,
    resources=lambda job: [holds.resource(job.service_id)],
    resumes=True,
    given_up=tell,
)


def ask_to_restore(
    backup: Backup, username: str, *, saves_first: bool = True, reason: str = Job.Reason.UI
) -> queue.Queued:
    """`backup` comes with its service, that one's stack and host. With `saves_first` what is there
    becomes a backup, too, before it is replaced. Raises NotRestorable."""
    service = backup.service
    if backup.state != Backup.State.GOOD:
        raise NotRestorable(_("This backup is not whole."))
    if service is None:
        text = _("The service is not known any more. Download the backup and unpack it by hand.")
        raise NotRestorable(text)
    host = service.stack.host
    if hosts.reason_not_to_change(host) in (hosts.OFF, hosts.READ_ONLY):
        raise NotRestorable(hosts.what_is_in_the_way(host))
    return queue.enqueue(
        queue.Request(
            kind=RESTORE.name,
            reason=reason,
            scope=Job.Scope.SERVICE,
            stack_id=service.stack_id,
            service_id=service.pk,
            subject=f"{service.stack.name} / {service.name}",
            params={"backup": backup.pk, "savesFirst": saves_first},
            same=backup.pk,  # twice would lose what is written between them
            created_by=username,
        )
    )
