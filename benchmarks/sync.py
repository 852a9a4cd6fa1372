"""A sync of 500 selected repositories whose hooks are in order: requests, and how long it takes.

    python -m benchmarks.sync

Server and worker with default settings, against the fake GitHub of the tests, which takes 50 ms
for each answer. One request for each repository, five at once: that takes 5 s at least.
"""

from __future__ import annotations

import json
import time
from collections import Counter
from dataclasses import dataclass
from datetime import datetime

from benchmarks.facts import machine
from benchmarks.instance import Instance, python, running
from tests.fake_github.server import FakeGitHub

COUNT, LATENCY, AT_ONCE = 500, 0.05, 5
LIMIT_SECONDS = 300
TOKEN = "ghp_of_the_benchmark"
CALLBACK = "https://dockrev.example.com/api/webhooks/github-packages"
PREPARE = """
from integrations.models import HookAccount
from tests import rows
receiver = rows.github_receiver()
for n in range({count}):
    rows.tracked(f"acme/r{{n}}")
account = HookAccount.objects.get(receiver=receiver)
account.api_url, account.callback_url, account.credential = {url!r}, {callback!r}, {token!r}
account.save()
"""
ASK = """
from checks import queue
from integrations.hooks.jobs import request_for
from integrations.models import HookAccount
account = HookAccount.objects.get()
print(queue.enqueue(request_for("hooks.sync", account, reason="ui")).job_id)
"""
LOOK = """
import json
from checks.models import Job
job = Job.objects.get(pk={job!r})
ended = job.finished_at and job.finished_at.isoformat()
began = job.started_at and job.started_at.isoformat()
print(json.dumps([job.status, began, ended, job.summary.get("counts")]))
"""


@dataclass(frozen=True)
class Synced:
    seconds: float
    counts: dict[str, int]
    requests: Counter[tuple[str, int]]
    at_once: int


def main() -> None:
    print(machine())
    with FakeGitHub() as github:
        github.delivers = github.validates = False
        github.world.limit.limit = 100_000
        github.add_token(TOKEN, scopes=["repo", "admin:repo_hook"])
        for n in range(COUNT):
            github.add_repository(f"acme/r{n}")
        prepare = PREPARE.format(count=COUNT, url=github.url, callback=CALLBACK, token=TOKEN)
        with running(prepare=prepare) as dockrev:
            made = sync(dockrev, github)
            assert made.counts == {"created": COUNT}, made.counts
            github.latency = LATENCY
            print(f"at least: {COUNT * LATENCY / AT_ONCE:.1f} s")
            report("hooks read anew", sync(dockrev, github))
            report("hooks unchanged", sync(dockrev, github))


def sync(dockrev: Instance, github: FakeGitHub) -> Synced:
    """Queue a sync, wait for its end, and say what came of it."""
    github.requests.clear()
    github.most_at_once = 0
    job = python(dockrev.environment, ASK).strip()
    deadline = time.monotonic() + LIMIT_SECONDS
    while True:
        time.sleep(1)
        status, began, ended, counts = json.loads(python(dockrev.environment, LOOK.format(job=job)))
        if ended:
            break
        assert time.monotonic() < deadline, "the sync did not end"
    assert status == "success", status
    seconds = datetime.fromisoformat(ended) - datetime.fromisoformat(began)
    asked = Counter((each.method, each.status) for each in github.requests)
    return Synced(seconds.total_seconds(), counts, asked, github.most_at_once)


def report(what: str, synced: Synced) -> None:
    assert synced.counts == {"noop": COUNT}, synced.counts
    asked = ", ".join(
        f"{count} {method} answered {status}" for (method, status), count in synced.requests.items()
    )
    print(f"{what}: {synced.seconds:.1f} s; {asked}; at most {synced.at_once} at once")


if __name__ == "__main__":
    main()
