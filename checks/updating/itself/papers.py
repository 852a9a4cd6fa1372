"""What Dockrev and its helper write for each other, in the data directory that both have.

The task is a file of JSON, the journal one line of JSON for each thing that the helper tells. Who
reads the journal may be another version than who writes it: unknown entries are passed over.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

from django.conf import settings
from django.utils import timezone
from django.utils.translation import gettext as _

from checks.updating.demands import Demands
from checks.updating.failing import Trouble
from checks.updating.plan import Change, Project
from checks.updating.stages import STEPS

MOST_ENTRIES = 5000
LONGEST = 4000  # characters of one message

Entry = dict[str, Any]


def folder() -> Path:
    return Path(settings.DATA_DIR, "self-update")


@dataclass(frozen=True)
class Task:
    """What is left to do when Dockrev's container is to be made anew. It holds no secret.

    `place` is where the engine is, `before` how the service was (`Replaced.before`), `image_id`
    what it ran, `demands` what it has to show, `network` the network mode of Dockrev's container.
    """

    job_id: str
    place: str
    project: Project
    change: Change
    before: Mapping[str, Any]
    image_id: str
    demands: Demands
    network: str
    stop_seconds: int
    language: str

    def write(self) -> None:
        folder().mkdir(mode=0o700, exist_ok=True)
        aside = path_of(self.job_id, "new")
        with os.fdopen(os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            json.dump(asdict(self), file)
        aside.replace(path_of(self.job_id, "task"))

    @classmethod
    def read(cls, job_id: str) -> Self:
        given = json.loads(path_of(job_id, "task").read_text())
        project = Project.from_json(given.pop("project"))
        change, demands = Change.from_json(given.pop("change")), Demands(**given.pop("demands"))
        return cls(project=project, change=change, demands=demands, **given)


def path_of(job_id: str, what: str) -> Path:
    """`task`, `journal`, or `sqlite3`, the copy of the database."""
    return folder() / f"{job_id}.{what}"


def is_handed_over(job_id: str) -> bool:
    return path_of(job_id, "task").exists()


def throw_away(job_id: str) -> None:
    """The task last: without it the job would begin anew."""
    others = [each for each in folder().glob(f"{job_id}.*") if each.suffix != ".task"]
    for path in (*others, path_of(job_id, "task")):
        path.unlink(missing_ok=True)


def throw_away_others(job_id: str) -> None:
    """What is left of jobs that could not clear up after them."""
    for path in folder().iterdir():
        if path.stem != job_id:
            path.unlink(missing_ok=True)


class Journal:
    """The helper's side: what it did, as it comes."""

    def __init__(self, job_id: str) -> None:
        self._path = path_of(job_id, "journal")

    def log(self, message: str, level: str = "info") -> None:
        self._write(kind="log", level=level, message=message[:LONGEST])

    def log_lines(self, lines: list[str]) -> None:
        for line in lines:
            self.log(line)

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        entry = {"kind": "step", "step": name, "startedAt": timezone.now().isoformat()}
        self._write(**entry, outcome="running", seconds=0.0)
        began, outcome = time.monotonic(), "failed"
        try:
            yield
            outcome = "done"
        finally:
            seconds = round(time.monotonic() - began, 3)
            self._write(**entry, outcome=outcome, seconds=seconds)
            words = {"step": STEPS[name], "seconds": seconds}
            if outcome == "done":
                self.log(_("From outside: %(step)s, %(seconds).1f s") % words)

    def trouble(self, trouble: Trouble) -> None:
        self._write(kind="trouble", **asdict(trouble))

    def end(self, outcome: str, error: str = "") -> None:
        """The last word: one of `telling`'s outcomes."""
        self._write(kind="end", outcome=outcome, error=error[:LONGEST])

    def _write(self, **entry: Any) -> None:
        """On the disk, not only on the way there: this machine may be about to go down."""
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC
        with os.fdopen(os.open(self._path, flags, 0o600), "w") as file:
            file.write(json.dumps(entry) + "\n")
            file.flush()
            os.fsync(file.fileno())


def read_journal(job_id: str, known: int) -> list[Entry]:
    """What the helper told after the first `known` entries; a line that is not whole yet waits."""
    try:
        text = path_of(job_id, "journal").read_text()
    except FileNotFoundError:
        return []
    lines = text.split("\n")[:-1]
    return [json.loads(line) for line in lines[known:MOST_ENTRIES]]
