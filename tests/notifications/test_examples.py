"""The example of each kind of message, and that each kind has all that a kind needs."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from notifications import announce, examples
from notifications.messages import TEST

pytestmark = pytest.mark.django_db

NOON = datetime(2026, 5, 4, 12, tzinfo=UTC)
TITLES = {
    "new_version_discovered": "2 updates",
    "job_finished": "The update of shop failed",
    "host_unreachable": "Docker on nas cannot be reached",
    "host_back": "Docker on nas is back",
    "registry_unreachable": "registry.example does not answer",
    "registry_back": "registry.example answers again",
    "receiver_silent": "Harbor has fallen silent",
    "ghcr_webhook_anomaly": "2 webhooks need attention",
    "digest": "2 services have an update",
    "notification_test": "Dockrev can reach you here",
}


@pytest.mark.parametrize("kind", [*announce.EVENTS, TEST])
def test_each_kind_has_an_example_in_words(kind: str) -> None:
    payload = examples.payload(kind, "webhook", NOON)
    assert (payload["kind"], payload["channel"]) == (kind, "webhook")
    assert payload["schema"].startswith("dockrev.notification.")
    human = payload["human"]
    assert human["title"] == TITLES[kind]
    text = human.get("detail") or human["summary"]
    assert text.startswith(human["summary"])
    assert "%(" not in str(human)
    assert payload["links"]["primaryUrl"].startswith("/")


def test_each_kind_says_when_it_comes() -> None:
    assert list(announce.WHEN) == list(announce.EVENTS)
    assert set(TITLES) == {*announce.EVENTS, TEST}


def test_the_digest_counts_by_stack_and_step() -> None:
    payload = examples.payload("digest", "webhook", NOON)
    assert payload["human"]["detail"] == (
        "shop: 1 rebuilt, 1 minor\nThe update of shop / api failed."
    )
    steps = {"rebuilt": 1, "patch": 0, "minor": 1, "major": 0, "other": 0}
    assert payload["digest"] == {
        "since": "2026-04-27T12:00:00.000Z",
        "services": 2,
        "steps": steps,
        "failures": 1,
    }
    assert payload["links"]["truncated"] == {
        "stacksOmitted": 0,
        "serviceUrlsOmitted": 0,
        "jobsOmitted": 0,
    }
