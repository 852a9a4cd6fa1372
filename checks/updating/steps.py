"""What a job that changes services does, step by step: timed, told, and shown while it runs."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

from django.utils import timezone
from django.utils.translation import gettext as _

from checks.models import Job, JobLog
from checks.run import Cancelled, Run
from checks.updating.failing import Trouble
from checks.updating.stages import STEPS

SHOWN_LINES = 20  # of a container that failed, in the summary; the log has more
MOST_TROUBLES = 10


class TakenAway(Cancelled):
    """The job is another worker's now: nothing more may be touched."""


class Steps:
    """The summary of a job that changes services, written at every step.

    `services` is by service what became of it, `steps` what was done in which time, in seconds.
    """

    def __init__(self, run: Run, total: int) -> None:
        self._run = run
        self._total = total
        self._done = 0
        # What a worker found that was lost stays.
        known = run.job.summary if run.job.losses else {}
        self.summary: dict[str, Any] = {
            **known,
            "services": known.get("services", []),
            "steps": [_lost(each) for each in known.get("steps", [])],
        }

    @contextmanager
    def step(self, name: str, service: str) -> Iterator[None]:
        """One step of one service. Whatever ends it is written down with the time."""
        entry = {"service": service, "step": name, "startedAt": _iso(timezone.now())}
        self.summary["steps"].append({**entry, "outcome": "running", "seconds": 0.0})
        began = time.monotonic()
        self._run.progress(self._done, self._total, f"{service}: {STEPS[name]}")
        self.write()
        outcome = "failed"
        try:
            yield
            outcome = "done"
        except Cancelled:
            outcome = "cancelled"
            raise
        finally:
            seconds = round(time.monotonic() - began, 3)
            self.summary["steps"][-1] = {**entry, "outcome": outcome, "seconds": seconds}
            if outcome == "done":
                self.write()
                words = {"service": service, "step": STEPS[name], "seconds": seconds}
                self.log(_("%(service)s: %(step)s, %(seconds).1f s") % words)

    def became(self, service_id: str, service: str, outcome: str, **facts: str) -> None:
        """What became of a service, in one word, and what is to be said of it."""
        entry = {"serviceId": service_id, "service": service, "outcome": outcome, **facts}
        others = [each for each in self.summary["services"] if each["serviceId"] != service_id]
        self.summary["services"] = [*others, entry]
        self._done = len(self.summary["services"])
        self.write()

    def outcome_of(self, service_id: str) -> str:
        """Empty while nothing became of it."""
        known = (each for each in self.summary["services"] if each["serviceId"] == service_id)
        return next((str(each["outcome"]) for each in known), "")

    def trouble(self, service: str, trouble: Trouble) -> None:
        """Keep what a container that failed left behind."""
        self._run.log_all(
            [f"{trouble.container} | {line}" for line in trouble.log], level=JobLog.Level.WARN
        )
        self._run.log_all(
            [
                _("%(name)s healthcheck %(said)s") % {"name": trouble.container, "said": each}
                for each in trouble.health
            ],
            level=JobLog.Level.WARN,
        )
        entry = {
            "service": service,
            "container": trouble.container,
            "log": [line[:500] for line in trouble.log[-SHOWN_LINES:]],
            "health": [line[:500] for line in trouble.health],
        }
        self.summary["troubles"] = [*self.summary.get("troubles", []), entry][-MOST_TROUBLES:]
        self.write()

    def take(self, entry: dict[str, Any]) -> None:
        """Take over a step that another process begins, or has ended."""
        last = self.summary["steps"][-1:]
        same = [each for each in last if each.get("startedAt") == entry["startedAt"]]
        kept = self.summary["steps"][: -len(same) or None]
        self.summary["steps"] = [*kept, entry]

    def write(self) -> None:
        self._run.partial(self.summary, force=True)

    def log(self, message: str, *, level: str = JobLog.Level.INFO) -> None:
        self._run.log(message, level=level)

    def log_lines(self, lines: list[str]) -> None:
        self._run.log_all(lines)

    def look(self) -> None:
        """Raise TakenAway if the job is not ours any more."""
        if not Job.objects.held(self._run.job).exists():
            raise TakenAway

    def look_for_cancel(self) -> None:
        """Raise TakenAway, or Cancelled if somebody wants it to stop."""
        self.look()
        self._run.stop_if_cancelled()

    def are_to_stop(self) -> bool:
        """Whether somebody wants them to. Raises TakenAway."""
        try:
            self.look_for_cancel()
        except TakenAway:
            raise
        except Cancelled:
            return True
        return False


def _lost(step: dict[str, Any]) -> dict[str, Any]:
    return {**step, "outcome": "lost"} if step["outcome"] == "running" else step


def _iso(moment: datetime) -> str:
    text = moment.astimezone(UTC).isoformat(timespec="milliseconds")
    return text.replace("+00:00", "Z")
