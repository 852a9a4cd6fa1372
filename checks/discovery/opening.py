"""Opens what compose files and labels name, which anybody may have written."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path
from typing import BinaryIO

# What the kernel makes up: the secrets in our own environment, devices that never end.
_MADE_UP = ("/proc", "/sys", "/dev")


def open_file(path: Path) -> BinaryIO:
    """Open an ordinary file for reading. Raises OSError, also for a pipe, which would wait."""
    real = Path(os.path.realpath(path))
    if any(real.is_relative_to(place) for place in _MADE_UP):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))
    file = os.fdopen(os.open(real, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb")
    if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
        file.close()
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))
    return file
