"""The same delivery again, many at once, and what is looked for once more."""

from __future__ import annotations

import json
import threading
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.db import connections
from django.test import Client
from django.utils import timezone
from django_q.models import OrmQ

from checks import queue
from checks.kinds import Outcome
from checks.models import Job, Service
from integrations import ingest
from integrations.ingest import Answer
from integrations.models import Delivery, Receiver
from integrations.receivers.base import BadHeaders, Incoming
from integrations.tallies import Tallies
from tests import rows
from tests.github import deliver, published

pytestmark = pytest.mark.django_db


def finish(job_id: str) -> None:
    """What a worker does with a job that finds nothing."""
    job = queue.claim(job_id)
    assert job is not None
    assert queue.finish(job, Outcome())


class TestRepeats:
    def test_it_knows_a_delivery_again(self, client: Client, service: Service) -> None:
        first = deliver(client, published(), delivery="same").json()
        again = deliver(client, published(), delivery="same")
        assert again.status_code == 200
        body = again.json()
        assert (body["reason"], body["attempt"]) == ("duplicate_delivery", 2)
        assert body["deliveryId"] == first["deliveryId"]
        assert Job.objects.count() == 1

    def test_it_knows_one_that_another_process_stored_meanwhile(
        self, client: Client, service: Service, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The worker brings in missed calls, which may come all the same at that moment."""
        first = deliver(client, published(), delivery="same").json()
        known: Any = ingest._known
        looks: list[list[Any]] = [[]]
        monkeypatch.setattr(
            ingest, "_known", lambda **what: looks.pop() if looks else known(**what)
        )
        again = deliver(client, published(), delivery="same")
        assert (again.status_code, again.json()["reason"]) == (200, "duplicate_delivery")
        assert again.json()["deliveryId"] == first["deliveryId"]

    def test_it_acts_on_a_second_try_where_the_first_stored_nothing(
        self, client: Client, service: Service
    ) -> None:
        assert deliver(client, published(), delivery="g", signature="sha256=0").status_code == 401
        assert deliver(client, published(), delivery="g").status_code == 202

    def test_it_reuses_a_queued_check(self, client: Client, service: Service) -> None:
        first = deliver(client, published()).json()
        second = deliver(client, published("acme/api", "latest")).json()
        assert second["reusedJobIds"] == first["jobIds"]
        assert second["jobIds"] == []

    def test_it_runs_a_running_check_once_more(self, client: Client, service: Service) -> None:
        job_id = deliver(client, published()).json()["jobIds"][0]
        job = queue.claim(job_id)
        assert job is not None
        assert deliver(client, published()).json()["reusedJobIds"] == [job_id]
        before = timezone.now()
        queue.finish(job, Outcome())
        job.refresh_from_db()
        assert job.status == "queued"
        assert job.not_before is not None
        assert job.not_before > before + timedelta(seconds=4)

    def test_it_checks_at_most_twice_for_one_push_of_many_manifests(
        self, client: Client, service: Service
    ) -> None:
        start = timezone.now()
        with time_machine.travel(start, tick=False) as clock:
            child = deliver(client, published(tag="")).json()["jobIds"][0]
            assert queue.claim(child) is None  # a child manifest waits for its index
            index = deliver(client, published()).json()
            assert index["reusedJobIds"] == [child]
            finish(child)
            clock.shift(1)
            later = deliver(client, published(tag="")).json()["jobIds"]
            assert deliver(client, published()).json()["reusedJobIds"] == later
            assert queue.claim(later[0]) is None
            clock.shift(4)
            finish(later[0])
        assert Job.objects.count() == 2

    def test_it_is_not_delayed_by_a_check_that_a_person_asked_for(
        self, client: Client, service: Service
    ) -> None:
        asked = queue.enqueue(
            queue.Request(kind="check.service", reason="ui", scope="service", service_id=service.pk)
        )
        finish(asked.job_id)
        finish(deliver(client, published()).json()["jobIds"][0])

    def test_it_answers_without_queries_per_service(
        self, client: Client, service: Service, django_assert_num_queries: Any
    ) -> None:
        deliver(client, published())
        with django_assert_num_queries(10):
            deliver(client, published())

    @pytest.mark.parametrize("count", [3, 300])
    def test_it_makes_many_jobs_and_joins_them_with_as_few_statements(
        self, client: Client, service: Service, django_assert_max_num_queries: Any, count: int
    ) -> None:
        for number in range(count - 1):
            rows.service(name=f"worker{number}")
        with django_assert_max_num_queries(13):  # two of them are a savepoint's, on PostgreSQL
            made = deliver(client, published()).json()
        with django_assert_max_num_queries(10):
            joined = deliver(client, published()).json()
        assert len(made["jobIds"]) == count == len(joined["matchedServiceIds"])
        assert sorted(joined["reusedJobIds"]) == sorted(made["jobIds"])
        assert OrmQ.objects.count() == count


class TestTakenFromTheSendersList:
    def take(self, guid: str, body: dict[str, Any] | None = None) -> Answer:
        headers = {"x-github-event": "package", "x-github-delivery": guid}
        incoming = Incoming(headers, json.dumps(body or published()).encode())
        return ingest.take_reconciled(Receiver.objects.get(kind="github-packages"), incoming)

    def test_it_goes_through_the_same_pipeline(self, service: Service) -> None:
        answer = self.take("missed")
        assert (answer.status, answer.decision, answer.matched) == (202, "processed", [service.pk])
        kept, job = Delivery.objects.get(), Job.objects.get()
        assert (kept.reconciled, kept.by_previous_secret, kept.attempts) == (True, False, 1)
        assert (kept.sender_id, kept.job_ids) == ("missed", [job.pk])
        assert self.take("other", published(repository="acme/x")).reason == "repo_not_selected"

    def test_it_takes_what_comes_later_for_a_duplicate(
        self, client: Client, service: Service
    ) -> None:
        self.take("missed")
        assert deliver(client, published(), delivery="missed").json()["attempt"] == 2
        assert Delivery.objects.get().attempts == 2
        assert Job.objects.count() == 1

    def test_it_counts_as_no_call(self, service: Service, tallies: Tallies) -> None:
        self.take("missed")
        tallies.flush()
        assert Receiver.objects.get(kind="github-packages").last_accepted_at is None

    def test_it_needs_the_headers_of_its_sender(self, service: Service) -> None:
        with pytest.raises(BadHeaders):
            self.take("")
        assert not Delivery.objects.exists()


class TestFallback:
    def test_it_looks_again_once_and_then_checks_what_it_found(
        self, client: Client, service: Service
    ) -> None:
        rows.tracked("acme/new")
        body = published("acme/new", repository="acme/new")
        first, second = deliver(client, body).json(), deliver(client, body).json()
        assert first["fallbackReason"] == "no_managed_service_match"
        assert second["reusedJobIds"] == first["jobIds"]
        new = rows.service("ghcr.io/acme/new:1", name="new")
        finish(first["jobIds"][0])
        check = Job.objects.get(kind="check.service")
        assert (check.service_id, check.reason) == (new.pk, "webhook")
        delivery = Delivery.objects.get(pk=first["deliveryId"])
        assert delivery.matched_service_ids == [new.pk]
        assert delivery.waiting_for_job == ""

    def test_it_names_the_reason_for_an_owner_only_payload(
        self, client: Client, service: Service
    ) -> None:
        answer = deliver(client, published("acme/unlinked", repository=None)).json()
        assert (answer["fallbackUsed"], answer["fallbackReason"]) == (True, "owner_only_payload")
        assert Job.objects.get().kind == "discovery"

    def test_it_checks_an_owner_only_payload_whose_image_runs_here(
        self, client: Client, service: Service
    ) -> None:
        answer = deliver(client, published(repository=None)).json()
        assert answer["matchedServiceIds"] == [service.pk]
        assert answer["fallbackUsed"] is False

    def test_it_delays_a_second_look_by_a_minute(self, client: Client, service: Service) -> None:
        body = published("acme/unlinked", repository=None)
        before = timezone.now()
        finish(deliver(client, body).json()["jobIds"][0])
        second = Job.objects.get(pk=deliver(client, body).json()["jobIds"][0])
        assert second.not_before is not None
        assert second.not_before > before + timedelta(seconds=55)


@pytest.mark.django_db(transaction=True)
class TestAtOnce:
    def test_it_makes_one_job_of_fifty_equal_deliveries_at_once(self, service: Service) -> None:
        barrier = threading.Barrier(50)
        answers: list[int] = []

        def send() -> None:
            barrier.wait()
            try:
                answers.append(deliver(Client(), published(), delivery="same").status_code)
            finally:
                connections.close_all()

        threads = [threading.Thread(target=send) for _ in range(50)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(answers) == [200] * 49 + [202]
        assert Delivery.objects.get().attempts == 50
        assert Job.objects.count() == OrmQ.objects.count() == 1
