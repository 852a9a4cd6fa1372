"""What channels are told of an update or a rollback that is over."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.urls import resolve
from django.utils import timezone

from dockrev import preferences
from dockrev.ids import new_id
from notifications import announce
from notifications.announce import JOB_FINISHED, Changed, FinishedJob
from notifications.messages import message
from notifications.models import Channel, Notification
from tests.github import digest
from tests.notifications.test_outbox import channel, send_all
from tests.sink import Sink, sink

pytestmark = pytest.mark.django_db

NOON = datetime(2026, 5, 4, 12, tzinfo=UTC)


@pytest.fixture
def place() -> Iterator[Sink]:
    with sink() as place:
        yield place


def job(status: str = "success", **given: Any) -> FinishedJob:
    facts = {
        "id": "job_1",
        "kind": "update",
        "scope": "stack",
        "reason": "ui",
        "created_by": "ann",
        "subject": "shop",
        "stack_id": "stk_1",
        "service_id": "",
        "created_at": NOON,
        "started_at": NOON + timedelta(seconds=1),
        "finished_at": NOON + timedelta(seconds=90),
        **given,
    }
    return FinishedJob(status=status, **facts)


def changed(
    service: str = "api", *, old: str = "1.0", new: str = "1.1", stack: str = "1", **given: Any
) -> Changed:
    image = f"ghcr.io/acme/{service}"
    facts: dict[str, Any] = {"outcome": "updated", "candidate_display_tag": new, **given}
    return Changed(
        stack_id=f"stk_{stack}",
        stack_name="shop",
        service_id=f"svc_{service}",
        service_name=service,
        image=f"{image}:{old}",
        current_tag=old,
        current_display_tag=facts.pop("current_display_tag", old),
        candidate_tag=new,
        candidate_digest=digest(f"{image}:{new}"),
        candidate_image=f"{image}:{new}",
        step="minor",
        **facts,
    )


def tell(told: FinishedJob, *services: Changed) -> None:
    announce.job_finished(told, services, timezone.now())


def human(told: FinishedJob, *services: Changed) -> dict[str, str]:
    """What people read of it."""
    Channel.objects.create(kind="webhook", name="x", events=[JOB_FINISHED], config="{}")
    tell(told, *services)
    row = Notification.objects.get()
    return dict(message(row, timezone.now()).payload["human"])


class TestPayload:
    def test_it_sends_the_contract(self, place: Sink) -> None:
        preferences.set("public_base_url", "https://dockrev.example")
        channel(place, events=[JOB_FINISHED])
        tell(
            job("failed", error="api did not become healthy.", log=("pulling", "starting")),
            changed("api", outcome="failed"),
            changed("web", outcome="untouched"),
        )
        send_all()
        [received] = place.received
        assert received.headers["X-Dockrev-Event"] == "job_finished"
        body = received.json
        assert body.pop("sentAt").endswith("Z")
        assert body.pop("debug")["source"] == "dockrev"
        urls = body["links"].pop("serviceUrls")
        assert [(url["serviceName"], url["outcome"]) for url in urls] == [
            ("api", "failed"),
            ("web", "untouched"),
        ]
        assert (urls[0]["currentTag"], urls[0]["candidateTag"]) == ("1.0", "1.1")
        job_url = "https://dockrev.example/queue/job_1"
        assert body == {
            "schema": "dockrev.notification.job.v2",
            "kind": "job_finished",
            "channel": "webhook",
            "job": {
                "id": "job_1",
                "kind": "update",
                "scope": "stack",
                "status": "failed",
                "reason": "ui",
                "createdBy": "ann",
                "createdAt": "2026-05-04T12:00:00.000Z",
                "startedAt": "2026-05-04T12:00:01.000Z",
                "finishedAt": "2026-05-04T12:01:30.000Z",
                "stackId": "stk_1",
                "serviceId": None,
                "error": "api did not become healthy.",
            },
            "links": {
                "primaryUrl": job_url,
                "jobUrl": job_url,
                "truncated": {"serviceUrlsOmitted": 0},
            },
            "log": ["pulling", "starting"],
            "human": {
                "title": "The update of shop failed",
                "summary": "api did not become healthy.",
                "detail": "api did not become healthy.\n"
                "shop / api could not be updated from 1.0 to 1.1.\n"
                "shop / web was left at 1.0.",
            },
        }

    def test_it_leads_to_the_only_service(self, place: Sink) -> None:
        channel(place, events=[JOB_FINISHED])
        one = replace(changed(), stack_id=new_id("stk"), service_id=new_id("svc"))
        tell(job(), one)
        send_all()
        links = place.received[0].json["links"]
        assert links["primaryUrl"] == links["serviceUrls"][0]["url"]
        assert resolve(links["primaryUrl"]).url_name == "service"

    @pytest.mark.parametrize(
        ("status", "title"),
        [
            ("success", "A backup of shop / api was restored"),
            ("failed", "A backup of shop / api could not be restored"),
        ],
    )
    def test_it_tells_of_a_restore(self, place: Sink, status: str, title: str) -> None:
        channel(place, events=[JOB_FINISHED])
        tell(replace(job(status), kind="backup.restore", subject="shop / api"))
        send_all()
        body = place.received[0].json
        assert (body["job"]["kind"], body["human"]["title"]) == ("backup.restore", title)

    def test_it_names_ten_services_and_counts_the_rest(self, place: Sink) -> None:
        channel(place, events=[JOB_FINISHED])
        tell(job(), *(changed(f"s{n}") for n in range(13)))
        send_all()
        body = place.received[0].json
        assert len(body["links"]["serviceUrls"]) == 10
        assert body["links"]["truncated"] == {"serviceUrlsOmitted": 3}
        assert body["human"]["title"] == "13 services were updated"
        assert body["human"]["detail"].endswith("\nand 3 more")

    def test_it_keeps_the_end_of_the_log_without_what_steers_a_terminal(self, place: Sink) -> None:
        channel(place, events=[JOB_FINISHED])
        wild = "\x1b[31mred\x1b[0m\x07 and \x1b]0;title\x07plain \u202eleft\ud800\x00\ttab"
        tell(job("failed", error="x" * 2000, log=(*("line",) * 40, wild, "two\r\nlines")))
        send_all()
        body = place.received[0].json
        assert len(body["log"]) == 20
        assert body["log"][-3:] == ["red and plain left\ttab", "two", "lines"]
        assert len(body["job"]["error"]) == 1024

    def test_it_bounds_a_log_of_long_lines(self, place: Sink) -> None:
        channel(place, events=[JOB_FINISHED])
        tell(job("failed", log=("a" * 3000, "b" * 1500, "c" * 2000)))
        send_all()
        assert [line[0] for line in place.received[0].json["log"]] == ["b", "c"]
        tell(job("failed", id="job_2", log=("d" * 9000,)))
        send_all()
        [line] = place.received[1].json["log"]
        assert (len(line), line[-1]) == (4000, "…")


class TestWords:
    def test_it_says_one_success_in_one_sentence(self) -> None:
        assert human(job(), changed()) == {
            "title": "shop / api was updated",
            "summary": "shop / api was updated from 1.0 to 1.1.",
        }

    def test_it_never_says_that_latest_became_latest(self) -> None:
        one = changed(old="latest", new="latest")
        assert human(job(), one)["summary"] == (
            "shop / api was updated: it runs the rebuilt ghcr.io/acme/api:latest."
        )

    def test_it_says_the_versions_behind_latest(self) -> None:
        one = changed(
            old="latest", new="latest", current_display_tag="2.1", candidate_display_tag="2.2"
        )
        assert human(job(), one)["summary"] == "shop / api was updated from 2.1 to 2.2."

    def test_it_says_why_an_update_failed(self) -> None:
        told = human(job("failed", error="Out of disk."), changed(outcome="failed"))
        assert told == {
            "title": "The update of shop / api failed",
            "summary": "shop / api could not be updated from 1.0 to 1.1.",
            "detail": "shop / api could not be updated from 1.0 to 1.1.\nOut of disk.",
        }

    def test_it_says_that_an_update_was_taken_back(self) -> None:
        told = human(job("rolled_back"), changed(outcome="rolled_back"))
        assert told == {
            "title": "The update of shop / api was taken back",
            "summary": "shop / api did not run with 1.1 and is back at 1.0.",
        }

    def test_it_tells_a_rollback_from_an_update(self) -> None:
        told = human(job(kind="rollback"), changed(old="1.1", new="1.0"))
        assert told == {
            "title": "shop / api was rolled back",
            "summary": "shop / api was rolled back from 1.1 to 1.0.",
        }

    def test_it_has_words_where_nothing_was_begun(self) -> None:
        told = human(job("failed", error="Docker is not reachable."))
        assert told == {
            "title": "The update of shop failed",
            "summary": "Docker is not reachable.",
        }

    @pytest.mark.parametrize("kind", ["update", "rollback"])
    @pytest.mark.parametrize("outcome", ["updated", "failed", "rolled_back", "untouched"])
    @pytest.mark.parametrize("status", ["success", "failed", "rolled_back", "cancelled"])
    @pytest.mark.parametrize("new", ["1.0", "1.1"])
    def test_it_has_words_for_all_that_can_come(
        self, kind: str, outcome: str, status: str, new: str
    ) -> None:
        told = human(job(status, kind=kind), changed(new=new, outcome=outcome))
        assert "shop / api" in told["title"]
        assert told["summary"].endswith(".")
        assert "%(" not in str(told)


class TestChoice:
    def test_it_tells_who_is_for_the_stack(self, place: Sink) -> None:
        channel(place, events=[])
        channel(place, events=[JOB_FINISHED], stack_ids=["stk_3"])
        second = channel(place, events=[JOB_FINISHED], stack_ids=["stk_2"])
        every = channel(place, events=[JOB_FINISHED])
        tell(job(stack_id="", scope="all"), changed("a", stack="1"), changed("b", stack="2"))
        told = {row.channel: len(row.content["found"]) for row in Notification.objects.all()}
        assert told == {second: 1, every: 2}

    def test_it_tells_of_a_job_that_began_nothing_by_its_stack(self, place: Sink) -> None:
        channel(place, events=[JOB_FINISHED], stack_ids=["stk_2"])
        first = channel(place, events=[JOB_FINISHED], stack_ids=["stk_1"])
        tell(job("failed"))
        assert Notification.objects.get().channel == first

    def test_it_is_urgent_where_somebody_has_to_see_to_it(self, place: Sink) -> None:
        channel(place, events=[JOB_FINISHED])
        for status in ("success", "failed", "rolled_back", "cancelled"):
            tell(job(status, id=status), changed())
        rows = Notification.objects.all()
        built = {row.content["job"]["status"]: message(row, timezone.now()) for row in rows}
        assert {status for status, sent in built.items() if sent.urgent} == {
            "failed",
            "rolled_back",
        }
        assert {sent.topic for sent in built.values()} == {"service:svc_api"}

    def test_it_is_one_message_though_it_is_told_twice(self, place: Sink) -> None:
        channel(place, events=[JOB_FINISHED])
        tell(job(), changed())
        tell(job(), changed())
        send_all()
        tell(job(), changed())
        send_all()
        assert len(place.received) == 1


class TestDocoCd:
    @pytest.fixture(autouse=True)
    def _deploys(self, place: Sink) -> None:
        config = json.dumps({"url": place.url, "secret": "of doco-cd"})
        Channel.objects.create(kind="doco-cd", name="x", events=[JOB_FINISHED], config=config)

    def sent(self, place: Sink) -> list[tuple[str, str]]:
        send_all()
        return sorted((each.json["artifact"], each.json["digest"]) for each in place.received)

    def test_it_is_sent_each_image_that_was_brought_into_service(self, place: Sink) -> None:
        tell(
            job("failed"),
            changed("api"),
            replace(changed("api"), service_id="svc_other"),
            changed("web"),
            changed("worker", outcome="failed"),
            changed("cron", outcome="rolled_back"),
            changed("db", outcome="untouched"),
        )
        images = ["ghcr.io/acme/api:1.1", "ghcr.io/acme/web:1.1"]
        assert self.sent(place) == [(image, digest(image)) for image in images]

    @pytest.mark.parametrize("status", ["failed", "rolled_back", "cancelled"])
    def test_it_is_sent_nothing_of_what_did_not_come_to_be(self, place: Sink, status: str) -> None:
        tell(job(status))
        tell(job(status, id="job_2"), changed(outcome="rolled_back"))
        assert self.sent(place) == []

    def test_it_is_sent_nothing_of_a_rollback(self, place: Sink) -> None:
        tell(job(kind="rollback"), changed())
        assert self.sent(place) == []
