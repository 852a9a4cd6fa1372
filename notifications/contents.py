"""What is kept of what happened until it was sent: plain JSON, of a bounded size."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any

from notifications import excerpts
from notifications.facts import (
    Anomaly,
    Audit,
    Changed,
    Check,
    Failure,
    FinishedJob,
    NewVersion,
    Outage,
    Silence,
)

MAX_NAMED = 10  # services, repositories and the like in one message
MAX_ERROR, MAX_LINES, MAX_LOG = 1024, 20, 4000  # of a job: characters, lines and characters


def versions(check: Check, found: Sequence[NewVersion]) -> dict[str, Any]:
    return {"check": asdict(check), "found": [asdict(new) for new in found]}


def with_company(old: dict[str, Any], new: dict[str, Any]) -> dict[str, Any]:
    """Newer images of which some are known, together with others."""
    told = {(item["service_id"], item["candidate_digest"]) for item in old["found"]}
    added = [i for i in new["found"] if (i["service_id"], i["candidate_digest"]) not in told]
    checked = old["check"]["services_checked"] + new["check"]["services_checked"]
    return {
        "check": {**old["check"], "services_checked": checked},
        "found": old["found"] + added,
    }


def with_latest(old: dict[str, Any], new: dict[str, Any]) -> dict[str, Any]:
    """The same, where of what one service is offered by one step only the latest is told."""
    later = {(item["service_id"], item["step"]) for item in new["found"]}
    left = [item for item in old["found"] if (item["service_id"], item["step"]) not in later]
    return with_company({**old, "found": left}, new)


def job(job: FinishedJob, services: Sequence[Changed]) -> dict[str, Any]:
    return {"job": _told(job), "found": [asdict(each) for each in services]}


def _told(job: FinishedJob) -> dict[str, Any]:
    """A job as it is kept with its message, without what nobody could read."""
    moments = {"created_at": job.created_at, "finished_at": job.finished_at}
    return {
        **asdict(job),
        **{name: moment.isoformat() for name, moment in moments.items()},
        "started_at": job.started_at.isoformat() if job.started_at else None,
        "error": _reason(job.error),
        "log": excerpts.last_lines(job.log, lines=MAX_LINES, characters=MAX_LOG),
    }


def outages(found: Sequence[Outage], now: datetime) -> dict[str, Any]:
    told = [
        {**asdict(each), "since": each.since.isoformat(), "error": _reason(each.error)}
        for each in found
    ]
    return {"found": told, "at": now.isoformat()}


def _reason(text: str) -> str:
    return excerpts.cut(excerpts.readable(text).strip(), MAX_ERROR)


def anomalies(audit: Audit, found: Sequence[Anomaly]) -> dict[str, Any]:
    return {"audit": asdict(audit), "found": [asdict(one) for one in found]}


def silence(fact: Silence, now: datetime) -> dict[str, Any]:
    return {
        "receiver_id": fact.receiver_id,
        "kind": fact.kind,
        "name": fact.name,
        "heard_at": fact.heard_at.isoformat(),
        "found_at": now.isoformat(),
        "usual_gap": int(fact.usual_gap.total_seconds()),
    }


def digest(
    since: datetime, found: Sequence[NewVersion], failures: Sequence[Failure]
) -> dict[str, Any]:
    """Counted here, so that what is kept is short however much is open."""
    stacks: dict[str, Any] = {}
    for each in found:
        names = {"stack_id": each.stack_id, "stack_name": each.stack_name}
        stack = stacks.setdefault(each.stack_id, {**names, "steps": Counter()})
        stack["steps"][each.step] += 1
    return {
        "since": since.isoformat(),
        "services": len({each.service_id for each in found}),
        "steps": Counter(each.step for each in found),
        "stacks": list(stacks.values())[:MAX_NAMED],
        "stack_count": len(stacks),
        "candidates": len(found),
        "found": [asdict(each) for each in found[:MAX_NAMED]],
        "failures": [
            {**asdict(each), "finished_at": each.finished_at.isoformat()}
            for each in failures[:MAX_NAMED]
        ],
        "failure_count": len(failures),
    }
