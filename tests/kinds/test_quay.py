"""Quay's notifications of a push, and its others."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.test import Client
from django.utils import timezone

from checks.models import Job
from tests import rows
from tests.kinds import bad_names
from tests.senders import outcome, post, proven, receiver, send

pytestmark = pytest.mark.django_db

KIND = "quay"


def pushed(tags: Any = ("1.2.0",), **changes: Any) -> dict[str, Any]:
    body = {
        "name": "api",
        "repository": "acme/api",
        "namespace": "acme",
        "docker_url": "quay.example/acme/api",
        "homepage": "https://quay.example/repository/acme/api",
        "updated_tags": list(tags) if isinstance(tags, tuple) else tags,
        **changes,
    }
    return {name: value for name, value in body.items() if value is not None}


def test_it_leads_to_the_service_that_runs_what_was_pushed(client: Client) -> None:
    receiver(KIND)
    service = rows.service("quay.example/acme/api:1.2.0")
    answer = send(client, KIND, pushed(("1.2.0", "latest")))
    assert answer.status_code == 202, answer.content
    assert answer.json()["matchedServiceIds"] == [service.pk]
    assert outcome(answer).images == ["quay.example/acme/api:1.2.0", "quay.example/acme/api:latest"]


TAKEN: dict[str, tuple[dict[str, Any], str, list[str]]] = {
    "a scheme": (pushed(docker_url="https://quay.example/acme/api"), "", ["quay.example"]),
    "a bound host": (pushed(), "images.example.com", ["images.example.com"]),
    "no address": (pushed(docker_url=None), "images.example.com", ["images.example.com"]),
}


@pytest.mark.parametrize("what", TAKEN)
def test_it_knows_the_host_of(client: Client, what: str) -> None:
    body, bound, hosts = TAKEN[what]
    receiver(KIND, bound)
    assert outcome(send(client, KIND, body)).images == [f"{host}/acme/api:1.2.0" for host in hosts]


def test_it_takes_no_tags_for_any_tag(client: Client) -> None:
    receiver(KIND)
    assert outcome(send(client, KIND, pushed([]))).images == ["quay.example/acme/api"]


def test_it_reads_tags_as_they_were_written_once(client: Client) -> None:
    receiver(KIND)
    answer = outcome(send(client, KIND, pushed({"1.2.0": "abc", "latest": "abc"})))
    assert answer.images == ["quay.example/acme/api:1.2.0", "quay.example/acme/api:latest"]


def test_it_takes_its_test_for_a_push(client: Client) -> None:
    receiver(KIND)
    answer = outcome(send(client, KIND, pushed(("latest", "foo"), pruned_image_count=3)))
    assert answer.decision == "processed"


def test_it_ignores_its_other_notifications(client: Client) -> None:
    receiver(KIND)
    found = pushed(None, vulnerability={"id": "CVE-1", "priority": "Critical"})
    assert outcome(send(client, KIND, found))[:2] == ("ignored", "event_not_relevant")


def test_it_takes_the_same_push_again_after_a_while(client: Client) -> None:
    """Bodies of equal pushes are equal."""
    receiver(KIND)
    with time_machine.travel(timezone.now(), tick=False) as clock:
        assert send(client, KIND, pushed()).status_code == 202
        assert outcome(send(client, KIND, pushed())).reason == "duplicate_delivery"
        clock.shift(timedelta(seconds=61))
        assert send(client, KIND, pushed()).status_code == 202


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"invalid": "data"},
        *(pushed(docker_url=f"quay.example/{name}") for name in ("acme/../api", "Acme/api")),
        *(pushed(docker_url=None, repository=name) for name in bad_names.REPOSITORIES),
        *(pushed(docker_url=f"https://{host}/a/b") for host in bad_names.HOSTS),
        *(pushed([tag]) for tag in [*bad_names.TAGS, "", None]),
        pushed(tags="latest"),
        pushed(docker_url=""),
        pushed(docker_url=None),
    ],
)
def test_it_records_what_names_no_image(client: Client, body: dict[str, Any]) -> None:
    receiver(KIND)
    answer = send(client, KIND, body)
    assert (answer.status_code, outcome(answer)[:2]) == (200, ("rejected", "invalid_payload"))
    assert not Job.objects.exists()


def test_it_lets_in_by_the_token_alone(client: Client) -> None:
    receiver(KIND)
    incoming = proven(KIND, pushed())
    for token in ("", "x", incoming.token[:-1], incoming.token + "/x", incoming.token.upper()):
        wrong = type(incoming)(incoming.headers, incoming.body, token)
        assert post(client, KIND, wrong).status_code in {401, 404}
    assert post(client, KIND, incoming).status_code == 202
