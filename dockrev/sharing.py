"""Memory that processes share after a fork: what they can do to keep it so.

A page is shared until one of them writes to it. glibc's `malloc` would put what a process needs
after the fork into the holes between what was loaded before, a few bytes to a page: the pages of
one connection to SQLite, which needs a quarter of a megabyte, came to four.
"""

from __future__ import annotations

import ctypes
import gc

_libc = ctypes.CDLL(None)
# From the largest that `malloc` takes from its heap down to the smallest.
_SIZES = (*(1 << power for power in range(16, 11, -1)), *range(2040, 8, -16))
_MOST = 100_000  # holes


class _HeapFacts(ctypes.Structure):
    """`mallinfo2` of glibc."""

    _fields_ = tuple(
        (name, ctypes.c_size_t)
        for name in (
            "arena", "ordblks", "smblks", "hblks", "hblkhd", "usmblks", "fsmblks", "uordblks",
            "fordblks", "keepcost",
        )
    )  # fmt: skip


def prepare_to_fork() -> None:
    """Call it when all is loaded that children shall share."""
    gc.collect()
    gc.freeze()  # pages that the collector never touches stay shared
    _fill_holes()


def _fill_holes() -> None:
    """Take the free space between what is in use, for good: what comes later is put behind it.

    The space is in memory anyway. Another C library than glibc is left alone.
    """
    if not hasattr(_libc, "mallinfo2"):
        return
    _libc.mallinfo2.restype = _HeapFacts
    _libc.malloc.restype, _libc.malloc.argtypes = ctypes.c_void_p, [ctypes.c_size_t]
    _libc.free.restype, _libc.free.argtypes = None, [ctypes.c_void_p]
    _libc.sbrk.restype, _libc.sbrk.argtypes = ctypes.c_void_p, [ctypes.c_ssize_t]
    behind = _libc.sbrk(0) - _libc.mallinfo2().keepcost
    left = _MOST
    for size in _SIZES:
        while left:
            taken = _libc.malloc(size)
            if not taken or taken >= behind:
                _libc.free(taken)
                break
            left -= 1
