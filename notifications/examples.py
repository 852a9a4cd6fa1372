"""One event of each kind that never happened: to look at, to try a channel and a template with."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from notifications import announce, contents, messages
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

_SERVICE: dict[str, Any] = {
    "stack_id": "stk_example",
    "stack_name": "shop",
    "service_id": "svc_example_api",
    "service_name": "api",
    "image": "registry.example/shop/api:1.4.2",
    "current_tag": "1.4.2",
    "current_display_tag": "1.4.2",
    "candidate_tag": "1.5.0",
    "candidate_display_tag": "1.5.0",
    "candidate_digest": f"sha256:{'5' * 64}",
    "candidate_image": "registry.example/shop/api:1.5.0",
    "step": "minor",
}
_OTHER: dict[str, Any] = {
    **_SERVICE,
    "service_id": "svc_example_web",
    "service_name": "web",
    "image": "registry.example/shop/web:latest",
    "current_tag": "latest",
    "current_display_tag": "2.0.1",
    "candidate_tag": "latest",
    "candidate_display_tag": "2.0.2",
    "candidate_digest": f"sha256:{'6' * 64}",
    "candidate_image": "registry.example/shop/web:latest",
    "step": "rebuilt",
}


def payload(kind: str, channel_kind: str, now: datetime) -> dict[str, Any]:
    """What is sent of such an event, in the language that is spoken."""
    if kind == messages.TEST:
        return dict(messages.test_message("ntf_example", channel_kind, now).payload)
    return messages.payload(kind, channel_kind, _CONTENTS[kind](now), now)


def content(kind: str, now: datetime) -> dict[str, Any]:
    """The facts of such an event as they are kept with a message. KeyError if there is none."""
    return _CONTENTS[kind](now)


def _versions(now: datetime) -> dict[str, Any]:
    check = Check("job_example", "schedule", "all", services_checked=12)
    return contents.versions(check, [NewVersion(**_SERVICE), NewVersion(**_OTHER)])


def _job(now: datetime) -> dict[str, Any]:
    job = FinishedJob(
        id="job_example",
        kind="update",
        scope="stack",
        status="failed",
        reason="ui",
        created_by="ann",
        subject="shop",
        stack_id="stk_example",
        service_id="",
        created_at=now - timedelta(minutes=3),
        started_at=now - timedelta(minutes=3),
        finished_at=now,
        error="shop / api did not become healthy within 60 s.",
        log=("api: container started", "api: GET /healthz answered 503", "api: gave up after 60 s"),
    )
    services = [Changed(**_SERVICE, outcome="failed"), Changed(**_OTHER, outcome="untouched")]
    return contents.job(job, services)


def _host(now: datetime) -> dict[str, Any]:
    why = "Nothing answers at tcp://nas.example:2376."
    host = Outage("hst_example", "nas", now - timedelta(hours=1), why, services=12, path="/")
    return contents.outages([host], now)


def _registry(now: datetime) -> dict[str, Any]:
    name, page = "registry.example", "/settings/registries"
    why = "registry.example does not answer: the connection was refused."
    return contents.outages(
        [Outage("reg_example", name, now - timedelta(hours=1), why, services=5, path=page)], now
    )


def _silence(now: datetime) -> dict[str, Any]:
    heard, gap = now - timedelta(days=5), timedelta(days=1)
    return contents.silence(Silence("rcv_example", "harbor", "Harbor", heard, gap), now)


def _anomalies(now: datetime) -> dict[str, Any]:
    audit = Audit("job_example", "success", missing=1, conflict=0, drift=1, error=0)
    found = [Anomaly("acme/api", "missing", ""), Anomaly("acme/web", "drift", "It is inactive.")]
    return contents.anomalies(audit, found)


def _digest(now: datetime) -> dict[str, Any]:
    failure = Failure(
        "job_example", "update", "failed", "shop / api", "stk_example", now - timedelta(days=2)
    )
    found = [NewVersion(**_SERVICE), NewVersion(**_OTHER)]
    return contents.digest(now - timedelta(days=7), found, [failure])


_CONTENTS: dict[str, Callable[[datetime], dict[str, Any]]] = {
    announce.NEW_VERSION: _versions,
    announce.JOB_FINISHED: _job,
    announce.HOST_UNREACHABLE: _host,
    announce.HOST_BACK: _host,
    announce.REGISTRY_UNREACHABLE: _registry,
    announce.REGISTRY_BACK: _registry,
    announce.SILENCE: _silence,
    announce.ANOMALY: _anomalies,
    announce.DIGEST: _digest,
}
