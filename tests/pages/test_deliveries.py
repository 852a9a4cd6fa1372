from __future__ import annotations

import json

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from checks.models import Job
from integrations.models import Receiver
from tests import github
from tests.pages.rows import delivery, job
from tests.pages.test_overview import text_of
from tests.rows import github_receiver, service, tracked

pytestmark = pytest.mark.django_db


@pytest.fixture
def receiver(db: None) -> Receiver:
    return github_receiver()


def page(client: Client, path: str) -> str:
    response = client.get(path)
    assert response.status_code == 200
    return text_of(response.content)


def test_it_says_how_to_connect_a_registry(viewer: Client, admin: Client) -> None:
    said = page(viewer, "/deliveries")
    assert "No registry tells Dockrev what is published." in said
    assert "http://testserver/api/webhooks/github-packages" in said
    assert "An admin has to set its secret" in said
    body = admin.get("/deliveries").content.decode()
    assert 'data-copy="http://testserver/api/webhooks/github-packages"' in body
    assert 'href="/settings/github-packages"' in body


def test_it_lists_deliveries_with_what_came_of_them(viewer: Client, receiver: Receiver) -> None:
    delivery(receiver, images=["ghcr.io/acme/api:1@sha256:00"], matched_service_ids=["svc_1"])
    delivery(receiver, repository="acme/web", decision="ignored", reason="repo_not_selected")
    delivery(receiver, decision="rejected", reason="invalid_json", attempts=3)
    said = page(viewer, "/deliveries")
    assert "3 deliveries, the last just now" in said
    assert "All 3 Processed 1 Ignored 1 Rejected 1" in said
    assert "ghcr.io/acme/api:1 processed: 1 service GitHub Packages" in said
    assert "acme/web ignored: its repository is not selected" in said
    assert "rejected: it is not JSON" in said
    assert "came 3 times" in said


def test_it_leads_from_the_list_to_the_jobs(viewer: Client, receiver: Receiver) -> None:
    checked = job(subject="shop / api")
    delivery(receiver, job_ids=[checked.pk], matched_service_ids=["svc_1"])
    two = delivery(receiver, job_ids=[checked.pk], reused_job_ids=["job_2"])
    body = viewer.get("/deliveries").content.decode()
    assert f'<a href="/queue/{checked.pk}">1 job</a>' in body
    assert f'<a href="/deliveries/{two.pk}#came">2 jobs</a>' in body


def test_it_names_the_senders_id_and_the_repository(viewer: Client, receiver: Receiver) -> None:
    delivery(
        receiver, sender_id="72d3162e-cc78", repository="acme/mono", images=["ghcr.io/acme/api:1"]
    )
    assert "acme/mono 72d3162e-cc78" in page(viewer, "/deliveries")


def test_it_marks_what_was_brought_in_later(viewer: Client, receiver: Receiver) -> None:
    delivery(receiver, repository="acme/one")
    assert "Brought in later" not in page(viewer, "/deliveries")
    late = delivery(receiver, repository="acme/two", reconciled=True, hook_id="7001")
    assert "Brought in later 1" in page(viewer, "/deliveries")
    said = page(viewer, "/deliveries?show=late")
    assert "brought in later" in said
    assert "acme/one" not in said
    said = page(viewer, f"/deliveries/{late.pk}")
    assert "Hook 7001 Brought in just now Its sender could not deliver it" in said


@pytest.mark.parametrize(
    "words", ["72d3162e", "ACME/api", "ghcr.io/acme/tool", "acme tool", "dlv_"]
)
def test_it_searches_ids_repositories_and_images(
    viewer: Client, receiver: Receiver, words: str
) -> None:
    delivery(
        receiver,
        sender_id="72d3162e-cc78",
        repository="acme/api",
        images=["ghcr.io/acme/tool:1"],
    )
    assert "ghcr.io/acme/tool:1" in page(viewer, f"/deliveries?q={words}")
    assert "No delivery matches" in page(viewer, f"/deliveries?q={words}+absent")


def test_it_filters_by_decision(viewer: Client, receiver: Receiver) -> None:
    delivery(receiver, repository="acme/one")
    delivery(receiver, repository="acme/two", decision="ignored", reason="repo_not_selected")
    said = page(viewer, "/deliveries?show=ignored")
    assert "acme/two" in said
    assert "acme/one" not in said
    assert "No delivery was decided so." in page(viewer, "/deliveries?show=rejected")


def test_it_asks_the_database_as_often_for_thirty_as_for_three(
    viewer: Client, receiver: Receiver
) -> None:
    def queries() -> int:
        with CaptureQueriesContext(connection) as captured:
            viewer.get("/deliveries")
        return len(captured)

    for _number in range(3):
        delivery(receiver)
    few = queries()
    for _number in range(30):
        delivery(receiver)
    assert queries() == few <= 10


def test_it_shows_one_with_its_jobs_and_services(viewer: Client, receiver: Receiver) -> None:
    row = service()
    checked = job(service_id=row.pk, subject="shop / api")
    shown = delivery(
        receiver,
        images=["ghcr.io/acme/api:1"],
        matched_service_ids=[row.pk],
        job_ids=[checked.pk],
        headers={"x-github-event": "package", "x-hub-signature-256": "••••"},
        payload=b'{"b": 1, "a": "\xc3\xbc"}',
    )
    body = viewer.get(f"/deliveries/{shown.pk}").content.decode()
    assert f'href="/services/{row.stack_id}/{row.pk}"' in body
    assert f'href="/queue/{checked.pk}"' in body
    assert "{\n  &quot;b&quot;: 1,\n  &quot;a&quot;: &quot;ü&quot;\n}" in body
    assert "x-hub-signature-256 ••••" in text_of(body.encode())


def test_it_hides_the_secrets_of_a_payload(viewer: Client, receiver: Receiver) -> None:
    config = {"url": "https://a.example", "secret": "open sesame", "Token": "open sesame"}
    payload = json.dumps({"hook": {"config": config}, "token": None}).encode()
    said = page(viewer, f"/deliveries/{delivery(receiver, payload=payload).pk}")
    assert "open sesame" not in said
    assert '"secret": "••••"' in said
    assert '"token": null' in said


@pytest.mark.parametrize(
    "payload", [b"payload=%7B%7D", b"\xff\xfe", b"", b"[" * 100_000, b'{"a": NaN}']
)
def test_it_shows_a_payload_that_is_no_json(
    viewer: Client, receiver: Receiver, payload: bytes
) -> None:
    shown = delivery(receiver, payload=payload)
    assert viewer.get(f"/deliveries/{shown.pk}").status_code == 200


def test_it_shows_only_the_beginning_of_a_large_payload(viewer: Client, receiver: Receiver) -> None:
    shown = delivery(receiver, payload=json.dumps({"a": "x" * 400_000}).encode())
    response = viewer.get(f"/deliveries/{shown.pk}")
    assert "Only the beginning is shown." in text_of(response.content)
    assert len(response.content) < 300_000


def test_it_escapes_what_a_sender_wrote(viewer: Client, receiver: Receiver) -> None:
    hostile = "<script>alert(1)</script>"
    shown = delivery(
        receiver,
        repository=hostile,
        images=[hostile],
        event=hostile,
        reason=hostile,
        headers={hostile: hostile},
        payload=json.dumps({hostile: hostile}).encode(),
    )
    for path in ("/deliveries", f"/deliveries/{shown.pk}"):
        assert b"<script>alert" not in viewer.get(path).content


def test_it_replays_for_operators(operator: Client, viewer: Client, receiver: Receiver) -> None:
    tracked("acme/api")
    body = json.dumps(github.published("acme/api", "1.2.0")).encode()
    shown = delivery(
        receiver,
        payload=body,
        headers={"x-github-event": "package", "x-github-delivery": "72d3162e"},
    )
    assert "Replay" not in page(viewer, f"/deliveries/{shown.pk}")
    service()
    response = operator.post(f"/deliveries/{shown.pk}/replay", follow=True)
    said = text_of(response.content)
    assert "Replayed: its services are being checked." in said
    assert "processed: 1 service" in said
    assert Job.objects.get().kind == "check.service"


def test_it_says_that_a_replay_found_nothing(operator: Client, receiver: Receiver) -> None:
    shown = delivery(receiver, headers={"x-github-event": "ping"}, payload=b'{"zen": "calm"}')
    response = operator.post(f"/deliveries/{shown.pk}/replay", follow=True)
    assert "Replayed: there was nothing to check." in text_of(response.content)


def test_it_says_why_it_looked_for_new_services(viewer: Client, receiver: Receiver) -> None:
    shown = delivery(
        receiver,
        images=["ghcr.io/acme/a:1", "ghcr.io/acme/b:1"],
        fallback_reason="no_managed_service_match",
    )
    said = page(viewer, f"/deliveries/{shown.pk}")
    assert "ghcr.io/acme/a:1 and 1 more processed: no service runs it" in said
    assert "so Dockrev looked for new services." in said


def test_it_knows_no_other_delivery(viewer: Client) -> None:
    assert viewer.get(f"/deliveries/dlv_{'0' * 26}").status_code == 404


def test_it_shows_what_no_text_can_hold(viewer: Client, receiver: Receiver) -> None:
    row = delivery(receiver, payload=rb'{"name": "\ud800"}')
    assert r"\ud800" in page(viewer, f"/deliveries/{row.pk}")


@pytest.mark.parametrize(
    ("columns", "words"),
    [
        ({"callback_state": "waiting"}, "Its sender asked to be told what came of it"),
        (
            {"callback_state": "sent", "callback_told": "success", "callback_status": 200},
            "Its sender was told “success”, and answered 200.",
        ),
        (
            {
                "callback_state": "failed",
                "callback_told": "error",
                "callback_error": "hub.docker.com does not answer.",
            },
            "Its sender could not be told “error”. hub.docker.com does not answer.",
        ),
        (
            {"callback_state": "refused"},
            "Its sender was not told: the address that it named is none",
        ),
        ({"callback_state": "unsupported"}, "Its sender was not told: Docker Hub takes no such"),
    ],
)
def test_it_says_what_the_sender_was_told(
    viewer: Client, receiver: Receiver, columns: dict[str, object], words: str
) -> None:
    row = delivery(receiver, **columns)
    assert words in page(viewer, f"/deliveries/{row.pk}")


def test_it_says_nothing_of_a_sender_that_asked_for_nothing(
    viewer: Client, receiver: Receiver
) -> None:
    assert "Its sender" not in page(viewer, f"/deliveries/{delivery(receiver).pk}")
