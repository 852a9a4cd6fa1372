"""Calls that are the same for a while only, and calls that carry several events."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.db import OperationalError, connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from checks import queue
from checks.models import Job, Registry, Service
from dockrev import retention
from integrations import ingest, recognition
from integrations.models import Delivery, DeliveryPart, Receiver
from tests import rows
from tests.receivers.stand_in import OTHER, call, receiver

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("stand_in")]

HOST = "registry.example"


@pytest.fixture
def row() -> Receiver:
    return receiver()


@pytest.fixture
def api() -> Service:
    return rows.service(f"{HOST}/acme/api:1.2.0")


@pytest.fixture
def web() -> Service:
    return rows.service(f"{HOST}/acme/web:1.2.0", name="web")


def event(key: str, image: str | None = "acme/api:1.2.0") -> dict[str, Any]:
    return {"id": key, "image": f"{HOST}/{image}"} if image else {"id": key}


def matched(answer: Any) -> list[str]:
    assert answer.status_code in (200, 202), answer.content
    found: list[str] = answer.json()["matchedServiceIds"]
    return found


class TestForAWhile:
    def test_an_equal_key_is_the_same_call_only_within_that_time(
        self, client: Client, row: Receiver, api: Service
    ) -> None:
        body = {"id": "same", "seconds": 60, "images": [f"{HOST}/acme/api:1.2.0"]}
        with time_machine.travel(timezone.now(), tick=False) as clock:
            first = call(client, body).json()
            clock.shift(59)
            again = call(client, body).json()
            assert (again["reason"], again["attempt"]) == ("duplicate_delivery", 2)
            clock.shift(1)  # counted from the first, however often it came since
            later = call(client, body)
            assert (later.status_code, later.json()["attempt"]) == (202, 1)
            assert later.json()["deliveryId"] != first["deliveryId"]
            clock.shift(30)
            last = call(client, body).json()
            assert (last["reason"], last["deliveryId"]) == (
                "duplicate_delivery",
                later.json()["deliveryId"],
            )
        assert Delivery.objects.count() == 2

    def test_it_is_the_same_call_for_ever_where_nothing_else_is_said(
        self, client: Client, row: Receiver
    ) -> None:
        with time_machine.travel(timezone.now(), tick=False) as clock:
            call(client, {"id": "same"})
            clock.shift(timedelta(days=80))
            assert call(client, {"id": "same"}).json()["reason"] == "duplicate_delivery"

    def test_keys_are_a_receivers_own(self, client: Client, row: Receiver) -> None:
        receiver(token=OTHER, name="Second")
        call(client, {"id": "same"})
        assert call(client, {"id": "same"}, token=OTHER).json()["attempt"] == 1

    @pytest.mark.parametrize("key", ["x" * 500, ""])
    def test_a_key_may_be_long_or_missing(self, client: Client, row: Receiver, key: str) -> None:
        for attempt in (1, 2):
            assert call(client, {"id": key}).json()["attempt"] == attempt
        assert call(client, {"id": key, "other": 1}).json()["attempt"] == (1 if not key else 3)
        assert len(Delivery.objects.earliest("pk").dedupe_key) == 64


class TestParts:
    def test_it_acts_on_each_event_once_in_whatever_company(
        self, client: Client, row: Receiver, api: Service, web: Service
    ) -> None:
        first = call(client, {"id": "a", "events": [event("1")]})
        assert matched(first) == [api.pk]
        second = call(client, {"id": "b", "events": [event("1"), event("2", "acme/web:1.2.0")]})
        assert matched(second) == [web.pk]
        assert second.json()["images"] == [f"{HOST}/acme/api:1.2.0", f"{HOST}/acme/web:1.2.0"]
        third = call(client, {"id": "c", "events": [event("2", "acme/web:1.2.0"), event("1")]})
        body = third.json()
        assert (third.status_code, body["reason"]) == (200, "duplicate_delivery")
        assert (body["deliveryId"], body["attempt"]) == (second.json()["deliveryId"], 2)
        assert (Delivery.objects.count(), DeliveryPart.objects.count()) == (2, 2)
        assert Job.objects.count() == 2

    def test_the_same_event_twice_in_one_call_is_one(
        self, client: Client, row: Receiver, api: Service
    ) -> None:
        assert matched(call(client, {"id": "a", "events": [event("1"), event("1")]})) == [api.pk]
        assert DeliveryPart.objects.count() == 1

    def test_new_events_of_no_interest_are_no_push(
        self, client: Client, row: Receiver, api: Service
    ) -> None:
        call(client, {"id": "a", "events": [event("1")]})
        answer = call(client, {"id": "b", "events": [event("1"), event("2", None)]})
        assert (answer.status_code, answer.json()["reason"]) == (200, "event_not_relevant")
        assert answer.json()["images"] == [f"{HOST}/acme/api:1.2.0"]
        again = call(client, {"id": "c", "events": [event("2", None)]})
        assert again.json()["reason"] == "duplicate_delivery"

    def test_events_are_a_receivers_own(self, client: Client, row: Receiver, api: Service) -> None:
        receiver(token=OTHER, name="Second")
        call(client, {"id": "a", "events": [event("1")]})
        assert matched(call(client, {"id": "a", "events": [event("1")]}, token=OTHER)) == [api.pk]

    def test_a_first_try_that_failed_half_way_suppresses_nothing(
        self, client: Client, row: Receiver, api: Service
    ) -> None:
        body = {"id": "a", "events": [event("1"), event("2")]}
        with connection.execute_wrapper(_no_parts):
            assert call(client, body).status_code == 503
        assert not Delivery.objects.exists() and not Job.objects.exists()
        assert matched(call(client, body)) == [api.pk]

    def test_a_replay_is_of_all_its_events(
        self, client: Client, row: Receiver, api: Service, web: Service
    ) -> None:
        call(client, {"id": "a", "events": [event("1")]})
        call(client, {"id": "b", "events": [event("1"), event("2", "acme/web:1.2.0")]})
        answer = ingest.replay(Delivery.objects.latest("pk"))
        assert sorted(answer.matched) == sorted([api.pk, web.pk])

    def test_they_go_with_their_delivery(self, client: Client, row: Receiver) -> None:
        call(client, {"id": "a", "events": [event("1"), event("2")]})
        retention.sweep(timezone.now() + timedelta(days=91), timedelta(days=90))
        assert not Delivery.objects.exists() and not DeliveryPart.objects.exists()
        assert call(client, {"id": "a", "events": [event("1")]}).json()["attempt"] == 1

    def test_it_reads_no_payload_to_delete_it(self, client: Client, row: Receiver) -> None:
        call(client, {"id": "a", "events": [event("1")]})
        with CaptureQueriesContext(connection) as captured:
            retention.sweep(timezone.now() + timedelta(days=91), timedelta(days=90))
        assert not [q for q in captured if "payload" in q["sql"] and q["sql"].startswith("SELECT")]

    def test_very_many_are_handled(
        self, client: Client, row: Receiver, api: Service, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(recognition, "MAX_PARTS", 10)
        body = {"id": "a", "events": [event(str(n), None) for n in range(30)] + [event("x")]}
        assert matched(call(client, body)) == [api.pk]
        assert DeliveryPart.objects.count() == 10
        assert call(client, body).json()["reason"] == "duplicate_delivery"
        assert matched(call(client, {**body, "id": "b"})) == [api.pk]

    @pytest.mark.parametrize("count", [1000, 1500])
    def test_it_takes_as_many_as_a_body_has_room_for(
        self, client: Client, row: Receiver, api: Service, count: int
    ) -> None:
        events = [event(str(n), f"acme/app{n}:1") for n in range(count)]
        answer = call(client, {"id": "a", "events": [event("api"), *events]})
        assert matched(answer) == [api.pk]
        assert len(answer.json()["images"]) == 1000
        assert DeliveryPart.objects.count() == 1000


class TestQueries:
    def test_they_are_as_many_for_fifty_events_as_for_three(
        self, client: Client, row: Receiver, api: Service
    ) -> None:
        def queries(key: str, count: int) -> list[str]:
            events = [event(f"{key}{n}", f"acme/other{n}:1") for n in range(count)]
            body = {"id": key, "events": [event(f"{key}-api"), *events]}
            with CaptureQueriesContext(connection) as captured:
                assert matched(call(client, body)) == [api.pk]
            return [query["sql"] for query in captured]

        queries("makes", 3), queries("joins", 3)
        few, many = queries("few", 3), queries("many", 50)
        assert len(many) == len(few) <= 14, many


class TestManyImages:
    def test_each_is_matched_as_one_alone_would_be(
        self, client: Client, row: Receiver, api: Service
    ) -> None:
        other_host = rows.service("other.example/acme/api:1", name="elsewhere")
        front = rows.service("lscr.io/acme/front:1", name="front")
        mirrored = rows.service("mirror.example/acme/app:1", name="mirrored")
        rows.service("mirror.example/acme/api:1", name="not-mirrored-from-there")
        Registry.objects.create(host="mirror.example", mirror_of="origin.example")
        images = [
            f"{HOST}/acme/api:1",
            "ghcr.io/acme/front:1",
            "origin.example/acme/app:1",
            "other.example/acme/nothing:1",
        ]
        answer = call(client, {"id": "a", "images": images})
        assert set(matched(answer)) == {api.pk, front.pk, mirrored.pk}
        assert other_host.pk not in matched(answer)

    def test_an_image_with_a_tag_is_acted_on_at_once_and_one_without_waits(
        self, client: Client, row: Receiver, api: Service, web: Service
    ) -> None:
        digest = f"sha256:{'a' * 64}"
        images = [f"{HOST}/acme/api:1.2.0", f"{HOST}/acme/web@{digest}"]
        call(client, {"id": "a", "images": images})
        jobs = {job.service_id: job for job in Job.objects.all()}
        assert queue.claim(jobs[api.pk].pk) is not None
        waits = jobs[web.pk]
        assert queue.claim(waits.pk) is None
        assert waits.not_before is not None and waits.not_before > timezone.now()
        call(client, {"id": "b", "images": [f"{HOST}/acme/web@{digest}", f"{HOST}/acme/web:2"]})
        assert queue.claim(waits.pk) is not None

    def test_it_is_acted_on_at_once_by_whichever_name_it_has_a_tag(
        self, client: Client, row: Receiver
    ) -> None:
        front = rows.service("lscr.io/acme/front:1", name="front")
        untagged = f"lscr.io/acme/front@sha256:{'a' * 64}"
        call(client, {"id": "a", "images": ["ghcr.io/acme/front:1", untagged]})
        job = Job.objects.get(service_id=front.pk)
        assert queue.claim(job.pk) is not None

    def test_where_nothing_runs_them_it_looks_again_once(
        self, client: Client, row: Receiver
    ) -> None:
        answer = call(client, {"id": "a", "images": [f"{HOST}/acme/a:1", f"{HOST}/acme/b:1"]})
        assert answer.status_code == 202
        assert answer.json()["fallbackReason"] == "no_managed_service_match"
        assert [job.kind for job in Job.objects.all()] == ["discovery"]


def _no_parts(execute: Any, sql: str, *given: Any) -> Any:
    if sql.startswith("INSERT") and "deliverypart" in sql:
        raise OperationalError("database is locked")
    return execute(sql, *given)
