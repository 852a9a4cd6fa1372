"""One round over an account's repositories: many at once, each by itself, until something ends it.

Threads ask the provider, as many as it takes; the database is the calling thread's alone.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextvars import copy_context
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import islice
from typing import Any, ParamSpec, TypeVar

from django.utils import timezone
from django.utils.translation import gettext as _

from checks.run import Cancelled, Run
from integrations.hooks.errors import CredentialInvalid, RateLimited
from integrations.hooks.provider import Hook, Provider
from integrations.models import HookTarget

logger = logging.getLogger(__name__)

P = ParamSpec("P")
T = TypeVar("T")

PATIENCE = timedelta(seconds=60)  # a rest that is longer is not waited for by a worker
MAX_RESTS = 5  # for one call
LOOK_EVERY = 0.5  # seconds between two looks at whether somebody cancelled
ERROR = "error"


class Stopped(Exception):
    """The round ended while this thread waited for a rest to be over."""


# What ends a repository's work before its end, and is no fault of it.
ENDS = (CredentialInvalid, RateLimited, Stopped)


@dataclass(frozen=True)
class Done:
    """What became of one repository, in a word and for people, and the columns that change.

    `cut_short` is why it is not finished: what was done until then is kept, the rest is not said.
    """

    target: HookTarget
    word: str
    changes: dict[str, Any] = field(default_factory=dict)
    hook_id: str = ""
    conflict: tuple[Hook, ...] = ()
    message: str = ""
    cut_short: Exception | None = None


class Gate:
    """Lets calls through to the provider, but none while it wants a rest."""

    def __init__(self) -> None:
        self.ended_by: Exception | None = None
        self.rests_until: datetime | None = None
        self._ended = threading.Event()
        self._lock = threading.Lock()

    def ask(self, call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Call, and again after a short rest. Raises RateLimited if the rest is long."""
        for _attempt in range(MAX_RESTS):
            self._wait()
            try:
                return call(*args, **kwargs)
            except RateLimited as error:
                self._note(error)
                last = error
        raise last

    def end(self, reason: Exception) -> None:
        """Begin nothing new, and let nobody wait any longer. The first reason counts."""
        with self._lock:
            self.ended_by = self.ended_by or reason
        self._ended.set()

    def _note(self, error: RateLimited) -> None:
        with self._lock:
            self.rests_until = max(error.until, self.rests_until or error.until)
        if error.until - timezone.now() > PATIENCE:
            raise error

    def _wait(self) -> None:
        while self.rests_until and (left := self.rests_until - timezone.now()) > timedelta():
            if left > PATIENCE:
                raise RateLimited(_("The provider wants a rest."), self.rests_until)
            if self._ended.wait(left.total_seconds()):
                raise Stopped


Work = Callable[[Gate, HookTarget], Done]


def go_round(
    run: Run, provider: Provider, targets: Sequence[HookTarget], work: Work, *, before: int = 0
) -> Iterator[Done]:
    """Do the work for each, and yield what became of it as it comes. `before` were done earlier.

    Somebody who cancels, a credential that is refused and a long rest end the round: what is under
    way is finished, and then Cancelled, CredentialInvalid or RateLimited is raised.
    """
    gate = Gate()
    watch = _Watch(run, gate, before, before + len(targets))
    waiting = iter(targets)
    running: set[Future[Done | None]] = set()
    pool = ThreadPoolExecutor(provider.limit, thread_name_prefix="hooks")
    try:
        while True:
            room = 0 if gate.ended_by else 2 * provider.limit - len(running)
            running |= {
                pool.submit(copy_context().run, _one, gate, work, target)
                for target in islice(waiting, room)
            }
            if not running:
                break
            finished, running = wait(running, LOOK_EVERY, FIRST_COMPLETED)
            for done in filter(None, [future.result() for future in finished]):
                yield done
                watch.count(done)
            watch.look()
        ended_by = gate.ended_by
    finally:
        gate.end(Cancelled())
        pool.shutdown(cancel_futures=True)
    if ended_by is not None:
        raise ended_by


class _Watch:
    """Shows how far a round is, and looks now and then at whether somebody cancelled it."""

    def __init__(self, run: Run, gate: Gate, done: int, total: int) -> None:
        self._run, self._gate, self._done, self._total = run, gate, done, total
        self._last = time.monotonic()

    def count(self, done: Done) -> None:
        self._done += done.cut_short is None
        self._run.progress(self._done, self._total, done.target.full_name)

    def look(self) -> None:
        moment = time.monotonic()
        if moment - self._last < LOOK_EVERY:
            return
        self._last = moment
        until = self._gate.rests_until
        if until and until > timezone.now():
            self._run.progress(self._done, self._total, resting(until))
        try:
            self._run.stop_if_cancelled()
        except Cancelled as error:
            self._gate.end(error)


def resting(until: datetime) -> str:
    """What is said while nothing may be asked."""
    shown = timezone.localtime(until).strftime("%H:%M:%S %Z")
    return _("The provider was asked often enough; it goes on at %(time)s.") % {"time": shown}


def _one(gate: Gate, work: Work, target: HookTarget) -> Done | None:
    """Do one repository's work. Whatever goes wrong there, the others go on."""
    if gate.ended_by is not None:
        return None
    try:
        done = work(gate, target)
    except Exception:
        logger.exception("work on a hook failed", extra={"repo": target.full_name})
        words = _("An error inside Dockrev; the log has it.")
        changes = {"hook_state": HookTarget.HookState.ERROR, "last_error": words}
        return Done(target, ERROR, changes, message=words)
    if isinstance(done.cut_short, CredentialInvalid | RateLimited):
        gate.end(done.cut_short)
    return done
