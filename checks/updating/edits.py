"""Writes the edits of a plan into files, and takes them back; every other byte stays.

An edit says where it stands, what was there and the whole file's hash before: so both directions
can be checked against the file as it is, by another process and after a crash, too. Whatever is
in place already is left alone.
"""

from __future__ import annotations

import errno
import hashlib
import os
import tempfile
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from itertools import groupby
from pathlib import Path

from django.utils.translation import gettext as _

from checks.discovery.opening import open_file
from checks.updating.plan import Edit

MAX_SIZE = 1024 * 1024

_FULL = (errno.ENOSPC, errno.EDQUOT)


class Conflict(Exception):
    """A file is not as it was when the plan was made; the text says which."""


class NotWritten(Exception):
    """A file could not be read or written; the text says which, and why."""


def apply(edits: Iterable[Edit], *, among: Iterable[Edit] = ()) -> None:
    """Write these edits. All of them are in place afterwards, or none is.

    `among` are all edits of the plan: those of them that are in place already do not count as
    somebody else's change. Raises Conflict or NotWritten.
    """
    _all_or_none(edits, among, lambda there, asked: there | asked)


def undo(edits: Iterable[Edit], *, among: Iterable[Edit] = ()) -> None:
    """Put back what was there, byte for byte, where the file is as the plan left it.

    Raises what `apply` does.
    """
    _all_or_none(edits, among, lambda there, asked: there - asked)


def after(data: bytes, edits: Iterable[Edit]) -> bytes:
    """What these edits make of a file's bytes; nothing is checked."""
    for edit in sorted(set(edits), key=lambda each: each.start, reverse=True):
        end = edit.start + len(edit.old.encode())
        data = data[: edit.start] + edit.new.encode() + data[end:]
    return data


def read(path: str) -> bytes:
    """The bytes of a file that may be edited. Raises NotWritten."""
    try:
        with open_file(Path(path)) as file:
            data = file.read(MAX_SIZE + 1)
    except OSError as error:
        raise _not_written(path, error) from error
    if len(data) > MAX_SIZE:
        text = _("%(path)s is larger than %(kib)d KiB and is not edited.")
        raise NotWritten(text % {"path": path, "kib": MAX_SIZE // 1024})
    return data


_Change = Callable[[frozenset[Edit], frozenset[Edit]], frozenset[Edit]]


def _all_or_none(edits: Iterable[Edit], among: Iterable[Edit], change: _Change) -> None:
    asked = frozenset(edits)
    known = asked | frozenset(among)
    undone: list[tuple[str, bytes]] = []
    try:
        for real, of_file in _by_file(known):
            if asked.isdisjoint(of_file):
                continue
            data = read(real)
            original, there = _found(data, of_file)
            wanted = after(original, change(there, asked & frozenset(of_file)))
            if wanted != data:
                _write(real, wanted)
                undone.append((real, data))
    except (Conflict, NotWritten):
        for real, data in undone:
            _write(real, data)
        raise


def _by_file(edits: Iterable[Edit]) -> list[tuple[str, list[Edit]]]:
    """By the file itself: of a link, what it leads to is edited, and the link stays."""

    def place(edit: Edit) -> tuple[str, int]:
        return os.path.realpath(edit.path), edit.start

    grouped = groupby(sorted(edits, key=place), key=lambda edit: place(edit)[0])
    return [(real, list(of_file)) for real, of_file in grouped]


def _found(data: bytes, edits: Sequence[Edit]) -> tuple[bytes, frozenset[Edit]]:
    """The bytes as they were before the plan, and which of its edits are in place now."""

    def walk(rest: Sequence[Edit], shift: int, there: tuple[Edit, ...]) -> tuple[Edit, ...] | None:
        if not rest:
            return there if _digest(_before(data, there)) == edits[0].sha256 else None
        edit, at = rest[0], rest[0].start + shift
        old, new = edit.old.encode(), edit.new.encode()
        found = None
        if data.startswith(new, at):
            found = walk(rest[1:], shift + len(new) - len(old), (*there, edit))
        if found is None and data.startswith(old, at):
            found = walk(rest[1:], shift, there)
        return found

    there = walk(edits, 0, ())
    if there is None:
        text = _("%(path)s was changed since the plan was made.")
        raise Conflict(text % {"path": edits[0].path})
    return _before(data, there), frozenset(there)


def _before(data: bytes, there: Iterable[Edit]) -> bytes:
    """Take back edits that are in place: from the first on, each then stands where it says."""
    for edit in there:
        new = edit.new.encode()
        data = data[: edit.start] + edit.old.encode() + data[edit.start + len(new) :]
    return data


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _write(real: str, data: bytes) -> None:
    try:
        if not _replace(real, data):
            _write_in_place(real, data)
    except OSError as error:
        raise _not_written(real, error) from error


def _replace(real: str, data: bytes) -> bool:
    """Put a new file in the old one's place. False: it cannot be done here, or not without another
    owner or a lost link, and the old one must be written itself."""
    status = Path(real).stat()
    if not os.access(real, os.W_OK):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
    if status.st_nlink > 1:
        return False
    try:
        handle, name = tempfile.mkstemp(prefix=".dockrev-", dir=Path(real).parent)
    except OSError as error:
        if error.errno in _FULL:
            raise  # what is written in place may end half-way
        return False
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            _keep_owner_and_mode(real, handle, status)
            os.fsync(handle)
        Path(name).replace(real)
    except OSError as error:
        Path(name).unlink(missing_ok=True)
        # A file that is mounted by itself into our container is busy; an owner may be kept.
        if error.errno in (errno.EBUSY, errno.EPERM, errno.EACCES, errno.EXDEV):
            return False
        raise
    _sync_folder(real)
    return True


def _keep_owner_and_mode(real: str, handle: int, status: os.stat_result) -> None:
    made = os.fstat(handle)
    if (made.st_uid, made.st_gid) != (status.st_uid, status.st_gid):
        os.fchown(handle, status.st_uid, status.st_gid)
    os.fchmod(handle, status.st_mode & 0o7777)
    with suppress(OSError):  # not every file system has them
        for name in os.listxattr(real):
            with suppress(OSError):
                os.setxattr(handle, name, os.getxattr(real, name))


def _write_in_place(real: str, data: bytes) -> None:
    """In one call, so that a process that dies leaves the old or the new. Where it cannot be
    written to its end, the old is put back. A link that took its place meanwhile is not followed.
    """
    handle = os.open(real, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        old = os.pread(handle, MAX_SIZE + 1, 0)
        try:
            _overwrite(handle, data)
        except OSError:
            _overwrite(handle, old)
            raise
    finally:
        os.close(handle)


def _overwrite(handle: int, data: bytes) -> None:
    written = 0
    while written < len(data):
        written += os.pwrite(handle, data[written:], written)
    os.ftruncate(handle, len(data))
    os.fsync(handle)


def _sync_folder(real: str) -> None:
    handle = os.open(Path(real).parent, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _not_written(path: str, error: OSError) -> NotWritten:
    text = _("%(path)s cannot be read or written: %(why)s.")
    return NotWritten(text % {"path": path, "why": error.strerror or type(error).__name__})
