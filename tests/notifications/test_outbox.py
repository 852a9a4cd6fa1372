"""What reaches a channel, and what happens where nothing does."""

from __future__ import annotations

import hmac
import json
from collections.abc import Iterator
from datetime import timedelta
from hashlib import sha256
from typing import Any

import pytest
import time_machine
from django.urls import resolve
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from dockrev import preferences
from dockrev.ids import new_id
from notifications import messages, outbox, trying
from notifications.announce import (
    ANOMALY,
    COMPANY,
    NEW_VERSION,
    Anomaly,
    Audit,
    Check,
    NewVersion,
    anomalies,
    new_versions,
)
from notifications.models import Channel, Notification
from tests.github import digest
from tests.sink import Sink, sink

pytestmark = pytest.mark.django_db

CHECK = Check("job_1", "webhook", "service", 1)


def news(service: str = "api", image: str = "ghcr.io/acme/api:1", stack: str = "1") -> NewVersion:
    return NewVersion(
        stack_id=f"stk_{stack}",
        stack_name="shop",
        service_id=f"svc_{service}",
        service_name=service,
        image=image,
        current_tag="1",
        current_display_tag="1",
        candidate_tag="1",
        candidate_display_tag="1",
        candidate_digest=digest(image),
        candidate_image=image,
        step="rebuilt",
    )


@pytest.fixture
def place() -> Iterator[Sink]:
    with sink() as place:
        yield place


def channel(place: Sink, **given: Any) -> Channel:
    config = {"url": place.url, **given.pop("config", {})}
    row = {"kind": "webhook", "name": "sink", "events": [NEW_VERSION, ANOMALY], **given}
    return Channel.objects.create(config=json.dumps(config), **row)


def tell(*found: NewVersion, check: Check = CHECK) -> dict[str, int]:
    return new_versions(check, found or [news()], timezone.now())


def send_all(after: timedelta = COMPANY) -> None:
    """What the worker does when everything has become due."""
    with time_machine.travel(timezone.now() + after):
        for pk in list(Channel.objects.to_send_to(timezone.now()).values_list("pk", flat=True)):
            while row := outbox.claim(pk, timezone.now()):
                outbox.send(row)


class TestPayload:
    @pytest.mark.parametrize("count", [1, 10])
    def test_it_is_built_with_three_queries_however_much_it_names(
        self, place: Sink, count: int, django_assert_num_queries: DjangoAssertNumQueries
    ) -> None:
        """The language, the public address and the template."""
        channel(place)
        tell(*(news(f"api-{number}", image=f"ghcr.io/acme/{number}:1") for number in range(count)))
        row = Notification.objects.select_related("channel").get()
        with django_assert_num_queries(3):
            built = messages.message(row, timezone.now())
        assert len(built.payload["links"]["serviceUrls"]) == count

    def test_it_sends_the_contract(self, place: Sink) -> None:
        preferences.set("public_base_url", "https://dockrev.example")
        channel(place)
        tell()
        send_all()
        [received] = place.received
        body = received.json
        assert body.pop("sentAt").endswith("Z")
        assert body.pop("debug")["source"] == "dockrev"
        service_url = "https://dockrev.example/services/stk_1/svc_api"
        assert body == {
            "schema": "dockrev.notification.new_version_discovered.v2",
            "kind": "new_version_discovered",
            "channel": "webhook",
            "check": {
                "jobId": "job_1",
                "reason": "webhook",
                "scope": "service",
                "servicesChecked": 1,
                "newVersions": 1,
            },
            "links": {
                "primaryUrl": service_url,
                "jobUrl": "https://dockrev.example/queue/job_1",
                "serviceUrls": [
                    {
                        "stackId": "stk_1",
                        "stackName": "shop",
                        "serviceId": "svc_api",
                        "serviceName": "api",
                        "currentTag": "1",
                        "currentDisplayTag": "1",
                        "candidateTag": "1",
                        "candidateDisplayTag": "1",
                        "candidateDigest": digest("ghcr.io/acme/api:1"),
                        "url": service_url,
                    }
                ],
                "truncated": {"serviceUrlsOmitted": 0},
            },
            "human": {
                "title": "shop / api has an update",
                "summary": "shop / api: ghcr.io/acme/api:1 was rebuilt",
            },
        }
        row = Notification.objects.get()
        assert received.headers["X-Dockrev-Event"] == "new_version_discovered"
        assert received.headers["X-Dockrev-Delivery"] == row.pk
        assert "X-Dockrev-Signature-256" not in received.headers
        assert row.status == "sent"

    def test_it_signs_the_very_bytes_and_sends_the_channels_headers(self, place: Sink) -> None:
        channel(place, config={"secret": "geheim", "headers": {"Authorization": "Bearer x"}})
        tell()
        send_all()
        [received] = place.received
        mac = hmac.new(b"geheim", received.body, sha256).hexdigest()
        assert received.headers["X-Dockrev-Signature-256"] == f"sha256={mac}"
        assert received.headers["Authorization"] == "Bearer x"

    def test_it_names_ten_services_and_counts_the_rest(self, place: Sink) -> None:
        channel(place)
        tell(*(news(f"s{n}", f"ghcr.io/acme/s{n}:1") for n in range(13)))
        send_all()
        [received] = place.received
        links = received.json["links"]
        assert len(links["serviceUrls"]) == 10
        assert links["truncated"] == {"serviceUrlsOmitted": 3}
        assert links["primaryUrl"] == links["jobUrl"] == "/queue/job_1"
        assert received.json["human"]["title"] == "13 updates"
        assert received.json["human"]["detail"].endswith("and 3 more")


class TestChoice:
    def test_it_tells_only_channels_that_want_to_hear(self, place: Sink) -> None:
        channel(place, enabled=False)
        channel(place, events=[])
        channel(place, stack_ids=["stk_2"])
        assert tell(news("a", stack="1"), news("b", stack="2")) == {"svc_b": 1}
        assert Notification.objects.count() == 1

    def test_it_waits_for_company_of_the_same_image(self, place: Sink) -> None:
        channel(place)
        tell(news("a"))
        tell(news("b"))
        tell(news("b"))
        tell(news("c", "ghcr.io/acme/other:1"))
        assert not Channel.objects.to_send_to(timezone.now()).exists()
        send_all()
        counts = sorted(received.json["check"]["newVersions"] for received in place.received)
        assert counts == [1, 2]

    def test_it_leaves_no_second_news_of_a_service_out(self, place: Sink) -> None:
        channel(place)
        tell(news("a", "ghcr.io/acme/one:1"), news("b", "ghcr.io/acme/two:1"))
        tell(news("a", "ghcr.io/acme/one:2"), news("b", "ghcr.io/acme/two:1"))
        send_all()
        (received,) = place.received
        assert received.json["check"]["newVersions"] == 3

    def test_it_sends_news_that_came_too_late_by_itself(self, place: Sink) -> None:
        channel(place)
        tell(news("a"))
        send_all()
        tell(news("b"))
        send_all()
        assert len(place.received) == 2


def wrong(number: int = 1, state: str = "missing", why: str = "") -> Anomaly:
    return Anomaly(f"acme/r{number}", state, why)


def audited(*found: Anomaly, job: str = "job_1") -> None:
    audit = Audit(job, "success", missing=len(found), conflict=0, drift=0, error=0)
    anomalies(audit, found, timezone.now())


class TestAnomalies:
    def test_it_sends_the_contract(self, place: Sink) -> None:
        preferences.set("public_base_url", "https://dockrev.example")
        channel(place)
        audit = Audit("job_1", "success", missing=1, conflict=0, drift=1, error=0)
        long = "It is inactive. " * 20
        found = [wrong(1), wrong(2, "drift", long)]
        anomalies(audit, found, timezone.now())
        send_all()
        [received] = place.received
        assert received.headers["X-Dockrev-Event"] == "ghcr_webhook_anomaly"
        body = received.json
        assert body.pop("sentAt").endswith("Z")
        assert body.pop("debug")["source"] == "dockrev"
        cut = f"{long[:255]}…"
        assert body == {
            "schema": "dockrev.notification.ghcr_webhook_anomaly.v2",
            "kind": "ghcr_webhook_anomaly",
            "channel": "webhook",
            "job": {
                "id": "job_1",
                "status": "success",
                "missing": 1,
                "conflict": 0,
                "drift": 1,
                "error": 0,
                "totalAnomalies": 2,
            },
            "links": {
                "primaryUrl": "https://dockrev.example/queue/job_1",
                "jobUrl": "https://dockrev.example/queue/job_1",
                "settingsUrl": "https://dockrev.example/settings/github-packages",
                "repos": [
                    {
                        "owner": "acme",
                        "repo": "r1",
                        "fullName": "acme/r1",
                        "state": "missing",
                        "lastError": None,
                    },
                    {
                        "owner": "acme",
                        "repo": "r2",
                        "fullName": "acme/r2",
                        "state": "drift",
                        "lastError": cut,
                    },
                ],
                "truncated": {"reposOmitted": 0},
            },
            "human": {
                "title": "2 webhooks need attention",
                "summary": "acme/r1: the webhook is missing",
                "detail": f"acme/r1: the webhook is missing\nacme/r2: {cut}",
            },
        }

    def test_it_leads_to_pages_that_are_there(self, place: Sink) -> None:
        channel(place)
        audited(wrong(), job=new_id("job"))
        send_all()
        [received] = place.received
        links = received.json["links"]
        assert resolve(links["settingsUrl"]).url_name == "github_packages"
        assert resolve(links["jobUrl"]).url_name == "job"
        assert received.json["human"] == {
            "title": "acme/r1: its webhook needs attention",
            "summary": "acme/r1: the webhook is missing",
        }

    def test_it_names_ten_repositories_and_counts_the_rest(self, place: Sink) -> None:
        channel(place)
        audited(*(wrong(number) for number in range(13)))
        send_all()
        [received] = place.received
        assert len(received.json["links"]["repos"]) == 10
        assert received.json["links"]["truncated"] == {"reposOmitted": 3}
        assert received.json["job"]["totalAnomalies"] == 13
        assert received.json["human"]["detail"].endswith("and 3 more")

    def test_it_tells_who_wants_to_hear_whatever_their_stacks(self, place: Sink) -> None:
        channel(place, enabled=False)
        channel(place, events=[NEW_VERSION])
        hears = channel(place, stack_ids=["stk_2"])
        audited(wrong())
        assert Notification.objects.get().channel == hears

    def test_it_is_silent_where_all_is_well(self, place: Sink) -> None:
        channel(place)
        audited()
        assert not Notification.objects.exists()

    def test_it_sends_one_message_of_an_audit_that_is_run_again(self, place: Sink) -> None:
        channel(place)
        audited(wrong(1))
        audited(wrong(1), wrong(2))
        send_all()
        audited(wrong(1), wrong(2), wrong(3))
        send_all()
        [received] = place.received
        assert received.json["job"]["totalAnomalies"] == 2

    def test_it_sends_a_repetition_with_what_the_first_try_said(self, place: Sink) -> None:
        channel(place)
        place.answers = [500]
        audited(wrong(1))
        send_all()
        audited(wrong(1), wrong(2))
        send_all(timedelta(minutes=1))
        told = [received.json["job"]["totalAnomalies"] for received in place.received]
        assert told == [1, 1]

    def test_it_tells_of_the_same_again_after_the_next_audit(self, place: Sink) -> None:
        channel(place)
        audited(wrong(), job="job_1")
        audited(wrong(), job="job_2")
        send_all()
        assert {received.json["job"]["id"] for received in place.received} == {"job_1", "job_2"}


class TestTrouble:
    def test_it_tries_again_with_the_same_id_until_it_is_taken(self, place: Sink) -> None:
        row = channel(place)
        place.answers = [500, 503]
        tell()
        before = timezone.now()
        send_all()
        waiting = Notification.objects.get()
        assert (waiting.status, waiting.error) == ("waiting", "It answered 500.")
        assert waiting.next_attempt_at is not None
        assert waiting.next_attempt_at > before + timedelta(seconds=7)
        row.refresh_from_db()
        assert row.last_error == "It answered 500."
        send_all(timedelta(minutes=1))
        send_all(timedelta(minutes=5))
        ids = {received.headers["X-Dockrev-Delivery"] for received in place.received}
        assert (len(place.received), ids) == (3, {waiting.pk})
        row.refresh_from_db()
        assert (Notification.objects.get().status, row.last_error) == ("sent", "")

    def test_it_switches_off_a_channel_that_is_gone(self, place: Sink) -> None:
        row = channel(place)
        place.answers = [410]
        tell()
        send_all()
        row.refresh_from_db()
        assert (row.enabled, row.disabled_reason) == (False, "It answered 410 Gone.")
        assert Notification.objects.get().status == "failed"

    def test_it_never_shows_the_path_of_an_address(self, place: Sink) -> None:
        channel(place, config={"url": "http://127.0.0.1:9/hook/with-a-token"})
        tell()
        send_all()
        row = Notification.objects.get()
        assert row.error
        assert "with-a-token" not in row.error


class TestTest:
    def test_it_says_what_the_other_side_answered(self, place: Sink) -> None:
        row = channel(place, enabled=False)
        tried = trying.try_out(row)
        assert (tried.ok, tried.status) == (True, 204)
        assert place.received[0].json["schema"] == "dockrev.notification.test.v2"
        place.answers = [403]
        refused = trying.try_out(row)
        assert (refused.ok, refused.status, refused.error) == (False, 403, "It answered 403.")
