"""Collects what the pages load, under names that carry a hash, when that is not done yet."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

from django.conf import settings
from django.contrib.staticfiles.finders import get_finders
from django.core.management import call_command

from dockrev.environment import CannotStart

_STAMP = ".collected-from"


def collect_if_changed() -> None:
    """Collect unless it was done from these very files.

    What was collected where we may not write, as in the image, is taken as it is.
    """
    root = Path(settings.STATIC_ROOT)
    stamp, manifest = root / _STAMP, root / "staticfiles.json"
    wanted = _fingerprint()
    try:
        if manifest.exists() and stamp.exists() and stamp.read_text() == wanted:
            return
        call_command("collectstatic", interactive=False, verbosity=0)
        stamp.write_text(wanted)
    except OSError as error:
        if manifest.exists():
            return
        raise CannotStart(
            f"The pages' files cannot be written to {root} ({error.strerror}). "
            "Set DOCKREV_STATIC_ROOT to a folder that this user may write to."
        ) from error


def _fingerprint() -> str:
    lines = "\n".join(sorted(_described()))
    return hashlib.sha256(lines.encode()).hexdigest()


def _described() -> Iterator[str]:
    for finder in get_finders():
        for path, storage in finder.list([]):
            status = Path(storage.path(path)).stat()
            # Whole seconds: the layers of an image keep no more.
            yield f"{path} {status.st_size} {int(status.st_mtime)}"
