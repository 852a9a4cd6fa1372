"""The files of backups: in the data directory, named by the ids of their rows and nothing else."""

from __future__ import annotations

import errno
import hashlib
import os
import stat
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import IO, Any, NamedTuple

import zstandard
from django.conf import settings
from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils.translation import gettext as _

from checks.models import Backup, Job
from dockrev import preferences

SUFFIX, PART = ".tar.zst", ".part"
LEVEL = 3
PIECE = 1024 * 1024
RESERVE = 64 * 1024 * 1024  # bytes that stay free for the database beside them


class Damaged(Exception):
    """A file is not what was written; the text says so."""


class InUse(Exception):
    """A job brings this backup back; the text says so."""


class Written(NamedTuple):
    size: int
    stored_size: int
    sha256: str


def folder() -> Path:
    return Path(settings.DATA_DIR) / "backups"


def path_of(backup: Backup) -> Path:
    return folder() / f"{backup.pk}{SUFFIX}"


def write(backup: Backup, pieces: Iterable[bytes]) -> Written:
    """Compress into a file that has its name only once all of it is on the disk. Raises OSError,
    and whatever `pieces` does; then nothing is left."""
    folder().mkdir(mode=0o700, parents=True, exist_ok=True)
    part = folder() / f"{backup.pk}{PART}"
    part.unlink(missing_ok=True)
    try:
        with open(part, "xb", opener=_private) as file:
            written = _compressed(file, pieces)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path_of(backup))
        _sync_folder()
    except BaseException:
        part.unlink(missing_ok=True)
        raise
    return written


def read(backup: Backup) -> Iterator[bytes]:
    """The archive. Raises OSError, Damaged."""
    try:
        with open_file(backup) as file, zstandard.ZstdDecompressor().stream_reader(file) as reader:
            while piece := reader.read(PIECE):
                yield piece
    except zstandard.ZstdError as error:
        raise Damaged(str(error)) from error


def check(backup: Backup, look: Callable[[], None]) -> None:
    """Whether the file is the one that was written. Raises Damaged."""
    found = hashlib.sha256()
    try:
        with open_file(backup) as file:
            while piece := file.read(PIECE):
                found.update(piece)
                look()
    except OSError as error:
        raise Damaged(
            _("The file of the backup cannot be read: %(why)s") % {"why": error}
        ) from error
    if found.hexdigest() != backup.sha256:
        raise Damaged(_("The file of the backup was changed since it was made; it is not used."))


def open_file(backup: Backup) -> IO[bytes]:
    """Never through a link, and nothing but a file. Raises OSError."""
    descriptor = os.open(path_of(backup), os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(_("It is not a file."))
    return os.fdopen(descriptor, "rb")


def delete(backup: Backup) -> None:
    """With its file. Raises InUse."""
    if not unused(Backup.objects.filter(pk=backup.pk)).exists():
        raise InUse(_("A job brings this backup back at the moment."))
    backup.delete()


def forget(sender: type[Backup], instance: Backup, **_given: Any) -> None:
    """When a row is deleted, its file goes once that is certain."""
    path = path_of(instance)
    transaction.on_commit(lambda: path.unlink(missing_ok=True))


def let_go_of_older(backup: Backup) -> None:
    """Keep as many of a target as are wanted, and no file that has no row.

    Those that restores made are counted by themselves: who tries one backup after the other would
    lose those that are still to be tried.
    """
    good = Backup.objects.good().filter(before_restore=backup.before_restore)
    same = good.filter(service=backup.service_id, kind=backup.kind, name=backup.name)
    newest = same.values_list("pk", flat=True)[: preferences.get("backups_keep")]
    unused(same.exclude(pk__in=list(newest))).delete()
    _sweep()


def over(now: datetime) -> QuerySet[Backup]:
    """What was kept for as many days as are wanted, and what was never finished."""
    days = preferences.get("backup_days")
    old = Q(state=Backup.State.GOOD, made_at__lt=now - timedelta(days=days)) if days else Q(pk="")
    active = list(Job.objects.active().values_list("pk", flat=True))
    left = Q(made_at__lt=now - timedelta(days=1)) & ~Q(state=Backup.State.GOOD)
    return unused(Backup.objects.filter(old | (left & ~Q(job_id__in=active))))


def unused(backups: QuerySet[Backup]) -> QuerySet[Backup]:
    """Those that no job is about to bring back."""
    jobs = Job.objects.active().filter(kind="backup.restore")
    return backups.exclude(pk__in=[job.params.get("backup") for job in jobs])


def _compressed(file: IO[bytes], pieces: Iterable[bytes]) -> Written:
    sink = _Counted(file)
    size = 0
    compressor = zstandard.ZstdCompressor(level=LEVEL, write_checksum=True)
    with compressor.stream_writer(sink, closefd=False) as out:  # type: ignore[arg-type]
        for piece in pieces:
            out.write(piece)
            size += len(piece)
    return Written(size, sink.count, sink.sha256.hexdigest())


class _Counted:
    """Counts and hashes what goes through it into a file."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self.count = 0
        self.sha256 = hashlib.sha256()

    def write(self, data: bytes) -> int:
        """Raises OSError, also where nothing else on this disk could go on much longer."""
        left = os.fstatvfs(self._file.fileno())
        if left.f_bavail * left.f_frsize < RESERVE:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        self.sha256.update(data)
        self.count += len(data)
        return self._file.write(data)

    def flush(self) -> None:
        self._file.flush()


def _private(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)


def _sync_folder() -> None:
    descriptor = os.open(folder(), os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _sweep() -> None:
    files = {path.name.partition(".")[0]: path for path in folder().iterdir()}
    known = set(Backup.objects.values_list("pk", flat=True))
    for name, path in files.items():
        if name.startswith("bkp_") and name not in known:
            path.unlink(missing_ok=True)
