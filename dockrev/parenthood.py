"""No process of ours outlives its parent, whatever killed that: the kernel ends it.

Linux only: the signal comes when the thread that forked ends, so forks come from main threads.
"""

from __future__ import annotations

import ctypes
import os
import signal

_PR_SET_PDEATHSIG = 1
_PR_SET_NAME = 15
_libc = ctypes.CDLL(None, use_errno=True)  # loaded before any fork
_forking = 0
_hooked = False


def end_with_parent(parent: int) -> None:
    """Have this process killed when its parent dies, and end it now if that came first."""
    _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:
        os._exit(1)


def children_end_with_me() -> None:
    """From now on every fork below this process ends with its own parent.

    A program that is executed without `os.fork` (`subprocess`) is not caught by this.
    """
    global _hooked
    if not _hooked:
        _hooked = True
        os.register_at_fork(before=_remember, after_in_child=_bind)


def show_as(name: str) -> None:
    """Name this process for `ps` and `top`; 15 characters are kept."""
    _libc.prctl(_PR_SET_NAME, name.encode()[:15], 0, 0, 0)


def _remember() -> None:
    global _forking
    _forking = os.getpid()


def _bind() -> None:
    end_with_parent(_forking)
