"""Docker hosts as people look at them, what is in the way of changing something there, and how one
is removed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import transaction
from django.utils.translation import gettext as _

from checks import holds
from checks.holds import CHANGING
from checks.models import Host, HostKey, Job, Service, Stack
from dockrev.errors import Conflict

FILES_UNREACHABLE, READ_ONLY, OFF = "files_unreachable", "read_only", "host_off"
ARCHIVE, DELETE = "archive", "delete"

# What is known of a way, and no more once it is another one or none.
OF_A_WAY = {
    "error": "",
    "read_only": None,
    "unreachable_since": None,
    "unreachable_at": None,
    "reached_at": None,
    "outage_told_at": None,
}
_NO_WAY = {
    **OF_A_WAY,
    "docker_host": "",
    "authorities": "",
    "certificate": "",
    "key_file": "",
    "known_hosts": "",
}


@dataclass(frozen=True)
class Health:
    """How all of them are."""

    hosts: Sequence[Any]  # as `look` has them, with counts

    @property
    def failing(self) -> list[Host]:
        return [host for host in self.hosts if host.enabled and host.error]

    @property
    def mark(self) -> str:
        if self.failing:
            return "error"
        return "on" if any(host.seen_at for host in self.hosts) else "unknown"

    @property
    def word(self) -> str:
        if self.failing:
            return _("not all of them answer")
        return _("all of them answer") if self.mark == "on" else _("not asked yet")

    @property
    def services(self) -> int:
        return sum(each.service_count for each in self.hosts)


def look() -> list[Host]:
    """All that were not removed, with what they have. One query; the local one comes first."""
    return sorted(Host.objects.kept().counted(), key=lambda host: (not host.is_local, host.name))


def mark(host: Host) -> str:
    if not host.enabled:
        return "off"
    if host.error:
        return "error"
    if not host.seen_at:
        return "unknown"
    return "attention" if host.read_only else "on"


def word(host: Host) -> str:
    return {
        "off": _("switched off"),
        "error": _("cannot be reached"),
        "unknown": _("not asked yet"),
        "attention": _("read only"),
        "on": _("answers"),
    }[mark(host)]


def reason_not_to_change(host: Host) -> str:
    """One of those of `NotPossible`; empty where nothing is in the way."""
    if not host.is_asked:
        return OFF
    if host.read_only:
        return READ_ONLY
    return "" if host.has_files else FILES_UNREACHABLE


def what_is_in_the_way(host: Host) -> str:
    """Why nothing can be updated on it, and what is needed; empty where something can."""
    words = {
        "": "",
        OFF: _("The Docker host %(name)s is switched off or removed, so nothing is changed there."),
        READ_ONLY: _(
            "The socket proxy of %(name)s lets Dockrev look, and change nothing. Let it pass POST "
            "on containers, images and networks, and look again."
        ),
        FILES_UNREACHABLE: _(
            "%(name)s is another machine, and its compose files are not here: a file at the same "
            "path on this machine may be another one. Mount them into Dockrev's container at the "
            "same path as there, and say so in Settings, Docker hosts, %(name)s."
        ),
    }
    return words[reason_not_to_change(host)] % {"name": host.name}


def note_read_only(host: Host) -> None:
    """What stands before its engine refused a change. Every look asks again whether it still is."""
    Host.objects.filter(pk=host.pk).update(read_only=True)


def refuse_while_changing(host: Host) -> None:
    """Raises Conflict while a job changes something there, or is to."""
    stacks = Stack.objects.filter(host=host).values("pk")
    changing = Job.objects.active().filter(kind__in=CHANGING, stack_id__in=stacks).first()
    held = Service.objects.filter(stack__host=host, pk__in=holds.held_services())
    if changing or held.exists():
        text = _("Something on %(name)s is being changed just now. Wait until that is over.")
        job_id = changing.pk if changing else None
        raise Conflict(text % {"name": host.name}, reason="being_changed", existingJobId=job_id)


def remove(host: Host, services: str, now: datetime) -> None:
    """Forget a host and the way to it. Its services are archived with their history, or deleted.

    Raises Conflict.
    """
    if host.is_local:
        text = _("This machine itself cannot be removed. Switch it off instead.")
        raise Conflict(text, reason="local")
    refuse_while_changing(host)
    with transaction.atomic():
        if services == DELETE:
            host.delete()
            return
        HostKey.objects.filter(host=host).delete()
        Stack.objects.filter(host=host, archived_at=None).update(archived_at=now)
        Host.objects.filter(pk=host.pk).update(removed_at=now, enabled=False, **_NO_WAY)


def take_back(host: Host) -> None:
    """One that was removed has a way again: what was archived with it is not any more."""
    Stack.objects.filter(host=host, archived_at=host.removed_at).update(archived_at=None)
    Host.objects.filter(pk=host.pk).update(removed_at=None)
