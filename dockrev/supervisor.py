"""Keeps server and worker running, as children forked from one loaded process."""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from types import FrameType

from django.db import connections

from dockrev import sharing

logger = logging.getLogger(__name__)

LOOK_SECONDS = 0.2
GRACE_SECONDS = 13.0  # more than a worker gives its clusters
LONGEST_PAUSE = 30.0
STEADY_SECONDS = 60.0  # who ran this long starts again without a pause
_ENDING = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


@dataclass
class Child:
    """A process that shall always run. `main` returns its exit code."""

    name: str
    main: Callable[[], int]
    pid: int = field(default=0, init=False)
    started_at: float = field(default=0.0, init=False)
    start_at: float = field(default=0.0, init=False)
    pause: float = field(default=0.5, init=False)

    def start(self) -> None:
        self.started_at = time.monotonic()
        connections.close_all()  # a connection must not be shared with a child
        self.pid = os.fork()
        if not self.pid:
            _live(self.main)

    def ended(self, code: int) -> None:
        now = time.monotonic()
        steady = now - self.started_at > STEADY_SECONDS
        self.pause = 0.5 if steady else min(self.pause * 2, LONGEST_PAUSE)
        self.pid, self.start_at = 0, now + self.pause
        logger.error(
            "%s ended and is started again", self.name, extra={"code": code, "pause": self.pause}
        )

    def kill(self, number: signal.Signals) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, number)


class Supervisor:
    """Starts its children, restarts them after growing pauses, and ends them all together."""

    def __init__(self, children: list[Child]) -> None:
        self.children = children
        self.stopping = False

    def run(self) -> int:
        """Return when a signal asked for it and every child is gone."""
        for number in _ENDING:
            if signal.getsignal(number) != signal.SIG_IGN:  # nohup
                signal.signal(number, self._stop)
        sharing.prepare_to_fork()
        while not self.stopping:
            for child in self.children:
                if not child.pid and time.monotonic() >= child.start_at:
                    child.start()
            time.sleep(LOOK_SECONDS)
            self._reap()
        return self._finish()

    def _stop(self, number: int, frame: FrameType | None) -> None:
        self.stopping = True

    def _reap(self) -> None:
        """Take note of who ended; as process 1 of a container that may be anybody."""
        with contextlib.suppress(ChildProcessError):
            while (ended := os.waitpid(-1, os.WNOHANG))[0]:
                for child in self.children:
                    if child.pid == ended[0]:
                        self._note(child, os.waitstatus_to_exitcode(ended[1]))

    def _note(self, child: Child, code: int) -> None:
        if self.stopping:
            child.pid = 0
        else:
            child.ended(code)

    def _finish(self) -> int:
        for child in self.children:
            if child.pid:
                child.kill(signal.SIGTERM)
        deadline = time.monotonic() + GRACE_SECONDS
        while any(child.pid for child in self.children) and time.monotonic() < deadline:
            time.sleep(LOOK_SECONDS / 4)
            self._reap()
        for child in self.children:
            if child.pid:
                logger.warning("%s did not end in time and was killed", child.name)
                child.kill(signal.SIGKILL)
                os.waitpid(child.pid, 0)
        return 0


def _live(main: Callable[[], int]) -> None:
    """What a child does: a session of its own, so that Ctrl-C reaches the parent alone."""
    code = 1
    try:
        os.setsid()
        for number in _ENDING:
            signal.signal(number, signal.SIG_DFL)
        code = main()
    except SystemExit as leaving:
        code = leaving.code if isinstance(leaving.code, int) else 1
    except BaseException:
        logger.exception("a process of Dockrev failed")
    finally:
        os._exit(code)
