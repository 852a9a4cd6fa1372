"""How tests wait for what another process or thread does."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

PATIENCE = 180.0  # seconds: how busy a machine is says nothing about the code
PATIENCE_MS = PATIENCE * 1000  # as a browser counts
POLL = 0.05  # seconds


def until(true: Callable[[], Any], what: str = "") -> Any:
    """Wait for something to become true, and return it. Raises AssertionError where it does not."""
    deadline = time.monotonic() + PATIENCE
    while not (result := true()):
        assert time.monotonic() < deadline, f"not within {PATIENCE:g} s: {what or true}"
        time.sleep(POLL)
    return result
