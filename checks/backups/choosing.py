"""What people say of single volumes and bind mounts of a service."""

from __future__ import annotations

from collections.abc import Mapping

from django.db import transaction
from django.utils.translation import gettext as _

from checks.backups.targets import HOWS, known_targets
from checks.models import Backup, Service

MOST = 100  # targets of one service
LONGEST = 4096  # a path


class BadTarget(Exception):
    """What is named so can be no target; the text says why."""


@transaction.atomic
def change(service: Service, changes: Mapping[str, str | None]) -> dict[str, str]:
    """Say how targets are backed up; None says nothing of one any more. Raises BadTarget."""
    for name in changes:
        _check(name)
    row = Service.objects.select_for_update().get(pk=service.pk)
    merged = {**known_targets(row.backup_targets), **changes}
    said = {name: how for name, how in merged.items() if how in HOWS}
    if len(said) > MOST:
        raise BadTarget(_("At most %(most)d targets can be named.") % {"most": MOST})
    Service.objects.filter(pk=service.pk).update(backup_targets=said)
    return said


def _check(name: str) -> None:
    kind, _colon, rest = name.partition(":")
    if kind not in Backup.Kind.values or not rest or "\0" in rest or len(name) > LONGEST:
        raise BadTarget(_("A target is named volume:NAME or bind:/PATH."))
