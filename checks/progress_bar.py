"""How far `dockrev check` is, on a terminal alone: a pipe, a log and CI see nothing of it."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from typing import TextIO

WIDEST = 40
_COLOUR, _PLAIN = "\033[36m", "\033[0m"
_ERASE = "\r\033[K"


class ProgressBar:
    """One line that is drawn over itself, and erased before anything else is printed."""

    def __init__(self, stream: TextIO, environment: Mapping[str, str] = os.environ) -> None:
        self._stream = stream
        is_dumb = environment.get("TERM", "") in {"", "dumb"}
        self._shown = stream.isatty() and not is_dumb and not environment.get("CI")
        self._coloured = not environment.get("NO_COLOR")
        self._drawn = False

    def draw(self, done: int, total: int) -> None:
        if not self._shown:
            return
        counted = f" {done}/{total}"
        # The last column stays free: a full line would wrap.
        room = shutil.get_terminal_size().columns - len(counted) - 3
        width = max(0, min(room, WIDEST))
        full = width * done // total
        bar = f"[{self._in_colour('#' * full)}{'-' * (width - full)}]" if width > 3 else ""
        self._write(_ERASE + bar + counted)
        self._drawn = True

    def erase(self) -> None:
        if self._drawn:
            self._write(_ERASE)
            self._drawn = False

    def _in_colour(self, text: str) -> str:
        return f"{_COLOUR}{text}{_PLAIN}" if self._coloured else text

    def _write(self, text: str) -> None:
        self._stream.write(text)
        self._stream.flush()
