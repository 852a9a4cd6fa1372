"""What Dockrev does while its helper works: hands over, then reads what that tells.

The worker that hands over ends in the midst, with its container. The next one, of the new version
or of the old one again, finds the task and reads on.
"""

from __future__ import annotations

import time
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.utils import timezone, translation
from django.utils.translation import gettext as _

from checks import queue
from checks.models import Job, JobLog, Replaced
from checks.updating.containers import own_container
from checks.updating.demands import Demands, demands_of
from checks.updating.failing import LeftSo, Trouble, UpdateFailed
from checks.updating.itself import helper, papers
from checks.updating.itself.papers import Entry, Task
from checks.updating.site import Site
from checks.updating.steps import TakenAway
from checks.updating.telling import FAILED, UPDATED

LIMIT = 2700.0  # seconds that a helper may take beside what policies say: twice up and waiting
PAUSE = 1.0
# Short, so that whoever comes after the container was made anew needs not wait for long.
LEASE = timedelta(seconds=15)
STOP_SECONDS = 20  # where the container says nothing else
AWAY = timedelta(seconds=5)  # for a stop and a start, at least
LEVELS = frozenset(JobLog.Level.values)
STEP = ("step", "startedAt", "outcome", "seconds")


class Following:
    """One update of Dockrev, from the side of its job."""

    def __init__(self, site: Site, job: Job) -> None:
        self._site, self._job = site, job
        self._steps = site.steps

    def replace(self, row: Replaced) -> None:
        """Have Dockrev's container made anew, and return once that is so and proven from outside.

        Raises UpdateFailed where it was put back, and LeftSo where neither is so.
        """
        if not papers.is_handed_over(self._job.pk):
            self._hand_over(row)
        end = self._followed(row.planned.service_name) or self._without_word(row)
        if end["outcome"] == FAILED:
            raise LeftSo(end["error"])
        if end["outcome"] != UPDATED:
            raise UpdateFailed(end["error"])

    def clear(self) -> None:
        """Throw away what is not needed once the job knows how it ended."""
        try:
            self._site.engine.remove_container(helper.name_of(self._job.pk))
        except UpdateFailed as error:
            self._steps.log(str(error), level=JobLog.Level.WARN)
        papers.throw_away(self._job.pk)

    def _hand_over(self, row: Replaced) -> None:
        engine, own = self._site.engine, own_container()
        seen = engine.look_inside(own)
        if not seen:
            raise UpdateFailed(_("Dockrev does not find its own container any more."))
        task = self._task(row, seen)
        task.write()
        try:
            helper.start(engine, seen, self._job.pk)
        except UpdateFailed:
            papers.throw_away(self._job.pk)
            raise
        papers.throw_away_others(self._job.pk)
        words = {"version": settings.VERSION, "name": helper.name_of(self._job.pk)}
        text = _("Dockrev %(version)s is replaced from outside now, by the container %(name)s.")
        self._steps.log(text % words)

    def _task(self, row: Replaced, own: dict[str, Any]) -> Task:
        site = self._site
        return Task(
            job_id=self._job.pk,
            place=site.engine.place,
            project=site.project,
            change=row.planned,
            before=row.before,
            image_id=row.image_id,
            demands=self._demands(row.planned.service_name),
            network=str(own["HostConfig"]["NetworkMode"]),
            stop_seconds=int(own["Config"].get("StopTimeout") or STOP_SECONDS),
            language=translation.get_language() or "",
        )

    def _demands(self, service: str) -> Demands:
        """Without probes: the helper asks it as what it is, and more than a probe could."""
        known = demands_of(self._site.stack, [service])
        return known.get(service, Demands()).without_probes

    def _followed(self, service: str) -> Entry | None:
        """The helper's last word; None where it ended without one."""
        demands = self._demands(service)
        until = time.monotonic() + LIMIT + 2 * (demands.settle + demands.margin)
        is_over = False
        while True:
            self._steps.look()
            queue.renew(self._job, LEASE)
            entries = self._read(service)
            if end := next((each for each in entries if each.get("kind") == "end"), None):
                return end
            if any(map(_stops_us, entries)):
                # Else it would be waited for, and all are without Dockrev for so much longer.
                queue.leave(self._job, timezone.now() + AWAY)
                raise TakenAway
            if is_over:
                return None
            # What it wrote at the very end is read once more.
            is_over = not self._is_at_work() or time.monotonic() > until
            time.sleep(PAUSE)

    def _is_at_work(self) -> bool:
        try:
            return helper.is_at_work(self._seen())
        except UpdateFailed:
            return True  # nobody knows: the engine is away

    def _seen(self) -> dict[str, Any]:
        return self._site.engine.look_inside(helper.name_of(self._job.pk))

    def _read(self, service: str) -> list[Entry]:
        known = int(self._steps.summary.get("journal", 0))
        entries = papers.read_journal(self._job.pk, known)
        for entry in entries:
            self._take(entry, service)
        if entries:
            self._steps.summary["journal"] = known + len(entries)
            self._steps.write()
        return entries

    def _take(self, entry: Entry, service: str) -> None:
        match entry.get("kind"):
            case "log":
                level = entry["level"] if entry["level"] in LEVELS else JobLog.Level.INFO
                self._steps.log(entry["message"], level=level)
            case "step":
                self._steps.take({"service": service, **{key: entry[key] for key in STEP}})
            case "trouble":
                container = str(entry["container"])
                trouble = Trouble(container, tuple(entry["log"]), tuple(entry["health"]))
                self._steps.trouble(service, trouble)

    def _without_word(self, row: Replaced) -> Entry:
        """The helper is gone, or hangs. What runs says how far it came. Raises UpdateFailed."""
        engine, seen = self._site.engine, self._seen()
        words = _("The container that was to replace Dockrev ended before it was done.")
        self._steps.log(words, level=JobLog.Level.ERROR)
        if seen:
            for line in engine.last_lines(seen["Id"]):
                self._steps.log(line, level=JobLog.Level.WARN)
            engine.remove_container(seen["Id"])
        containers = self._site.containers(row.planned.service_name)
        new = {each.image_id for each in containers} == {row.new_image_id}
        return {"outcome": UPDATED, "error": ""} if new else {"outcome": "", "error": words}


def _stops_us(entry: Entry) -> bool:
    return (entry.get("step"), entry.get("outcome")) == ("save", "running")
