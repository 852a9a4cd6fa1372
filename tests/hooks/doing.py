"""How the tests of hooks do a job, and read what it says."""

from __future__ import annotations

from collections.abc import Callable

from checks import queue
from checks.models import Job
from checks.tasks import run_job
from integrations.models import HookTarget
from tests.fake_github.server import FakeGitHub

CALLBACK = "https://dockrev.example.com/api/webhooks/github-packages"
FORMER = "https://old.example.com/api/webhooks/github-packages"
EVENTS = ["package", "registry_package"]
Sync = Callable[..., Job]
Track = Callable[..., HookTarget]


def done(queued: queue.Queued) -> Job:
    """The job, after a worker had it."""
    run_job(queued.job_id)
    return Job.objects.get(pk=queued.job_id)


def said(job: Job, word: str = "action") -> dict[str, str]:
    """What a job says of each repository, in a word."""
    return {result["repo"]: result[word] for result in job.summary["results"]}


def result(job: Job) -> dict[str, object]:
    """What a job says of the only repository."""
    [only] = job.summary["results"]
    return dict(only)


def asked(github: FakeGitHub) -> list[str]:
    """The requests about hooks, without the beginning that all share."""
    return [
        f"{each.method} {each.path.removeprefix('/repos/')}"
        for each in github.requests
        if "/hooks" in each.path
    ]


def writes(github: FakeGitHub) -> list[str]:
    return [each for each in asked(github) if not each.startswith("GET ")]
