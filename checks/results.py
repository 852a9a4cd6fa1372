"""What a job's page shows of its results. Other apps register theirs in `AppConfig.ready()`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from django.http import HttpRequest

from checks.models import Job


class Results(NamedTuple):
    """`load` gives the template what it shows, from the job's summary."""

    template: str
    load: Callable[[HttpRequest, Job], dict[str, Any]]


RESULTS: dict[str, Results] = {}


def register(kind: str, results: Results) -> None:
    RESULTS[kind] = results


def shown(request: HttpRequest, job: Job) -> dict[str, Any]:
    """Context for the page of a job; empty for a kind that has no results of its own."""
    results = RESULTS.get(job.kind)
    if results is None:
        return {}
    return {"results_template": results.template, **results.load(request, job)}
