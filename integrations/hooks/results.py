"""What jobs of hooks came to, in the order in which a person wants to read it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.core.paginator import Paginator
from django.http import HttpRequest
from django.utils.dateparse import parse_datetime
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from checks.models import Job
from checks.results import Results
from dockrev.pages import PER_PAGE
from integrations.models import HookAccount

KINDS = ("hooks.sync", "hooks.audit", "hooks.remove", "hooks.list")
# What needs a person first, what nothing happened to last.
ACTIONS: dict[str, str | Promise] = {
    "error": _("error"),
    "conflict": _("conflict"),
    "missing": _("missing"),
    "drift": _("drift"),
    "created": _("created"),
    "updated": _("updated"),
    "deleted": _("deleted"),
    "ok": _("ok"),
    "noop": _("noop"),
}
_ORDER = {action: place for place, action in enumerate(ACTIONS)}


@dataclass(frozen=True)
class Result:
    """What became of one repository."""

    repo: str
    action: str
    message: str

    @property
    def word(self) -> str:
        return word_of(self.action)


@dataclass(frozen=True)
class Work:
    """A job and its results, the pressing ones first; `counts` has each action once."""

    job: Job
    results: list[Result]
    counts: list[tuple[str, str, int]]

    @property
    def is_dry_run(self) -> bool:
        return bool(self.job.summary.get("dryRun"))

    @property
    def resumes_at(self) -> datetime | None:
        """When it goes on, where it waits for the provider's rate limit."""
        resumes = self.job.summary.get("resumesAt") if self.job.status == Job.Status.QUEUED else ""
        return parse_datetime(resumes) if resumes else None


def shown(request: HttpRequest, job: Job) -> dict[str, Any]:
    """The results for the job's own page, all of them."""
    found = work_of(job)
    page = Paginator(found.results, PER_PAGE).get_page(request.GET.get("page"))
    return {"work": found, "page": page}


RESULTS = Results("integrations/hooks/job_results.html", shown)


def word_of(action: str) -> str:
    return str(ACTIONS.get(action, action))


def latest(account: HookAccount) -> Work | None:
    """The last job about an account's hooks, under way or done."""
    jobs = Job.objects.filter(kind__in=KINDS, params__account=account.pk)
    job = jobs.first()
    return None if job is None else work_of(job)


def work_of(job: Job) -> Work:
    results = sorted(_results(job.summary), key=_place)
    counted = Counter(result.action for result in results)
    counts = [
        (action, word_of(action), counted[action])
        for action in sorted(counted, key=lambda action: _ORDER.get(action, len(_ORDER)))
    ]
    return Work(job, results, counts)


def _results(summary: dict[str, Any]) -> Iterable[Result]:
    for each in summary.get("results") or ():
        action = each.get("action") or each.get("state") or ""
        yield Result(each.get("repo", ""), action, each.get("message") or "")


def _place(result: Result) -> tuple[int, str]:
    return _ORDER.get(result.action, len(_ORDER)), result.repo.lower()
