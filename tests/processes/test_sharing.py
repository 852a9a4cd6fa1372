"""What a child allocates leaves the pages that it shares with its parent alone."""

from __future__ import annotations

import subprocess
import sys

# Pages with a hole in each; a child then takes as much as fits into the holes.
IN_HOLES = """
import ctypes, os, re, sys
from dockrev.sharing import prepare_to_fork

libc = ctypes.CDLL(None)
libc.malloc.restype, libc.malloc.argtypes = ctypes.c_void_p, [ctypes.c_size_t]
libc.free.argtypes = [ctypes.c_void_p]
blocks = [libc.malloc(2000) for _ in range(10_000)]
for block in blocks[::2]:
    libc.free(block)
if "prepared" in sys.argv:
    prepare_to_fork()
child = os.fork()
if child:
    sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
for _ in range(5_000):
    ctypes.memset(libc.malloc(1000), 1, 1000)
heap = open("/proc/self/smaps").read().partition("[heap]")[2].partition("VmFlags")[0]
print(sum(int(size) for size in re.findall(r"Private_Dirty: +([0-9]+)", heap)))
sys.stdout.flush()
os._exit(0)
"""
TAKEN = 5_000  # kB, about


def copied(*arguments: str) -> int:
    """How many kB of the heap a child has for itself."""
    command = [sys.executable, "-c", IN_HOLES, *arguments]
    return int(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def test_a_child_puts_what_it_needs_behind_what_it_shares() -> None:
    assert copied("prepared") < 1.3 * TAKEN
    assert copied() > 1.8 * TAKEN
