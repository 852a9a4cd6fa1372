"""What the page of a job that changes services shows: each service, step by step."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from django.http import HttpRequest
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from checks.models import Job
from checks.results import Results
from checks.updating.stages import STEPS

WORDS: dict[str, str | Promise] = {
    "updated": _("updated"),
    "restored": _("restored"),
    "failed": _("failed"),
    "rolled_back": _("put back"),
    "untouched": _("left as it was"),
    "started": _("started"),
    "stopped": _("stopped"),
    "restarted": _("restarted"),
    "": _("not done with yet"),
}
_MARKS = {
    "updated": "success",
    "restored": "success",
    "failed": "failed",
    "rolled_back": "rolled_back",
    "untouched": "noop",
    "started": "success",
    "stopped": "success",
    "restarted": "success",
    "": "queued",
}
_STEP_MARKS = {
    "done": "success",
    "failed": "failed",
    "running": "running",
    "cancelled": "cancelled",
    "lost": "attention",
}
# Who comes first on the page: what needs a person. All others are done with.
_ORDER = ("failed", "rolled_back", "", "untouched")


@dataclass(frozen=True)
class Step:
    name: str
    outcome: str
    seconds: float

    @property
    def words(self) -> str:
        return str(STEPS.get(self.name, self.name))

    @property
    def mark(self) -> str:
        return _STEP_MARKS.get(self.outcome, "unknown")


@dataclass
class Changed:
    """One service of the job."""

    name: str
    facts: dict[str, str] = field(default_factory=dict)
    steps: list[Step] = field(default_factory=list)
    troubles: list[dict[str, Any]] = field(default_factory=list)

    @property
    def outcome(self) -> str:
        return self.facts.get("outcome", "")

    @property
    def word(self) -> str:
        return str(WORDS.get(self.outcome, self.outcome))

    @property
    def mark(self) -> str:
        if any(step.outcome == "running" for step in self.steps):
            return "running"
        return _MARKS.get(self.outcome, "unknown")

    @property
    def ends(self) -> tuple[str, str]:
        """From which image to which, where that is known."""
        return self.facts.get("from", ""), self.facts.get("to", "")


def shown(request: HttpRequest, job: Job) -> dict[str, Any]:
    changed = sorted(_changed(job.summary), key=_rank)
    # One whose service is not clear without a line of its own.
    return {"changed": changed, "runs_now": [each for each in changed if each.facts.get("runs")]}


def _rank(changed: Changed) -> int:
    outcome = changed.outcome
    return _ORDER.index(outcome) if outcome in _ORDER else len(_ORDER)


RESULTS = Results("checks/update_results.html", shown)


def _changed(summary: dict[str, Any]) -> Iterator[Changed]:
    names = [each["service"] for each in (*summary.get("steps", ()), *summary.get("services", ()))]
    found = {name: Changed(name) for name in names}
    for each in summary.get("steps", ()):
        step = Step(each["step"], each["outcome"], each["seconds"])
        found[each["service"]].steps.append(step)
    for each in summary.get("services", ()):
        found[each["service"]].facts = each
    for each in summary.get("troubles", ()):
        found[each["service"]].troubles.append(each)
    yield from found.values()
