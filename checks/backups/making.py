"""Makes one backup: its row and its file. Importing this loads the Docker SDK."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from dataclasses import dataclass, replace

from django.utils import timezone
from django.utils.translation import gettext as _

from checks.backups import storing
from checks.backups.helper import ROOT, CommandFailed, Helper
from checks.backups.own_data import own_data_at
from checks.backups.sizes import size_of
from checks.models import Backup, JobLog, Service
from checks.models.backups import MAX_IMAGE
from checks.updating.engines import Engine
from checks.updating.failing import UpdateFailed
from checks.updating.plan import Data
from checks.updating.steps import Steps
from checks.versions.policies import LIVE

COUNTING = 60.0  # seconds for the size of one target
LOOK_EVERY = 8 * 1024 * 1024  # bytes between two looks at whether to go on


@dataclass(frozen=True)
class Occasion:
    """Whose data is saved, and when: before an update, or before a restore."""

    service: Service | None
    stack_name: str
    job_id: str
    image: str
    is_restore: bool = False


class _TooLarge(Exception):
    """More came than one target may have."""


class Making:
    def __init__(self, engine: Engine, steps: Steps, occasion: Occasion) -> None:
        self._steps, self._occasion = steps, occasion
        self._own_data = own_data_at(engine)

    def is_possible(self, beside: Helper, number: int, data: Data) -> bool:
        """Whether what the helper has under a number may be saved; where not, the log says why."""
        if self._own_data and self._own_data.is_in(data):
            text = _("%(name)s has data of Dockrev itself in it and is not backed up.")
            self._steps.log(text % {"name": data.name}, level=JobLog.Level.WARN)
            return False
        if replace(data, size=data.most and size_of(beside, number, COUNTING)).is_too_large:
            self._say_too_large(data)
            return False
        return True

    def make(self, beside: Helper, number: int, data: Data) -> None:
        """Save it, and let older ones go. Raises UpdateFailed, Cancelled."""
        backup = self._begun(data)
        try:
            self._write(backup, beside, number, data.most)
        except _TooLarge:
            backup.delete()
            self._say_too_large(data)
            return
        except BaseException as error:
            failed = {"state": Backup.State.FAILED, "note": str(error)}
            Backup.objects.filter(pk=backup.pk).update(**failed)
            raise
        storing.let_go_of_older(backup)

    def _say_too_large(self, data: Data) -> None:
        text = _("%(name)s is larger than the limit of %(most)d MB and is not backed up.")
        words = text % {"name": data.name, "most": data.most // (1024 * 1024)}
        self._steps.log(words, level=JobLog.Level.WARN)

    def _begun(self, data: Data) -> Backup:
        return Backup.objects.create(
            service=self._occasion.service,
            stack_name=self._occasion.stack_name,
            service_name=data.service,
            job_id=self._occasion.job_id,
            image=self._occasion.image[:MAX_IMAGE],
            kind=data.kind,
            name=data.name,
            destination=data.destination,
            how=data.how,
            before_restore=self._occasion.is_restore,
            made_at=timezone.now(),
        )

    def _write(self, backup: Backup, beside: Helper, number: int, most: int) -> None:
        pieces = _Pieces(beside, number, backup.how == LIVE)
        try:
            written = storing.write(backup, self._looking(pieces, most))
        except OSError as error:
            raise UpdateFailed(_not_written(error)) from error
        values = {
            "state": Backup.State.GOOD,
            "size": written.size,
            "stored_size": written.stored_size,
            "sha256": written.sha256,
            "note": pieces.note,
        }
        Backup.objects.filter(pk=backup.pk).update(**values)
        text = _("Backed up %(name)s: %(size)d bytes, %(stored)d in the file, SHA-256 %(sha256)s.")
        told = {"name": backup.name, "size": written.size, "stored": written.stored_size}
        self._steps.log(text % {**told, "sha256": written.sha256})
        if pieces.note:
            self._steps.log(pieces.note, level=JobLog.Level.WARN)

    def _looking(self, pieces: _Pieces, most: int) -> Iterator[bytes]:
        """Raises Cancelled where it is to stop, and _TooLarge: what it takes on the disk, if that
        could be counted at all, is no bound for what comes of a file with holes."""
        since = size = 0
        for piece in pieces:
            yield piece
            since += len(piece)
            size += len(piece)
            if 0 < most < size:
                raise _TooLarge
            if since > LOOK_EVERY:
                self._steps.look_for_cancel()
                since = 0


class _Pieces:
    """The archive of one target. Data that changes while it is read is a note where it was to be
    read so, and a failure otherwise."""

    def __init__(self, beside: Helper, number: int, is_live: bool) -> None:
        self._beside, self._number, self._is_live = beside, number, is_live
        self.note = ""

    def __iter__(self) -> Iterator[bytes]:
        try:
            yield from self._beside.output("tar", "-cf", "-", "-C", ROOT, str(self._number))
        except CommandFailed as error:
            if not self._is_live or error.code != 1:
                raise
            text = _("It changed while it was read: %(said)s")
            self.note = text % {"said": error.said}


def _not_written(error: OSError) -> str:
    if error.errno == errno.ENOSPC:
        text = _("No space is left for the backup in %(folder)s.")
        return text % {"folder": storing.folder()}
    text = _("The backup could not be written: %(why)s")
    return text % {"why": error}
